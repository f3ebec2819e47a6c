// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mbchain/chain"
	"mbchain/genl"
)

// fragments takes a packet apart at these offsets behind its IP header,
// multiples of 8. What a piece has can be longer than up to the next one.
func (p packet) fragments(id uint16, longer int, at ...int) (pieces []packet) {
	body := p[p.headerLen():]
	starts := append([]int{0}, at...)
	for i, start := range starts {
		end, more := len(body), i < len(starts)-1
		if more {
			end = min(starts[i+1]+longer, len(body))
		}
		pieces = append(pieces, p.fragment(id, start, more, body[start:end]))
	}
	return pieces
}

func (p packet) fragment(id uint16, offset int, more bool, body []byte) packet {
	if !p.isIPv6() {
		f := append(p[:ipv4HeaderLen:ipv4HeaderLen], body...)
		binary.BigEndian.PutUint16(f[4:], id)
		binary.BigEndian.PutUint16(f[6:], uint16(offset/8))
		if more {
			f[6] |= 0x20
		}
		return f.withLength(len(f))
	}
	head := make([]byte, 8)
	head[0] = p[6]
	binary.BigEndian.PutUint16(head[2:], uint16(offset))
	if more {
		head[3] |= 1
	}
	binary.BigEndian.PutUint32(head[4:], uint32(id))
	f := append(p[:ipv6HeaderLen:ipv6HeaderLen], append(head, body...)...)
	f[6] = unix.IPPROTO_FRAGMENT
	return f.withLength(len(f))
}

// isFragment says whether a packet is one.
func (p packet) isFragment() bool {
	if p.isIPv6() {
		return p.protocol() == unix.IPPROTO_FRAGMENT
	}
	return binary.BigEndian.Uint16(p[6:])&0x3fff != 0
}

// forged is a connection whose client's segments a test makes itself, as they
// are on the first link.
type forged struct {
	*rig
	server   net.Conn
	wire     chain.FiveTuple
	seq, ack uint32
	id       uint16
}

// forge opens a connection through the chain.
func forge(t *testing.T, r *rig) *forged {
	t.Helper()
	const port = 5001
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n", r.client())
	l := r.server().listen(t, port)
	tap := r.client().capture(t)
	c := r.client().connect(t, 0, r.server().port(port))
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	wire := r.client().session(t, superOf(c)).Right.Tuple
	return &forged{
		rig: r, server: server, wire: wire,
		seq: findSYN(t, tap, wire.Destination.Addr()).seq() + 1, ack: findSYNACK(t, tap).seq() + 1,
	}
}

// segment makes the next segment of the client with random data.
func (f *forged) segment(n int) packet {
	data := make([]byte, n)
	_, _ = rand.Read(data)
	f.id++
	return segment{tuple: f.wire, flags: flagACK | flagPSH, seq: f.seq, payload: data}.withACK(f.ack)
}

// withACK is packet with an acknowledgement.
func (s segment) withACK(ack uint32) packet {
	p := s.packet()
	th := p.tcp()
	binary.BigEndian.PutUint32(th[8:], ack)
	th[16], th[17] = 0, 0
	binary.BigEndian.PutUint16(th[16:], checksum(th, p.pseudoSum()))
	return p
}

// Segments that were taken apart between two hosts reach the server whole, in
// whatever order; what cannot be put together harms nothing else.
func TestFragments(t *testing.T) { eachFamily(t, testFragments) }

