// SPDX-License-Identifier: Apache-2.0

package peer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"mbchain/agentd/internal/peer"
	"mbchain/agentd/internal/peer/peertest"
	"mbchain/agentd/internal/session"
	"mbchain/chain"
)

// Hosts of a test are addresses of loopback: all of 127.0.0.0/8 is there.
const (
	left  = "127.0.0.11"
	right = "127.0.0.12"
)

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// host is a Node that runs.
type host struct {
	*peer.Node
	log    *logBuffer
	stop   func()
	killed atomic.Bool
}

// freePort returns a port that is free now.
func freePort(t *testing.T) uint16 {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

// start runs a host at an address until the test ends.
func start(t *testing.T, address string, port uint16, who *peertest.Host, serve func(context.Context, *peer.Stream)) *host {
	t.Helper()
	h := &host{log: new(logBuffer)}
	var err error
	h.Node, err = peer.Listen(peer.Config{
		Listen:   netip.AddrPortFrom(netip.MustParseAddr(address), port),
		Identity: who, ResetKey: sha256.Sum256([]byte(address)), Log: slog.New(slog.NewTextHandler(h.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.run(t, serve)
	return h
}

// kill is as SIGKILL is.
func (h *host) kill() {
	h.killed.Store(true)
	h.Kill()
}

// run serves until the test ends.
func (h *host) run(t *testing.T, serve func(context.Context, *peer.Stream)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx, serve) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !h.killed.Load() {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(h.stop)
}

// accepting answers every SYN, and ends the stream when there is an ACK.
func accepting(ctx context.Context, s *peer.Stream) {
	defer s.Reset()
	stop := context.AfterFunc(ctx, s.Reset)
	defer stop()
	if _, err := s.Receive(); err != nil {
		return
	}
	if s.Send(session.SynAck{Known: true}) != nil {
		return
	}
	if m, err := s.Receive(); err == nil && m == (session.Ack{}) {
		s.End()
	}
}

func syn(t testing.TB) session.Syn {
	t.Helper()
	tuple := func(s string) chain.FiveTuple {
		parsed, err := chain.ParseFiveTuple(s)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	return session.Syn{
		ID: chain.SessionID{1}, Super: tuple("10.0.0.1:40000 > 10.0.0.4:53 udp"),
		Wire: tuple("10.0.0.1:50001 > 10.0.0.2:50002 udp"), Within: time.Second,
	}
}

// limited returns a context that ends a test that hangs.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// setUp plays one set-up from the originator's side.
func setUp(t *testing.T, from *host, to string) error {
	t.Helper()
	s, err := from.Open(limited(t), netip.MustParseAddr(to))
	if err != nil {
		return err
	}
	defer s.Reset()
	if err := s.Send(syn(t)); err != nil {
		return err
	}
	if m, err := s.Receive(); err != nil || m != (session.SynAck{Known: true}) {
		return errors.Join(errors.New("no SYNACK"), err)
	}
	if err := s.Send(session.Ack{}); err != nil {
		return err
	}
	if _, err := s.Receive(); !errors.Is(err, io.EOF) {
		return errors.Join(errors.New("no end"), err)
	}
	s.End()
	return nil
}

func TestOneConnectionCarriesAllSetUps(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	b := start(t, right, port, ca.Issue(t, nil, right, "10.0.0.2", "fd00::2"), accepting)
	a := start(t, left, port, ca.Issue(t, nil, left, "10.0.0.1"), accepting)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := setUp(t, a, right); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := b.Connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	if reached, not := a.Reached(); reached != 1 || not != 0 {
		t.Errorf("%d reached and %d not, want 1 and 0", reached, not)
	}
	s, err := a.Open(limited(t), netip.MustParseAddr(right))
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Addr{netip.MustParseAddr(right), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")}
	if !slices.Equal(s.Addresses(), want) {
		t.Errorf("neighbour may speak for %v, want %v", s.Addresses(), want)
	}
	s.Reset()
	if text := a.log.String() + b.log.String(); text != "" {
		t.Errorf("log of a good day:\n%s", text)
	}
}

func TestIPv6(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	a := start(t, "::", port, ca.Issue(t, nil, "::1", "127.0.0.1"), accepting)
	for _, to := range []string{"::1", "127.0.0.1"} { // itself, by both families
		if err := setUp(t, a, to); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// Each of these must not get a single message through.
func TestStrangersAreRefused(t *testing.T) {
	expired := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	early := func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) }
	ca, other := peertest.NewCA(t), peertest.NewCA(t)
	tests := []struct {
		name        string
		left, right func(t *testing.T) *peertest.Host
		want        string // in the error of who dials; empty: any
		reason      string // that who answers counts; empty: it was not its to refuse
	}{
		{
			"who answers is of another domain",
			func(t *testing.T) *peertest.Host { return ca.Issue(t, nil, left) },
			func(t *testing.T) *peertest.Host { return other.Issue(t, nil, right) },
			"certificate signed by unknown authority", "",
		},
		{
			"who answers has another address",
			func(t *testing.T) *peertest.Host { return ca.Issue(t, nil, left) },
			func(t *testing.T) *peertest.Host { return ca.Issue(t, nil, "127.0.0.13") },
			"certificate is valid for 127.0.0.13, not 127.0.0.12", "",
		},
		{
			"who answers has an expired certificate",
			func(t *testing.T) *peertest.Host { return ca.Issue(t, nil, left) },
			func(t *testing.T) *peertest.Host { return ca.Issue(t, expired, right) },
			"certificate has expired or is not yet valid", "",
		},
		{
			"who asks has an expired certificate",
			func(t *testing.T) *peertest.Host { return ca.Issue(t, expired, left) },
			func(t *testing.T) *peertest.Host { return ca.Issue(t, nil, right) },
			"", "expired",
		},
		{
			"who asks has a certificate of tomorrow",
			func(t *testing.T) *peertest.Host { return ca.Issue(t, early, left) },
			func(t *testing.T) *peertest.Host { return ca.Issue(t, nil, right) },
			"", "expired",
		},
		{
			"who asks is of another domain, and trusts this one",
			func(t *testing.T) *peertest.Host {
				return other.Issue(t, nil, left).Trust(ca)
			},
			func(t *testing.T) *peertest.Host { return ca.Issue(t, nil, right) },
			"", "foreign",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			port := freePort(t)
			b := start(t, right, port, test.right(t), func(_ context.Context, s *peer.Stream) {
				defer s.Reset()
				if m, err := s.Receive(); err == nil {
					t.Errorf("got %v of a stranger", m)
				}
			})
			a := start(t, left, port, test.left(t), accepting)
			err := setUp(t, a, right)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("set-up: %v, want %s", err, test.want)
			}
			if test.reason != "" && b.Refusals()[test.reason] == 0 {
				t.Errorf("%s is not counted: %v", test.reason, b.Refusals())
			}
		})
	}
}

// Who brings no certificate, or an old protocol, gets no stream.
func TestClientsMustShowACertificate(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	who := ca.Issue(t, nil, right)
	start(t, right, port, who, func(_ context.Context, s *peer.Stream) {
		t.Error("a stream of a stranger")
		s.Reset()
	})
	b, err := who.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	roots := b.Pool()
	for name, config := range map[string]*tls.Config{
		"no certificate": {RootCAs: roots, NextProtos: []string{"mbchain/1"}},
		"other protocol": {RootCAs: roots, NextProtos: []string{"h3"}},
	} {
		t.Run(name, func(t *testing.T) {
			to := netip.AddrPortFrom(netip.MustParseAddr(right), port)
			conn, err := quic.DialAddr(limited(t), to.String(), config, nil)
			if err != nil {
				return // refused in the handshake
			}
			defer func() { _ = conn.CloseWithError(0, "") }()
			s, err := conn.OpenStream()
			if err == nil {
				_, _ = s.Write([]byte{0, 4, 8, 1, 0x22, 0})
				_, err = io.ReadAll(s)
			}
			if err == nil {
				t.Error("the stranger was served")
			}
		})
	}
}

// Plaintext, and QUIC of nobody, change nothing for others.
func TestJunkIsPassedOver(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	start(t, right, port, ca.Issue(t, nil, right), accepting)
	a := start(t, left, port, ca.Issue(t, nil, left), accepting)
	junk, err := net.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr(right), port).String())
	if err != nil {
		t.Fatal(err)
	}
	defer junk.Close()
	for i := range 2000 {
		b := bytes.Repeat([]byte{byte(i)}, 1+i%1300)
		if _, err := junk.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := setUp(t, a, right); err != nil {
		t.Error(err)
	}
}

func TestMalformedMessageIsAnError(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	got := make(chan error, 1)
	start(t, right, port, ca.Issue(t, nil, right), func(_ context.Context, s *peer.Stream) {
		defer s.Reset()
		_, err := s.Receive()
		got <- err
	})
	a := start(t, left, port, ca.Issue(t, nil, left), accepting)
	s, err := a.Open(limited(t), netip.MustParseAddr(right))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Reset()
	wrong := syn(t)
	wrong.ID = chain.SessionID{}
	if err := s.Send(wrong); err != nil {
		t.Fatal(err)
	}
	if err := <-got; !errors.Is(err, peer.ErrMalformed) {
		t.Errorf("receive: %v, want %v", err, peer.ErrMalformed)
	}
	if _, err := s.Receive(); err == nil || errors.Is(err, io.EOF) || s.Lost(err) {
		t.Errorf("receive on a stream that was reset: %v, connection lost: %t", err, s.Lost(err))
	}
}

// A neighbour that reads nothing, and one that says nothing, cost their limits
// and no more.
func TestSlowNeighbours(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	start(t, right, port, ca.Issue(t, nil, right), func(ctx context.Context, s *peer.Stream) {
		<-ctx.Done()
		s.Reset()
	})
	a := start(t, left, port, ca.Issue(t, nil, left), accepting)
	s, err := a.Open(limited(t), netip.MustParseAddr(right))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Reset()
	for range 1000 { // more than the window
		if err = s.Send(syn(t)); err != nil {
			break
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("send to who reads nothing: %v, want a deadline", err)
	}
	s.Deadline(time.Now().Add(20 * time.Millisecond))
	if _, err := s.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("receive: %v, want a deadline", err)
	}
}

// A host that was started anew is reached again at once: what was asked of it
// meanwhile fails at once, not after a time limit, and is asked again.
func TestNeighbourIsReachedAgain(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	who := ca.Issue(t, nil, right)
	b := start(t, right, port, who, accepting)
	a := start(t, left, port, ca.Issue(t, nil, left), accepting)
	if err := setUp(t, a, right); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b.stop()
		b = start(t, right, port, who, accepting)
		began := time.Now()
		err := setUp(t, a, right)
		if err != nil {
			err = setUp(t, a, right)
		}
		if took := time.Since(began); err != nil || took > 5*time.Second {
			t.Errorf("after a new start: %v, it took %v", err, took)
		}
	}
}

// One that was killed says no more. The next one, whatever its certificate, says so in its
// place as soon as it is spoken to.
func TestNeighbourThatWasKilledIsReachedAgain(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	b := start(t, right, port, ca.Issue(t, nil, right), accepting)
	a := start(t, left, port, ca.Issue(t, nil, left), accepting)
	if err := setUp(t, a, right); err != nil {
		t.Fatal(err)
	}
	b.kill()
	start(t, right, port, ca.Issue(t, nil, right), accepting)
	began := time.Now()
	err := setUp(t, a, right)
	if err != nil {
		err = setUp(t, a, right)
	}
	if took := time.Since(began); err != nil || took > 5*time.Second {
		t.Errorf("after a new start: %v, it took %v", err, took)
	}
}

// A stream whose neighbour goes in the middle is lost, and says so.
func TestNeighbourGoesInTheMiddle(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	asked := make(chan bool)
	b := start(t, right, port, ca.Issue(t, nil, right), func(ctx context.Context, s *peer.Stream) {
		if _, err := s.Receive(); err == nil {
			close(asked)
		}
		<-ctx.Done()
	})
	a := start(t, left, port, ca.Issue(t, nil, left), accepting)
	s, err := a.Open(limited(t), netip.MustParseAddr(right))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Reset()
	if err := s.Send(syn(t)); err != nil {
		t.Fatal(err)
	}
	<-asked
	b.stop()
	s.Deadline(time.Now().Add(10 * time.Second))
	if m, err := s.Receive(); !s.Lost(err) {
		t.Errorf("receive: %v, %v, want a lost connection", m, err)
	}
}

// While a host is away each attempt fails soon, and the log says it once.
func TestHostThatIsAway(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	a := start(t, left, port, ca.Issue(t, nil, left), accepting)
	began := time.Now()
	first := setUp(t, a, right)
	if first == nil {
		t.Fatal("nobody was reached")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v to find out", took)
	}
	began = time.Now()
	if err := setUp(t, a, right); err == nil || time.Since(began) > time.Second {
		t.Errorf("second attempt after %v: %v", time.Since(began), err)
	}
	if n := strings.Count(a.log.String(), "neighbour not reached"); n != 1 {
		t.Errorf("said %d times:\n%s", n, a.log)
	}
	if reached, not := a.Reached(); reached != 0 || not != 1 {
		t.Errorf("%d reached and %d not, want 0 and 1", reached, not)
	}
	start(t, right, port, ca.Issue(t, nil, right), accepting)
	for deadline := time.Now().Add(20 * time.Second); setUp(t, a, right) != nil; {
		if time.Now().After(deadline) {
			t.Fatal("the host came and was not reached again")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if !strings.Contains(a.log.String(), "neighbour reached again") {
		t.Errorf("not said that it is back:\n%s", a.log)
	}
}

// A trial is about now: a connection that was open before says nothing of a host whose
// agent has been killed since, and nothing is left of one that went well.
func TestTry(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	a := start(t, left, port, ca.Issue(t, nil, left), accepting)
	b := start(t, right, port, ca.Issue(t, nil, right), accepting)
	to := netip.MustParseAddr(right)
	for range 20 { // more than one certificate may have open
		if err := a.Try(limited(t), to); err != nil {
			t.Fatalf("try: %v", err)
		}
		for deadline := time.Now().Add(10 * time.Second); b.Connections() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d connections are left of a trial", b.Connections())
			}
		}
	}
	if err := a.Reach(limited(t), to); err != nil {
		t.Fatal(err)
	}
	b.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := a.Try(ctx, to); err == nil {
		t.Error("a host whose agent has stopped was reached")
	}

	start(t, right, port, peertest.NewCA(t).Issue(t, nil, right), accepting)
	if err := a.Try(limited(t), to); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("try a host of another domain: %v, want a word about its certificate", err)
	}
}

func TestRenewedCertificateIsUsed(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	who := ca.Issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, right)
	start(t, right, port, who, accepting)
	a := start(t, left, port, ca.Issue(t, nil, left), accepting)
	if err := setUp(t, a, right); err == nil {
		t.Fatal("an expired certificate was taken")
	}
	who.Set(ca.Issue(t, nil, right))
	for deadline := time.Now().Add(20 * time.Second); setUp(t, a, right) != nil; {
		if time.Now().After(deadline) {
			t.Fatal("the renewed certificate is not used")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A host whose certificate is revoked loses its connections, both ways, and gets no
// new ones.
func TestRevokedHostIsCutOff(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	b := start(t, right, port, ca.Issue(t, nil, right), accepting)
	a := start(t, left, port, ca.Issue(t, nil, left), accepting)
	if err := setUp(t, a, right); err != nil {
		t.Fatal(err)
	}
	s, err := a.Open(limited(t), netip.MustParseAddr(right))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Reset()
	b.Revoke(map[string]uint32{"mb1": 2})
	if _, err := s.Receive(); err == nil {
		t.Error("the stream goes on")
	}
	if err := setUp(t, a, right); err == nil {
		t.Error("a revoked host was served")
	}
	for deadline := time.Now().Add(20 * time.Second); b.Refusals()["revoked"] == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not counted: %v", b.Refusals())
		}
	}
	if !strings.Contains(b.log.String(), "reason=revoked") {
		t.Errorf("log:\n%s", b.log)
	}
	// The other way round: who was told does not ask it either.
	b.Revoke(nil)
	a.Revoke(map[string]uint32{"mb1": 2})
	if err := setUp(t, a, right); err == nil {
		t.Error("a revoked host was asked")
	}
}

// People and policy servers have certificates of the same CA, and are no hosts.
func TestOnlyHostsArePeers(t *testing.T) {
	ca := peertest.NewCA(t)
	operator := func(c *x509.Certificate) { c.URIs[0].Host = "operator" }
	nameless := func(c *x509.Certificate) { c.URIs = nil }
	tests := []struct {
		name        string
		left, right func(*x509.Certificate)
	}{
		{"an operator asks", operator, nil}, {"an operator answers", nil, operator},
		{"nobody asks", nameless, nil}, {"nobody answers", nil, nameless},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			port := freePort(t)
			start(t, right, port, ca.Issue(t, test.right, right), func(_ context.Context, s *peer.Stream) {
				defer s.Reset()
				if m, err := s.Receive(); err == nil {
					t.Errorf("got %v", m)
				}
			})
			if err := setUp(t, start(t, left, port, ca.Issue(t, test.left, left), accepting), right); err == nil {
				t.Error("it was taken for a host")
			}
		})
	}
}

func TestListenSaysWhatIsWrong(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	a := start(t, left, port, ca.Issue(t, nil, left), accepting)
	_, err := peer.Listen(peer.Config{Listen: a.Addr(), Identity: ca.Issue(t, nil, left), Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "listen for other hosts: ") || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("listen where somebody does: %v", err)
	}
}
