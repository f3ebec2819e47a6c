// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"mbchain/chain"
	"mbchain/genl"
)

// golden is an error that goes from one end of a chain to the other.
type golden struct {
	name  string
	kind  byte
	code  byte
	word  uint32
	quote quoted // but for the tuple and the number
}

// goldens are errors of every type with one quote, and one error with every
// sort of quote.
func goldens(f family) []golden {
	rows := []golden{
		{name: "host unreachable", kind: 3, code: 1},
		{name: "port unreachable", kind: 3, code: 3},
		{name: "fragmentation needed", kind: 3, code: 4, word: 1400},
		{name: "time exceeded", kind: 11},
		{name: "parameter problem", kind: 12, word: 6 << 24},
	}
	extended := uint32(128/4) << 16
	unreachable := golden{kind: 3, code: 1}
	if f.number == 6 {
		rows = []golden{
			{name: "no route", kind: 1},
			{name: "port unreachable", kind: 1, code: 4},
			{name: "packet too big", kind: 2, word: 1400},
			{name: "time exceeded", kind: 3},
			{name: "parameter problem", kind: 4, code: 1, word: 40},
		}
		extended = 128 / 8 << 24
		unreachable = golden{kind: 1}
	}
	for i := range rows {
		rows[i].quote.payload = 100
	}
	for _, q := range []struct {
		name string
		quoted
	}{
		{"8 bytes", quoted{cut: 8}},
		{"16 bytes, no checksum", quoted{cut: 16}},
		{"18 bytes", quoted{cut: 18}},
		{"a whole header", quoted{}},
		{"odd length", quoted{payload: 33}},
		{"options", quoted{options: 3, payload: 8}},
		{"options, 8 bytes", quoted{options: 3, cut: 8}},
		{"a first fragment", quoted{fragment: true, payload: 16}},
		{"a length of GSO", quoted{length: 65000, payload: 64}},
		{"a length of 1", quoted{length: 1, payload: 64}},
		{"nearly all that fits", quoted{payload: 400}},
	} {
		row := unreachable
		row.name, row.quote = "quote of "+q.name, q.quoted
		rows = append(rows, row)
	}
	row := unreachable
	row.name, row.word = "quote with an extension", extended
	row.quote.extension = []byte{0x20, 0, 0xdb, 0xef, 0, 8, 1, 1, 0, 1, 0x61, 0xff}
	return append(rows, row)
}

// packet makes the error as it is about a tuple; number tells it from others.
func (g golden) packet(about chain.FiveTuple, number, hops int) packet {
	q := g.quote
	q.tuple, q.seq = about, uint32(number)
	return trouble{
		from: about.Destination.Addr(), to: about.Source.Addr(), ttl: byte(64 - hops),
		kind: g.kind, code: g.code, word: g.word, quote: q.bytes(),
	}.packet()
}

// An error that one end sends is about the subsession on every link, byte for
// byte, and about the supersession at the other end.
func TestErrorsByteForByte(t *testing.T) { eachFamily(t, testErrorsByteForByte) }

