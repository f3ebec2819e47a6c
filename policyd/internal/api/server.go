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
}

// Config is what a Server is made of.
type Config struct {
	Cluster Cluster
	Hub     *push.Hub
	Version string // of policyd
	Logger  *slog.Logger
	Begun   Begun // nil: nobody wants to know

	// PushTimeout is how long a push may take to be sent before the host
	// counts as lost; 0: writeTimeout.
	PushTimeout time.Duration
}

// Server serves the four services.
type Server struct {
	Config
	started time.Time
	jobs    jobs
	follow  *followUps
	asks    chan struct{} // one for each request of a host that is worked on
}

// NewServer returns a server.
func NewServer(cfg Config) *Server {
	if cfg.PushTimeout == 0 {
		cfg.PushTimeout = writeTimeout
	}
	return &Server{Config: cfg, started: time.Now(), follow: newFollowUps(), asks: make(chan struct{}, maxAsks)}
}

// Handler returns what answers the requests.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(protoconnect.NewPolicyServiceHandler(policyService{s}, connect.WithReadMaxBytes(maxPolicyRequest)))
	mux.Handle(protoconnect.NewDomainServiceHandler(domainService{s}, connect.WithReadMaxBytes(maxDomainRequest)))
	mux.Handle(protoconnect.NewMigrationServiceHandler(migrationService{s}, connect.WithReadMaxBytes(maxDomainRequest)))
	mux.Handle(protoconnect.NewAgentServiceHandler(agentService{s}, connect.WithReadMaxBytes(maxAgentRequest)))
	return limitTime(mux)
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

// Serve answers on l until ctx ends; then it ends the streams, and lets the
// requests that run come to their end. Meanwhile live sessions follow the policies
// that are applied.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := s.httpServer()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve on %s: %w", l.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		s.followPolicies(ctx)
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
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.Logger.Handler(), slog.LevelDebug),
		Protocols:         new(http.Protocols),
		HTTP2:             &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: lostTimeout, WriteByteTimeout: lostTimeout},
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	return srv
}
