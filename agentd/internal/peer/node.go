// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/sys/unix"

	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
	"mbchain/identity"
)

const (
	// idleTime is how long a connection lives without a packet, and
	// keepAlive how often who dialled sends one. A host that was started anew
	// says so at once; this is for one that is gone.
	idleTime  = 15 * time.Second
	keepAlive = 5 * time.Second
	// maxStreams is how many set-ups a neighbour may have under way.
	maxStreams = 1024
	// maxTold is how many messages of migrations it may have under way.
	maxTold = 256
	// hearTime is how long such a message may take to come.
	hearTime = 2 * time.Second
	// maxConns is how many connections one certificate may have open here: one
	// is enough, and one more for each time that a host lost it.
	maxConns = 8
	// streamWindow has room for a few messages, connWindow for those of many
	// streams.
	streamWindow = 2 * (maxMessage + lengthSize)
	connWindow   = 1 << 20
	// sweepInterval is how often unused connections are looked for.
	sweepInterval = time.Minute
)

// codeOver is in the end of a connection, whose text says why.
const codeOver quic.ApplicationErrorCode = 0

// Config says what a [Node] is.
type Config struct {
	// Listen is where other hosts reach this one, and its port where this
	// one reaches them. [::] is every address of both families.
	Listen netip.AddrPort
	// Identity is who this host is, and whom it trusts.
	Identity identity.Source
	// ResetKey is a secret that is the same at each start of this host, and so lets
	// others find out at once that it was started anew.
	ResetKey [32]byte
	// Priority is the SO_PRIORITY of the socket; 0: as it is.
	Priority int
	// Hear is called with each message of a migration that comes, and the
	// addresses that its sender may speak for; by several goroutines. Nil: none is
	// taken.
	Hear func(from []netip.Addr, id lock.ID, m migrate.Message)
	// Lost is called when a connection that this node opened to a host is lost: what
	// was told may not have come. Nil: nobody wants to know.
	Lost func(host netip.Addr)
	Log  *slog.Logger
}

// A Node is one host among its neighbours.
type Node struct {
	config    Config
	port      uint16
	socket    net.PacketConn
	transport *quic.Transport
	listener  *quic.Listener
	pool      *pool

	mu    sync.Mutex
	conns map[string]int          // by certificate
	live  map[*quic.Conn]struct{} // that others opened

	epochs   map[string]uint32 // from which on certificates are valid, by host
	refusals map[string]uint64 // by reason
	told     map[string]time.Time
}

// Listen opens the node's socket.
func Listen(config Config) (*Node, error) {
	// Marks for ECN that quic-go sends would take the socket's priority away:
	// Linux derives one from them.
	if err := os.Setenv("QUIC_GO_DISABLE_ECN", "true"); err != nil {
		return nil, err
	}
	// It would write to standard error, and small messages need no more.
	if err := os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true"); err != nil {
		return nil, err
	}
	socket, err := bind(config)
	if err != nil {
		return nil, fmt.Errorf("listen for other hosts: %w", err)
	}
	n := &Node{config: config, socket: socket, conns: make(map[string]int),
		live: make(map[*quic.Conn]struct{}), refusals: make(map[string]uint64), told: make(map[string]time.Time)}
	n.port = socket.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	n.pool = &pool{dial: n.dial, lost: config.Lost, log: config.Log, links: make(map[netip.Addr]*link)}
	key := quic.StatelessResetKey(config.ResetKey)
	n.transport = &quic.Transport{
		Conn: socket, StatelessResetKey: &key,
		// A source address that is forged gets one small packet, and no more.
		VerifySourceAddress: func(net.Addr) bool { return true },
	}
	told := int64(-1)
	if config.Hear != nil {
		told = maxTold
	}
	n.listener, err = n.transport.Listen(n.server(), quicConfig(maxStreams, told, 0))
	if err != nil {
		_ = socket.Close()
		return nil, fmt.Errorf("listen for other hosts: %w", err)
	}
	return n, nil
}