func testFragments(t *testing.T, fam family) {
	r := newRigOf(t, fam, 2)
	r.offloads(t, "off") // checksums are made where they can be seen
	f := forge(t, r)
	mb := r.middleboxes()[0]
	const size = 1200
	reversed := func(p []packet) []packet { slices.Reverse(p); return p }
	twice := func(p []packet) []packet { return append(p[:1:1], p...) }
	rows := []struct {
		name   string
		pieces func(p packet) []packet
		held   uint64 // fragments that wait, or are of no use
		lost   bool
	}{
		{"two", func(p packet) []packet { return p.fragments(f.id, 0, 600) }, 1, false},
		{"in reverse", func(p packet) []packet { return reversed(p.fragments(f.id, 0, 600)) }, 1, false},
		{"three", func(p packet) []packet { return p.fragments(f.id, 0, 400, 800) }, 2, false},
		{"a first one of 24 bytes", func(p packet) []packet { return p.fragments(f.id, 0, 24) }, 1, false},
		{"one of them twice", func(p packet) []packet { return twice(p.fragments(f.id, 0, 600)) }, 2, false},
		{"overlapping", func(p packet) []packet { return p.fragments(f.id, 8, 600) }, 2, true},
		{"the last is missing", func(p packet) []packet { return p.fragments(f.id, 0, 600)[:1] }, 1, true},
		{"the first is missing", func(p packet) []packet { return p.fragments(f.id, 0, 600)[1:] }, 1, true},
		{"whole", func(p packet) []packet { return []packet{p} }, 0, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := f.segment(size)
			tap := mb.capture(t)
			before := mb.counters(t)
			pieces := row.pieces(p)
			if row.lost { // the same again, whole
				pieces = append(pieces, p)
			}
			if err := r.client().send(pieces...); err != nil {
				t.Fatal(err)
			}
			f.seq += size
			f.arrives(t, p.payload())
			if got := mb.counters(t).since(before)[genl.ReasonFragmentHeld.String()]; got != row.held {
				t.Errorf("fragment_held of %s rose by %d, want %d", mb.name, got, row.held)
			}
			for _, p := range tap.packets(t) {
				if p.device == "right" && p.isTCP() && !p.isFragment() && !p.intact() {
					t.Errorf("a packet with a wrong checksum at %s: % x", mb.name, p.packet)
				}
			}
		})
	}
	noComplaints(t)
}

// arrives waits until the server has read data, and nothing else.
func (f *forged) arrives(t *testing.T, data []byte) {
	t.Helper()
	if err := f.server.SetReadDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(data))
	if n, err := io.ReadFull(f.server, got); err != nil {
		t.Fatalf("read at the server: %v after %d bytes", err, n)
	}
	if !bytes.Equal(got, data) {
		t.Errorf("%d bytes came, and not those that were sent", len(got))
	}
}

// A router between two hosts of the chain takes packets apart, for which their
// sender did not ask.
func TestRouterThatFragments(t *testing.T) {
	const port = 5001
	for _, state := range []string{"on", "off"} {
		t.Run("offloads "+state, func(t *testing.T) {
			r := newRig(t, 3)
			mbs := r.middleboxes()
			r.offloads(t, state)
			r.load(t, "match(dstport=5001) >> {mb1 -> mb3}\n", r.client())
			plain(t, mbs[1])
			mbs[1].nft(t, "careless", "chain c { type filter hook prerouting priority 0; iif left ip frag-off set 0; }")
			r.server().echo(t, port)
			c := r.client().connect(t, 0, r.server().port(port))
			talk(t, c, 100)
			mbs[1].ip(t, r.narrow(2, 600)) // only what goes to the right is taken apart
			before := mbs[2].counters(t)
			begun := time.Now()
			talk(t, c, mib)
			t.Log("there and back:", rate(2*mib, time.Since(begun)))
			if got := mbs[2].counters(t).since(before)[genl.ReasonFragmentHeld.String()]; got < 1000 {
				t.Errorf("fragment_held of %s rose by %d, want two for each packet", mbs[2].name, got)
			}
			if got := pathMTU(t, c); got != 1500 {
				t.Errorf("the client believes in a path MTU of %d, want 1500", got)
			}
		})
	}
}

// Fragments that are of no session come as they went.
func TestFragmentsOfOthers(t *testing.T) { eachFamily(t, testFragmentsOfOthers) }

func testFragmentsOfOthers(t *testing.T, f family) {
	r := newRigOf(t, f, 2)
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n")
	client, server, mb := r.client(), r.server(), r.middleboxes()[0]
	before := mb.counters(t)
	client.run(t, "ping", "-n", "-c", "2", "-i", "0.2", "-s", "5000", server.addr.String())
	if got := mb.counters(t).since(before); len(got) > 0 {
		t.Errorf("counters of %s rose by %v, want none for ICMP", mb.name, got)
	}

	data := make([]byte, 5000)
	_, _ = rand.Read(data)
	socket, err := within(server, func() (net.PacketConn, error) {
		return net.ListenPacket("udp", server.port(5009).String())
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	if err := client.in(func() error {
		c, err := net.Dial("udp", server.port(5009).String())
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		_, err = c.Write(data)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := socket.SetReadDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 6000)
	n, _, err := socket.ReadFrom(got)
	if err != nil && err != io.EOF || !bytes.Equal(got[:n], data) {
		t.Errorf("a datagram of 5000 bytes: %d bytes came, %v", n, err)
	}
}
