// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mbchain/chain"
	"mbchain/genl"
)

// answerer sends every datagram back to where it came from.
type answerer struct {
	conn *net.UDPConn
	done chan struct{}

	mu   sync.Mutex
	seen []netip.AddrPort // where each came from
}

func (h *host) answer(t *testing.T, port uint16) *answerer {
	t.Helper()
	a := &answerer{conn: h.datagrams(t, port, nil), done: make(chan struct{})}
	go func() {
		defer close(a.done)
		buffer := make([]byte, 1<<16)
		for {
			n, from, err := a.conn.ReadFromUDPAddrPort(buffer)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue // an ICMP error about an answer
			}
			a.mu.Lock()
			a.seen = append(a.seen, from)
			a.mu.Unlock()
			_, _ = a.conn.WriteToUDPAddrPort(buffer[:n], from)
		}
	}()
	t.Cleanup(func() {
		_ = a.conn.Close()
		<-a.done
	})
	return a
}

// from returns where datagrams have come from so far.
func (a *answerer) from() []netip.AddrPort {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.seen)
}

// datagrams opens a socket on h, set up by an option of the system; port 0 is
// any.
func (h *host) datagrams(t *testing.T, port uint16, option func(fd int) error) *net.UDPConn {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			if option != nil {
				failed = option(int(fd))
			}
		})
		return errors.Join(err, failed)
	}}
	c, err := within(h, func() (net.PacketConn, error) {
		return config.ListenPacket(context.Background(), "udp", h.port(port).String())
	})
	if err != nil {
		t.Fatalf("open socket on %s: %v", h.name, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.UDPConn)
}

// muteDatagrams sets a session with the server up, which neither answers from then on
// nor complains.
func (r *rig) muteDatagrams(t *testing.T, port uint16) *net.UDPConn {
	t.Helper()
	a := r.server().answer(t, port)
	u := r.client().datagrams(t, 0, nil)
	if err := exchange(u, r.server().port(port), 10); err != nil {
		t.Fatal(err)
	}
	_ = a.conn.Close()
	<-a.done
	r.server().datagrams(t, port, nil)
	return u
}

// exchange sends a datagram of n bytes and wants it back.
func exchange(c *net.UDPConn, to netip.AddrPort, n int) error {
	data, got := make([]byte, n), make([]byte, 1<<16)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	if err := c.SetDeadline(time.Now().Add(soon)); err != nil {
		return err
	}
	if _, err := c.WriteToUDPAddrPort(data, to); err != nil {
		return fmt.Errorf("send %d bytes: %w", n, err)
	}
	m, from, err := c.ReadFromUDPAddrPort(got)
	if err != nil {
		return fmt.Errorf("receive answer to %d bytes: %w", n, err)
	}
	if from != to || !bytes.Equal(got[:m], data) {
		return fmt.Errorf("%d bytes from %v, want those %d that went to %v", m, from, n, to)
	}
	return nil
}

// udpSuper is the five-tuple of what a socket sends.
func udpSuper(c *net.UDPConn, to netip.AddrPort) chain.FiveTuple {
	return chain.FiveTuple{
		Source:      c.LocalAddr().(*net.UDPAddr).AddrPort(),
		Destination: to, Protocol: chain.ProtocolUDP,
	}
}

// A datagram that a rule matches waits for the agents and goes through the
// chain, as do all that follow, whatever their size and checksum, and their
// answers.
func TestDatagrams(t *testing.T) { eachFamily(t, testDatagrams) }

func testDatagrams(t *testing.T, f family) {
	r := newRigOf(t, f, 2)
	client, server := r.client(), r.server()
	r.load(t, "match(proto=udp & dstport=5001) >> {mb1 -> mb2}\n")
	r.agentsOn(t, r.hosts...)
	a := server.answer(t, 5001)
	to := server.port(5001)

	options := map[string]func(fd int) error{
		"plain":       nil,
		"no checksum": func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1) },
	}
	if f.number == ipv6.number {
		delete(options, "no checksum") // there is no such thing
	}
	for name, option := range options {
		t.Run(name, func(t *testing.T) {
			before := client.counters(t)
			c := client.datagrams(t, 0, option)
			for _, n := range []int{0, 1, 2, 17, 1000, 1452, 1473, 5000, 60000} {
				if err := exchange(c, to, n); err != nil {
					t.Fatal(err)
				}
			}
			s := client.session(t, udpSuper(c, to))
			r.chained(t, s, r.hosts...)
			if s.Setup != chain.SetupDone || s.State != chain.StateEstablished {
				t.Errorf("the session is %v and %v, want it set up out-of-band and established", s.Setup, s.State)
			}
			if got := client.counters(t).since(before); got["held"] != 1 || got["setup_done"] != 1 || got["blocked"] != 0 {
				t.Errorf("counters rose by %v, want one packet held, one session set up", got)
			}
			for _, from := range a.from() {
				if from.Addr() != client.addr {
					t.Errorf("the server saw a datagram from %v, want all from %v", from, client.addr)
				}
			}
		})
	}
	t.Run("segmented by the kernel", func(t *testing.T) {
		const size, n = 1000, 8
		c := client.datagrams(t, 0, func(fd int) error {
			return unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT, size)
		})
		served := len(a.from())
		if _, err := c.WriteToUDPAddrPort(make([]byte, size*n), to); err != nil {
			t.Fatal(err)
		}
		eventually(t, soon, func() error {
			if got := len(a.from()) - served; got != n {
				return fmt.Errorf("%d datagrams came, want %d", got, n)
			}
			return nil
		})
	})
}