func testErrorsByteForByte(t *testing.T, f family) {
	const port = 5001
	r := newRigOf(t, f, 2)
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n", r.client())
	server := r.server().echo(t, port)
	c := r.client().connect(t, 0, r.server().port(port))
	talk(t, c, 1000)
	super := superOf(c)
	// No packet of the connection itself is counted below.
	awaitAcknowledged(t, server.end(super.Source))
	var wire []chain.FiveTuple // by link
	for _, h := range r.hosts[:len(r.hosts)-1] {
		wire = append(wire, h.session(t, super).Right.Tuple)
	}
	rows := goldens(f)

	for _, leftward := range []bool{true, false} {
		about, from, to := super, r.server(), r.client()
		if !leftward {
			about, from, to = super.Reverse(), r.client(), r.server()
		}
		var before []counters
		for _, h := range r.hosts {
			before = append(before, h.counters(t))
		}
		tap, ears := tapAll(t, r), listen(t, to)
		var packets []packet
		for i, g := range rows {
			packets = append(packets, g.packet(about, i+1, 0))
		}
		if err := from.send(packets...); err != nil {
			t.Fatal(err)
		}

		got := make(map[string]packet)
		eventually(t, soon, func() error {
			tap.collect(t, got)
			ears.collect(t, got)
			if want := len(rows) * (len(wire) + 1); len(got) < want {
				return fmt.Errorf("%d errors on all links and at %s, want %d", len(got), to.name, want)
			}
			return nil
		})
		for i, g := range rows {
			for link, tuple := range wire {
				hops := len(wire) - 1 - link
				if !leftward {
					tuple, hops = tuple.Reverse(), link
				}
				compare(t, g.name, fmt.Sprintf("link %d", link), g.packet(tuple, i+1, hops), got[spot(link, i+1)])
			}
			// Who reports is the neighbour, for the other end.
			last := g.packet(about, i+1, len(wire)-1)
			neighbour := wire[0].Destination.Addr()
			if !leftward {
				neighbour = wire[len(wire)-1].Source.Addr()
			}
			copy(last.addrs(), neighbour.AsSlice())
			if f.number == 4 {
				last.sealHeader()
			}
			compare(t, g.name, to.name, last.sealICMP(), got[spot(ear, i+1)])
		}
		n := uint64(len(rows))
		for i, h := range r.hosts {
			want := counters{genl.ReasonICMPIn.String(): n, genl.ReasonICMPOut.String(): n}
			if h == from {
				delete(want, genl.ReasonICMPIn.String())
			}
			if h == to {
				delete(want, genl.ReasonICMPOut.String())
			}
			if diff := cmp.Diff(want, h.counters(t).since(before[i])); diff != "" {
				t.Errorf("counters of %s that rose (-want +got):\n%s", h.name, diff)
			}
		}
	}
	talk(t, c, 1000)
}

// compare fails the test unless both are the same. What a raw socket of IPv6
// gives has no IP header.
func compare(t *testing.T, name, where string, want, got packet) {
	t.Helper()
	if len(got) > 0 && got[0]>>4 != want[0]>>4 {
		want = want[want.headerLen():]
	}
	if diff := cmp.Diff([]byte(want), []byte(got)); diff != "" {
		t.Errorf("%s on %s (-want +got):\n%s", name, where, diff)
	}
}

// ear stands for the link of what an end itself hears.
const ear = -1

func spot(link, number int) string { return fmt.Sprint(link, " ", number) }

// number is the one that a golden error, from its ICMP header on, bears.
func number(body []byte) int {
	q := packet(body[8:])
	off := q.headerLen()
	if q.isIPv6() {
		for next := q[6]; next != chain.ProtocolTCP; off += 8 {
			next = q[off]
		}
	}
	return int(binary.BigEndian.Uint32(q[off+4:]))
}

// tapped are captures on every link of a rig, by link.
type tapped []*capture

func tapAll(t *testing.T, r *rig) (all tapped) {
	for _, h := range r.hosts[:len(r.hosts)-1] {
		all = append(all, h.capture(t))
	}
	return all
}

// collect adds what came by to what is known.
func (all tapped) collect(t *testing.T, got map[string]packet) {
	t.Helper()
	for link, tap := range all {
		for _, p := range tap.packets(t) {
			if p.device == "right" && isPathError(p.packet) {
				got[spot(link, number(p.packet[p.headerLen():]))] = p.packet
			}
		}
	}
}

// ears are a raw socket for ICMP.
type ears struct {
	fd   int
	head int // bytes of IP header that it gives
}

func listen(t *testing.T, h *host) ears {
	t.Helper()
	domain, protocol, head := unix.AF_INET, unix.IPPROTO_ICMP, ipv4HeaderLen
	if h.addr.Is6() {
		domain, protocol, head = unix.AF_INET6, unix.IPPROTO_ICMPV6, 0
	}
	fd, err := within(h, func() (int, error) {
		return unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
	})
	if err != nil {
		t.Fatalf("listen on %s: %v", h.name, err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return ears{fd, head}
}

// heard returns what has come since, but for what finds neighbours.
func (e ears) heard(t *testing.T) (list []packet) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(e.fd, buf, 0)
		if err == unix.EAGAIN {
			return list
		}
		if err != nil {
			t.Fatalf("hear: %v", err)
		}
		if e.head > 0 || buf[0] < 128 {
			list = append(list, append(packet(nil), buf[:n]...))
		}
	}
}

func (e ears) collect(t *testing.T, got map[string]packet) {
	t.Helper()
	for _, p := range e.heard(t) {
		got[spot(ear, number(p[e.head:]))] = p
	}
}