func bind(config Config) (net.PacketConn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		err := setPriority(c, config.Priority)
		if errors.Is(err, unix.EPERM) {
			config.Log.Warn("not permitted to mark what agents say: a policy that matches it takes it for traffic", "error", err)
			return nil
		}
		return err
	}}
	socket, err := lc.ListenPacket(context.Background(), "udp", config.Listen.String())
	if errors.Is(err, unix.EAFNOSUPPORT) && config.Listen.Addr() == netip.IPv6Unspecified() {
		// A host without IPv6.
		any4 := netip.AddrPortFrom(netip.IPv4Unspecified(), config.Listen.Port())
		return lc.ListenPacket(context.Background(), "udp", any4.String())
	}
	return socket, err
}

func setPriority(c syscall.RawConn, priority int) error {
	if priority == 0 {
		return nil
	}
	var err error
	if lost := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PRIORITY, priority)
	}); lost != nil {
		return lost
	}
	return os.NewSyscallError("setsockopt SO_PRIORITY", err)
}

// quicConfig lets the other end open so many streams, and so many that go one way.
func quicConfig(streams, told int64, keepAlive time.Duration) *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout: dialTime, MaxIdleTimeout: idleTime, KeepAlivePeriod: keepAlive,
		MaxIncomingStreams: streams, MaxIncomingUniStreams: told,
		InitialStreamReceiveWindow: streamWindow, MaxStreamReceiveWindow: streamWindow,
		InitialConnectionReceiveWindow: connWindow, MaxConnectionReceiveWindow: connWindow,
		// The messages are short.
		DisablePathMTUDiscovery: true,
	}
}

// Addr returns where the node listens.
func (n *Node) Addr() netip.AddrPort { return n.socket.LocalAddr().(*net.UDPAddr).AddrPort() }

// Open opens a stream to the host that has an address.
func (n *Node) Open(ctx context.Context, host netip.Addr) (*Stream, error) {
	var s *Stream
	err := n.open(ctx, host, func(conn *quic.Conn) error {
		stream, err := conn.OpenStreamSync(ctx)
		if err == nil {
			s = newStream(conn, stream)
		}
		return err
	})
	return s, err
}

// Reach opens a connection to a host that will soon be spoken to, unless there is one.
func (n *Node) Reach(ctx context.Context, host netip.Addr) error {
	_, err := n.pool.get(ctx, host)
	return err
}

// Try opens a connection of its own to a host, and closes it: it tells whether both
// agents reach and take each other now.
func (n *Node) Try(ctx context.Context, host netip.Addr) error {
	conn, err := n.dial(ctx, host)
	if err != nil {
		return err
	}
	return conn.CloseWithError(codeOver, "it was a trial")
}

// Tell sends the host that has an address one message of a migration. An error
// means that it may not have come; nobody sends it again, for by then another agent
// may be there, that has forgotten what it would have to know.
func (n *Node) Tell(ctx context.Context, host netip.Addr, id lock.ID, m migrate.Message) error {
	var s *quic.SendStream
	if err := n.open(ctx, host, func(conn *quic.Conn) (err error) {
		s, err = conn.OpenUniStreamSync(ctx)
		return err
	}); err != nil {
		return err
	}
	_ = s.SetWriteDeadline(time.Now().Add(sendTime))
	err := writeMigration(s, id, m)
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		s.CancelWrite(codeUndone)
		return fmt.Errorf("send %v to %v: %w", m, host, err)
	}
	return nil
}

// open calls begin with a connection to a host, and once more with another one if
// that was lost unnoticed.
func (n *Node) open(ctx context.Context, host netip.Addr, begin func(*quic.Conn) error) error {
	for tried := false; ; tried = true {
		conn, err := n.pool.get(ctx, host)
		if err != nil {
			return err
		}
		if err = begin(conn); err == nil {
			return nil
		}
		if isLost(err) { // its streams hear of that before its context does
			select {
			case <-conn.Context().Done():
			case <-ctx.Done():
			}
		}
		if tried || ctx.Err() != nil || conn.Context().Err() == nil {
			return fmt.Errorf("open stream to %v: %w", host, err)
		}
	}
}