// What no rule chains passes as it is, and so does what a program with the
// agents' privilege says.
func TestDatagramsUnmatched(t *testing.T) { eachFamily(t, testDatagramsUnmatched) }

func testDatagramsUnmatched(t *testing.T, f family) {
	r := newRigOf(t, f, 1)
	client, server := r.client(), r.server()
	r.load(t, "match(proto=udp & dstport=5001) >> {mb1}\n")
	server.answer(t, 5001)
	server.answer(t, 5002)
	before := client.counters(t)
	c := client.datagrams(t, 0, nil)
	for range 10 {
		if err := exchange(c, server.port(5002), 100); err != nil {
			t.Fatal(err)
		}
	}
	c = client.datagrams(t, 0, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, genl.ControlPriority)
	})
	if err := exchange(c, server.port(5001), 100); err != nil {
		t.Error(err)
	}
	if got := client.counters(t).since(before); len(got) != 0 {
		t.Errorf("counters rose by %v, want none", got)
	}
}

// Without an agent a rule's on-failure decides at once; with one that does not
// do its work, when its time is over; and the queue of what waits is bounded.
func TestDatagramsWithoutAgents(t *testing.T) { eachFamily(t, testDatagramsWithoutAgents) }

func testDatagramsWithoutAgents(t *testing.T, f family) {
	r := newRigOf(t, f, 1)
	client, server := r.client(), r.server()
	r.load(t, `
		match(proto=udp & dstport=5001) >> {mb1}
		match(proto=udp & dstport=5002) >> {mb1} on-failure bypass
	`)
	blocked := server.answer(t, 5001)
	server.answer(t, 5002)
	client.configure(t, genl.Config{SetupTimeout: time.Duration(slow) * 200 * time.Millisecond})
	silent := func(c *net.UDPConn) error {
		_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		if _, _, err := c.ReadFromUDPAddrPort(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("receive: %v, want nothing to come", err)
		}
		return nil
	}

	t.Run("none", func(t *testing.T) {
		before := client.counters(t)
		c := client.datagrams(t, 0, nil)
		for range 3 {
			if _, err := c.WriteToUDPAddrPort([]byte("lost"), server.port(5001)); err != nil && !errors.Is(err, syscall.EPERM) {
				t.Fatal(err)
			}
		}
		if err := exchange(client.datagrams(t, 0, nil), server.port(5002), 10); err != nil {
			t.Error(err)
		}
		if got := client.counters(t).since(before); got["no_listener"] != 2 || got["blocked"] != 3 || got["bypassed"] != 1 || got["setup_waited"] != 0 {
			t.Errorf("counters rose by %v, want no_listener by 2, blocked by 3, bypassed by 1, nobody asked", got)
		}
	})

	idle, err := within(client, client.module.SubscribeSetup)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = idle.Close() }()
	t.Run("idle, block", func(t *testing.T) {
		before := client.counters(t)
		c := client.datagrams(t, 0, nil)
		for range 100 {
			if _, err := c.WriteToUDPAddrPort([]byte("lost"), server.port(5001)); err != nil && !errors.Is(err, syscall.EPERM) {
				t.Fatal(err)
			}
		}
		client.awaitCounter(t, before, genl.ReasonNoAnswer, 1)
		if err := silent(c); err != nil {
			t.Error(err)
		}
		if got := client.counters(t).since(before); got["held"] != 64 || got["hold_full"] != 36 || got["blocked"] != 64 {
			t.Errorf("counters rose by %v, want 64 packets held and then blocked, 36 refused", got)
		}
		if n := len(blocked.from()); n != 0 {
			t.Errorf("%d datagrams came to the server, want none", n)
		}
	})
	t.Run("idle, bypass", func(t *testing.T) {
		before := client.counters(t)
		c := client.datagrams(t, 0, nil)
		for range 3 {
			if err := exchange(c, server.port(5002), 100); err != nil {
				t.Fatal(err)
			}
		}
		if got := client.counters(t).since(before); got["held"] != 1 || got["no_answer"] != 1 || got["bypassed"] != 3 {
			t.Errorf("counters rose by %v, want one packet held, three bypassed", got)
		}
		if s := client.session(t, udpSuper(c, server.port(5002))); s.Setup != chain.SetupBypassed {
			t.Errorf("the session is %v, want bypassed", s.Setup)
		}
	})
}

