// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"mbchain/identity"
	"mbchain/policyd/internal/cluster"
	"mbchain/policyd/internal/push"
	"mbchain/policyd/internal/store"
	"mbchain/proto/protoconnect"
)

// Limits of a request, in bytes. Connect applies them to the message after
// decompression.
const (
	maxPolicyRequest = 8 << 20  // a policy of policy.MaxSource, with JSON's escapes
	maxDomainRequest = 64 << 10 // a few short fields
	maxAgentRequest  = 16 << 20 // an answer of maxSessions sessions
	maxHeader        = 16 << 10

	// compressFrom is how long a message is that is worth compressing, for callers
	// that can read it. To write one of 200 bytes for each of 2,000 hosts took as much
	// time compressed as all else, and a compressor's memory for each.
	compressFrom = 64 << 10
)

// Limits in time.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second // a whole request
	writeTimeout      = 30 * time.Second // a whole response; of a stream, one push
	idleTimeout       = 2 * time.Minute  // between two requests
	pingAfter         = 15 * time.Second // of silence on an HTTP/2 connection
	stopTimeout       = 5 * time.Second  // for requests that run when policyd stops

	// lostTimeout is how long sent data may stay unacknowledged: a host that
	// vanished is disconnected as soon as its agent would notice, too.
	lostTimeout = 15 * time.Second
)

// Cluster keeps the state.
type Cluster interface {
	State() (*store.State, error)
	Apply(ctx context.Context, cmd store.Command) (store.Result, error)
	Status() cluster.Status
	Copy() (*store.State, error)
	Confirm() (*store.State, error)
	Leader() (cluster.Leader, <-chan struct{})
	Membership
}

// Membership is who the nodes are.
type Membership interface {
	Members() ([]cluster.Member, uint64, error)
	Add(name, raftAddress string) error
	Promote(name string) error
	Remove(name string) error
	Transfer(name string) error
}

// Config is what a Server is made of.
type Config struct {
	Cluster Cluster
	Hub     *push.Hub
	Version string // of policyd
	Logger  *slog.Logger
	Begun   Begun        // nil: nobody wants to know
	Self    Self         // who this policyd is
	Audit   *slog.Logger // of what changes; nil: none

	// RotateEvery is how old a set-up key gets before it is replaced; 0: as old
	// as operators let it.
	RotateEvery time.Duration

	// PushTimeout is how long a push may take to be sent before the host
	// counts as lost; 0: writeTimeout.
	PushTimeout time.Duration

	// Dial reaches other nodes; nil: as the system does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Self is who a policyd is. It has a certificate once it knows the CA.
type Self interface {
	identity.Source
	// Use takes the CA of the state, and the epoch of this policyd in it.
	Use(ca []byte, epoch uint32) error
	// Name is that in its certificate.
	Name() string
}

// Server serves the services of policyd.
type Server struct {
	Config
	guard     *guard
	caller    func(*http.Request) (*caller, error) // identify, but for tests
	newcomers chan struct{}                        // one for each that is worked on
	started   time.Time
	jobs      jobs
	follow    *followUps
	leaving   *leaving
	asks      chan struct{} // one for each request of a host that is worked on

	others   *others
	buffers  buffers
	errors   *connect.ErrorWriter
	joins    chan struct{} // has room for the one node that joins
	restores chan struct{} // one for each snapshot that is read
}

// NewServer returns a server.
func NewServer(cfg Config) *Server {
	if cfg.PushTimeout == 0 {
		cfg.PushTimeout = writeTimeout
	}
	s := &Server{
		Config: cfg, started: time.Now(), follow: newFollowUps(), leaving: newLeaving(), asks: make(chan struct{}, maxAsks),
		others: newOthers(cfg.Self, cfg.Dial), errors: connect.NewErrorWriter(),
		joins: make(chan struct{}, 1), restores: make(chan struct{}, maxRestores),
		guard: newGuard(), newcomers: make(chan struct{}, maxJoins),
	}
	s.caller = s.identify
	return s
}

// Handler returns what answers the requests.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	limit := func(bytes int) connect.HandlerOption {
		return connect.WithHandlerOptions(connect.WithReadMaxBytes(bytes), connect.WithCompressMinBytes(compressFrom), connect.WithInterceptors(s.audited()))
	}
	mux.Handle(protoconnect.NewPolicyServiceHandler(policyService{s}, limit(maxPolicyRequest)))
	mux.Handle(protoconnect.NewDomainServiceHandler(domainService{s}, limit(maxDomainRequest)))
	mux.Handle(protoconnect.NewMigrationServiceHandler(migrationService{s}, limit(maxDomainRequest)))
	mux.Handle(protoconnect.NewNFServiceHandler(nfService{s}, limit(maxDomainRequest)))
	mux.Handle(protoconnect.NewAgentServiceHandler(agentService{s}, limit(maxAgentRequest)))
	mux.Handle(protoconnect.NewClusterServiceHandler(clusterService{s}, limit(maxSnapshotRequest)))
	mux.Handle(protoconnect.NewIdentityServiceHandler(identityService{s}, limit(maxIdentityRequest)))
	return limitTime(s.guarded(s.route(mux)))
}

// Listen opens a port for [Server.Serve].
func Listen(ctx context.Context, address string) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var optErr error
		err := c.Control(func(fd uintptr) {
			// Accepted connections inherit it.
			optErr = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(lostTimeout.Milliseconds()))
		})
		return errors.Join(err, optErr)
	}}
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

// Serve answers by TLS on network, and to root alone on local, until ctx ends;
// either may be nil. Then it ends the streams, and lets the requests that run come
// to their end. Meanwhile live sessions follow the policies that are applied.
func (s *Server) Serve(ctx context.Context, network, local net.Listener) error {
	defer s.others.close()
	srv := s.httpServer()
	g, ctx := errgroup.WithContext(ctx)
	serve := func(l net.Listener, do func() error) {
		g.Go(func() error {
			if err := do(); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve on %s: %w", l.Addr(), err)
			}
			return nil
		})
	}
	if network != nil {
		serve(network, func() error { return srv.ServeTLS(network, "", "") })
	}
	if local != nil {
		serve(local, func() error { return srv.Serve(local) })
	}
	g.Go(func() error {
		s.followPolicies(ctx)
		return nil
	})
	g.Go(func() error {
		s.watchHealth(ctx)
		return nil
	})
	g.Go(func() error {
		s.evacuate(ctx)
		return nil
	})
	g.Go(func() error {
		s.rotateKeys(ctx)
		return nil
	})
	g.Go(func() error {
		s.watchCopy(ctx)
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		s.Hub.Stop()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := srv.Shutdown(stop); err != nil {
			s.Logger.Warn("requests cut off", "error", err)
			return srv.Close()
		}
		return nil
	})
	return g.Wait()
}

func (s *Server) httpServer() *http.Server {
	srv := &http.Server{
		Handler:           s.Handler(),
		ConnContext:       connContext,
		TLSConfig:         identity.ServerTLS(s.Self, "h2", "http/1.1"),
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.Logger.Handler(), slog.LevelDebug),
		Protocols:         new(http.Protocols),
		HTTP2:             &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: lostTimeout, WriteByteTimeout: lostTimeout},
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(true) // on the unix socket
	return srv
}