func newStream(conn *quic.Conn, s *quic.Stream) *Stream {
	return &Stream{stream: s, addresses: identity.AddressesOf(conn.ConnectionState().TLS.PeerCertificates[0])}
}

func (n *Node) dial(ctx context.Context, host netip.Addr) (*quic.Conn, error) {
	config, err := n.client(host)
	if err != nil {
		return nil, err
	}
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, n.port))
	conn, err := n.transport.Dial(ctx, to, config, quicConfig(-1, -1, keepAlive))
	if err != nil {
		return nil, err
	}
	if err := n.valid(conn.ConnectionState().TLS.PeerCertificates[0]); err != nil { // since the handshake
		_ = conn.CloseWithError(codeOver, "the certificate was revoked")
		return nil, err
	}
	return conn, nil
}

// Run hands every stream that another host opens to serve, in a goroutine of
// its own, until ctx is done. Then it waits for them, and closes the socket. A
// stream is serve's to end or reset.
func (n *Node) Run(ctx context.Context, serve func(ctx context.Context, s *Stream)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { n.sweep(ctx) })
	var err error
	for {
		var conn *quic.Conn
		if conn, err = n.listener.Accept(ctx); err != nil {
			break
		}
		wg.Go(func() { n.accept(ctx, conn, serve) })
	}
	if ctx.Err() != nil {
		err = nil
	}
	cancel()
	wg.Wait()
	n.Close()
	return err
}

// Close closes the node's connections and its socket. Run does so too.
func (n *Node) Close() {
	n.pool.close()
	_ = n.listener.Close()
	_ = n.transport.Close()
	n.pool.wait()
	_ = n.socket.Close()
}

// accept serves a connection until it is lost or ctx is done.
func (n *Node) accept(ctx context.Context, conn *quic.Conn, serve func(context.Context, *Stream)) {
	cert := conn.ConnectionState().TLS.PeerCertificates[0]
	if !n.admit(string(cert.Raw)) {
		_ = conn.CloseWithError(codeOver, "too many connections of this host")
		return
	}
	defer n.dismiss(string(cert.Raw))
	defer n.left(conn)
	if err := n.entered(conn); err != nil {
		_ = conn.CloseWithError(codeOver, "the certificate was revoked")
		return
	}
	ctx, cancel := context.WithDeadline(ctx, cert.NotAfter)
	defer cancel()
	var wg sync.WaitGroup
	if n.config.Hear != nil {
		wg.Go(func() { n.hear(ctx, conn) })
	}
	for {
		s, err := conn.AcceptStream(ctx)
		if err != nil {
			break
		}
		wg.Go(func() { serve(ctx, newStream(conn, s)) })
	}
	wg.Wait()
	_ = conn.CloseWithError(codeOver, "agentd stops, or the certificate expired")
}

// hear takes messages of migrations until the connection is lost or ctx is done.
func (n *Node) hear(ctx context.Context, conn *quic.Conn) {
	from := identity.AddressesOf(conn.ConnectionState().TLS.PeerCertificates[0])
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		s, err := conn.AcceptUniStream(ctx)
		if err != nil {
			return
		}
		wg.Go(func() {
			_ = s.SetReadDeadline(time.Now().Add(hearTime))
			id, m, err := readMigration(s)
			if err != nil {
				s.CancelRead(codeUndone)
				n.config.Log.Warn("message of a migration not read", "peer", from, "error", err)
				return
			}
			n.config.Hear(from, id, m)
		})
	}
}

func (n *Node) admit(cert string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conns[cert] >= maxConns {
		return false
	}
	n.conns[cert]++
	return true
}

func (n *Node) dismiss(cert string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conns[cert]--; n.conns[cert] == 0 {
		delete(n.conns, cert)
	}
}

// Connections returns how many other hosts have opened.
func (n *Node) Connections() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum := 0
	for _, c := range n.conns {
		sum += c
	}
	return sum
}

func (n *Node) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			n.pool.sweep(now)
		}
	}
}