// A question and its answer are forgotten sooner than a stream.
func TestDatagramSessionsEnd(t *testing.T) {
	r := newRig(t, 1)
	client, server := r.client(), r.server()
	r.load(t, "match(proto=udp & dstport=5001) >> {mb1}\n")
	r.agentsOn(t, r.hosts...)
	server.answer(t, 5001)
	for _, h := range r.hosts {
		h.configure(t, genl.Config{UDPTimeout: time.Second, UDPStreamTimeout: time.Hour})
	}
	question := client.datagrams(t, 0, nil)
	stream := client.datagrams(t, 0, nil)
	if err := exchange(question, server.port(5001), 100); err != nil {
		t.Fatal(err)
	}
	began := client.session(t, udpSuper(question, server.port(5001)))
	if began.Setup != chain.SetupDone {
		t.Errorf("the session is %v, want it set up", began.Setup)
	}
	eventually(t, soon, func() error {
		if err := exchange(stream, server.port(5001), 100); err != nil {
			t.Fatal(err)
		}
		if s := client.session(t, udpSuper(stream, server.port(5001))); s.Age < 3*time.Second {
			return fmt.Errorf("the stream lasts %v, want 3 s", s.Age)
		}
		return nil
	})
	awaitSessions(t, 1, r.hosts...)
	if s := client.session(t, udpSuper(stream, server.port(5001))); s.State != chain.StateEstablished {
		t.Errorf("the stream is %v, want established", s.State)
	}
}

// A neighbour that swallows SYNs with payload is found out, remembered, and
// reached out-of-band.
func TestSwallowedSYNs(t *testing.T) { eachFamily(t, testSwallowedSYNs) }

func testSwallowedSYNs(t *testing.T, f family) {
	t.Run("before the first middlebox", func(t *testing.T) { swallowSYNs(t, f, 1) })
	t.Run("before the server", func(t *testing.T) { swallowSYNs(t, f, 3) })
}

// swallow drops SYNs with payload that come to a host from its left.
func swallow(t *testing.T, h *host, f family) {
	t.Helper()
	// The headers of a SYN take 60 or 80 bytes.
	h.nft(t, "netdev swallow", fmt.Sprintf(`chain in {
		type filter hook ingress device "left" priority 0;
		meta l4proto tcp tcp flags & (syn | ack) == syn meta length > %d drop
	}`, f.header+40))
}

// swallowSYNs drops SYNs with payload in front of a host of a rig.
func swallowSYNs(t *testing.T, f family, gap int) {
	r := newRigOf(t, f, 2)
	client, server := r.client(), r.server()
	left, right := r.hosts[gap-1], r.hosts[gap]
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n")
	r.agentsOn(t, r.hosts...)
	e := server.echo(t, 5001)
	swallow(t, right, f)

	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 100_000)
	r.chained(t, client.session(t, superOf(c)), r.hosts...)
	if !e.has(superOf(c).Source) {
		t.Errorf("the server does not know the client as %v", superOf(c).Source)
	}
	for _, h := range r.hosts {
		peers, err := h.module.Peers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		remembered := slices.ContainsFunc(peers, func(p genl.Peer) bool { return p.Addr == right.addr })
		if remembered != (h == left) || len(peers) > 1 {
			t.Errorf("%s remembers %v, want %v remembered by %s alone", h.name, peers, right.addr, left.name)
		}
	}

	before := left.counters(t)
	talk(t, client.connect(t, 0, server.port(5001)), 100_000)
	if got := left.counters(t).since(before); got["setup_waited"] != 1 || got["setup_done"] != 1 {
		t.Errorf("counters of %s rose by %v, want the second session set up by agents", left.name, got)
	}
}
