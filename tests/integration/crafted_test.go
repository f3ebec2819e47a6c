// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mbchain/chain"
	"mbchain/genl"
)

// crafted is a SYN that a stranger, or a host gone wrong, might send. It
// begins as a good one to the middlebox, from its own port.
type crafted struct {
	name    string
	header  func(*header)       // what is signed
	payload func([]byte) []byte // what becomes of it then
	segment func(*segment)      // what it travels in
	want    genl.Reason         // the one counter that rises, once; none: none
	ends    bool                // it gets no further: nobody answers
}

// For tables of crafted SYNs.
var (
	stranger  = netip.MustParseAddr("203.0.113.9")
	broadcast = netip.MustParseAddr("255.255.255.255")
	multicast = netip.MustParseAddr("224.0.0.1")
	loopback  = netip.MustParseAddr("127.0.0.1")
	unset     = netip.IPv4Unspecified()
)

func cut(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }

func put(at int, values ...byte) func([]byte) []byte {
	return func(b []byte) []byte {
		copy(b[at:], values)
		return b
	}
}

// flip changes one bit behind the signer's back.
func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[at] ^= 0x10
		return b
	}
}

func age(seconds int64) func(*header) {
	return func(h *header) { h.time = uint32(int64(h.time) - seconds) }
}

func source(a netip.Addr, port uint16) func(*header) {
	return func(h *header) { h.super.Source = netip.AddrPortFrom(a, port) }
}

func destination(a netip.Addr, port uint16) func(*header) {
	return func(h *header) { h.super.Destination = netip.AddrPortFrom(a, port) }
}

func through(hops ...netip.Addr) func(*header) { return func(h *header) { h.setHops(hops...) } }

// craft is the table, for a rig of one middlebox.
func craft(r *rig) []crafted {
	client, mb, server := r.client().addr, r.middleboxes()[0].addr, r.server().addr
	rows := []crafted{
		{name: "no payload", payload: cut(0)},
		{name: "part of the magic", payload: cut(3)},
		{name: "other magic", payload: put(3, 'H')},
		{name: "magic in the wrong place", payload: func(b []byte) []byte { return append([]byte{0}, b...) }},
		{name: "zeros", payload: func(b []byte) []byte { return make([]byte, len(b)) }},
		{name: "no SYN", segment: func(s *segment) { s.flags = flagACK }},
		{name: "SYN and ACK", segment: func(s *segment) { s.flags |= flagACK }},
		{name: "SYN and FIN", segment: func(s *segment) { s.flags |= flagFIN }},
		{name: "SYN and RST", segment: func(s *segment) { s.flags |= flagRST }, ends: true},
		{name: "TCP header of 4 words", segment: func(s *segment) { s.doff = 4 }, ends: true},
		{name: "TCP header longer than the packet", segment: func(s *segment) { s.doff, s.payload = 15, nil }, ends: true},
		{name: "first fragment", segment: func(s *segment) { s.fragment = 0x2000 }, want: genl.ReasonFragment, ends: true},
		{name: "last fragment", segment: func(s *segment) { s.fragment = 1 }, want: genl.ReasonFragment, ends: true},
	}
	for _, n := range []int{4, 5, 8, 16, 32, 47, 48, 55} {
		rows = append(rows, crafted{name: fmt.Sprintf("%d bytes of it", n), payload: cut(n), want: genl.ReasonHdrTruncated})
	}
	for _, v := range []byte{0, 2, 255} {
		rows = append(rows, crafted{name: fmt.Sprintf("version %d", v), header: func(h *header) { h.version = v },
			want: genl.ReasonHdrVersion})
	}
	for _, n := range []uint16{0, 1, 56, 63, 65, 68, math.MaxUint16} {
		rows = append(rows, crafted{name: fmt.Sprintf("length %d", n), header: func(h *header) { h.length = n },
			want: genl.ReasonHdrLength})
	}
	rows = append(rows, []crafted{
		{name: "one byte short", payload: cut(63), want: genl.ReasonHdrTruncated},
		{name: "no room for the hops it tells", header: func(h *header) { h.nHops, h.length = 16, 120 }, want: genl.ReasonHdrTruncated},
		{name: "flag", header: func(h *header) { h.flags = 1 }, want: genl.ReasonHdrFlags},
		{name: "every flag", header: func(h *header) { h.flags = 255 }, want: genl.ReasonHdrFlags},
		{name: "reserved byte", header: func(h *header) { h.reserved = 1 }, want: genl.ReasonHdrFlags},
		{name: "protocol UDP", header: func(h *header) { h.protocol = chain.ProtocolUDP }, want: genl.ReasonHdrProto},
		{name: "protocol 0", header: func(h *header) { h.protocol = 0 }, want: genl.ReasonHdrProto},
		{name: "family 0", header: func(h *header) { h.family = 0 }, want: genl.ReasonHdrProto},
		{name: "family 6", header: func(h *header) { h.family = 6 }, want: genl.ReasonHdrProto},
		{name: "no hop", header: through(), want: genl.ReasonHdrHops},
		{name: "17 hops", header: through(slices.Repeat([]netip.Addr{mb}, 17)...), want: genl.ReasonHdrHops},
		{name: "255 hops", header: through(slices.Repeat([]netip.Addr{mb}, 255)...), want: genl.ReasonHdrHops},
		{name: "oversized", header: through(slices.Repeat([]netip.Addr{mb}, 255)...),
			payload: func(b []byte) []byte { return append(b, bytes.Repeat([]byte("mbch"), 90)...) }, want: genl.ReasonHdrHops},

		{name: "unknown key", header: func(h *header) { h.keyID = 8 }, want: genl.ReasonHdrKey},
		{name: "key 0", header: func(h *header) { h.keyID = 0 }, want: genl.ReasonHdrKey},
		{name: "wrong secret", header: func(h *header) { h.secret[0]++ }, want: genl.ReasonHdrMAC},
		{name: "no secret", header: func(h *header) { h.secret = genl.Secret{} }, want: genl.ReasonHdrMAC},
		{name: "MAC 0", payload: put(56, make([]byte, 8)...), want: genl.ReasonHdrMAC},
		{name: "first byte of the MAC", payload: flip(56), want: genl.ReasonHdrMAC},
		{name: "last byte of the MAC", payload: flip(63), want: genl.ReasonHdrMAC},
		{name: "time changed", payload: flip(12), want: genl.ReasonHdrMAC},
		{name: "id changed", payload: flip(16), want: genl.ReasonHdrMAC},
		{name: "client changed", payload: flip(39), want: genl.ReasonHdrMAC},
		{name: "server's port changed", payload: flip(47), want: genl.ReasonHdrMAC},
		{name: "last hop changed", payload: flip(55), want: genl.ReasonHdrMAC},

		{name: "40 s old", header: age(40), want: genl.ReasonHdrStale, ends: true},
		{name: "40 s early", header: age(-40), want: genl.ReasonHdrStale, ends: true},
		{name: "68 years old", header: age(1 << 31), want: genl.ReasonHdrStale, ends: true},
		{name: "time 0", header: func(h *header) { h.time = 0 }, want: genl.ReasonHdrStale, ends: true},

		{name: "client 0.0.0.0", header: source(unset, 40000), want: genl.ReasonHdrTuple, ends: true},
		{name: "client loopback", header: source(loopback, 40000), want: genl.ReasonHdrTuple, ends: true},
		{name: "client multicast", header: source(multicast, 40000), want: genl.ReasonHdrTuple, ends: true},
		{name: "client broadcast", header: source(broadcast, 40000), want: genl.ReasonHdrTuple, ends: true},
		{name: "client's port 0", header: source(client, 0), want: genl.ReasonHdrTuple, ends: true},
		{name: "server 0.0.0.0", header: destination(unset, 80), want: genl.ReasonHdrTuple, ends: true},
		{name: "server multicast", header: destination(multicast, 80), want: genl.ReasonHdrTuple, ends: true},
		{name: "server's port 0", header: destination(server, 0), want: genl.ReasonHdrTuple, ends: true},
		{name: "hop 0.0.0.0", header: through(mb, unset), want: genl.ReasonHdrTuple, ends: true},
		{name: "hop multicast", header: through(mb, multicast), want: genl.ReasonHdrTuple, ends: true},

		{name: "for the server", header: through(server), want: genl.ReasonHdrReceiver, ends: true},
		{name: "for somebody else", header: through(stranger, server), want: genl.ReasonHdrReceiver, ends: true},
		{name: "not the last", header: through(mb), want: genl.ReasonHdrNotLast, ends: true},
		{name: "back to itself", header: through(mb, mb, server), want: genl.ReasonHdrLoop, ends: true},
		{name: "no way to the next", header: through(mb, stranger, server), want: genl.ReasonNoRoute, ends: true},
	}...)
	return rows
}

// syn makes the packet of row i, which has a port of its own.
func (c *crafted) syn(r *rig, i int) packet {
	client, mb, server := r.client(), r.middleboxes()[0], r.server()
	super := chain.FiveTuple{Source: client.port(uint16(20000 + i)), Destination: server.port(80), Protocol: chain.ProtocolTCP}
	h := newHeader(byte(i), super, hops(mb, server))
	if c.header != nil {
		c.header(&h)
	}
	payload := h.bytes()
	if c.payload != nil {
		payload = c.payload(payload)
	}
	s := segment{
		tuple: chain.FiveTuple{Source: client.port(uint16(30000 + i)), Destination: mb.port(2000)},
		flags: flagSYN, seq: 1, payload: payload,
	}
	if c.segment != nil {
		c.segment(&s)
	}
	return s.packet()
}

// bellPort is that of a SYN which is sent behind the one looked at: when it is
// answered, that one has been dealt with.
const bellPort = 29999

// answers sends a packet to the middlebox and says whether anybody answers.
func (r *rig) answers(t *testing.T, p packet) bool {
	t.Helper()
	client, mb := r.client(), r.middleboxes()[0]
	tap := client.capture(t)
	bell := segment{tuple: chain.FiveTuple{Source: client.port(bellPort), Destination: mb.port(2000)}, flags: flagSYN, seq: 1}
	if err := client.send(p, bell.packet()); err != nil {
		t.Fatal(err)
	}
	answered := false
	eventually(t, soon, func() error {
		packets, err := tap.read()
		if err != nil {
			return err
		}
		for _, got := range packets {
			if got.out || !got.isTCP() {
				continue
			}
			switch got.tuple().Destination.Port() {
			case bellPort:
				return nil
			case p.tuple().Source.Port():
				answered = true
			}
		}
		return fmt.Errorf("no answer of %s", mb.name)
	})
	return answered
}

func TestCraftedSYNs(t *testing.T) {
	r := newRig(t, 1)
	mb := r.middleboxes()[0]
	rows := craft(r)
	if len(rows) < 40 {
		t.Fatalf("only %d crafted SYNs", len(rows))
	}

	events, err := within(mb, func() (*genl.Events, error) { return mb.module.Subscribe() })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = events.Close() }()

	for i, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			before := mb.counters(t)
			answered := r.answers(t, c.syn(r, i))
			want := counters{}
			if c.want != genl.ReasonNone {
				want[c.want.String()] = 1
			}
			if diff := cmp.Diff(want, mb.counters(t).since(before)); diff != "" {
				t.Errorf("counters that rose (-want +got):\n%s", diff)
			}
			if answered == c.ends {
				t.Errorf("answered: %v, want %v", answered, !c.ends)
			}
			if n := mb.info(t).Sessions; n != 0 {
				t.Errorf("%d sessions, want none", n)
			}
		})
	}

	t.Run("a good one after all", func(t *testing.T) {
		good := crafted{}
		p := good.syn(r, 7) // its id was in a refused header: that is not held against it
		if err := r.client().send(p); err != nil {
			t.Fatal(err)
		}
		awaitSessions(t, 1, mb)
	})
	t.Run("no other session ever was", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		defer cancel()
		list, err := events.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		first, ok := list[0].(genl.SessionNew)
		if !ok || first.Session.Super.Source.Port() != 20007 {
			t.Errorf("first event is %+v, want the session of the good SYN", list[0])
		}
	})
}

// Whatever is refused must not take memory: thousands of each would show.
func TestCraftedSYNsTakeNoMemory(t *testing.T) {
	r := newRig(t, 1)
	mb := r.middleboxes()[0]
	const rounds = 200

	var packets []packet
	for i, c := range craft(r) {
		if c.want >= genl.ReasonHdrTruncated && c.want <= genl.ReasonHdrMAC {
			packets = append(packets, c.syn(r, i))
		}
	}
	flood := func() {
		for range rounds {
			if err := r.client().send(packets...); err != nil {
				t.Fatal(err)
			}
		}
	}
	flood() // caches of the kernel's fill
	before, memory := mb.counters(t), slabMemory(t)
	flood()
	grown := slabMemory(t) - memory

	var refused uint64
	for name, n := range mb.counters(t).since(before) {
		if name[:3] == "hdr" {
			refused += n
		}
	}
	if refused < uint64(rounds*len(packets)/2) {
		t.Fatalf("%d of %d packets were refused", refused, rounds*len(packets))
	}
	needed := int64(refused) * int64(mb.info(t).SessionBytes)
	t.Logf("kernel memory grew by %d bytes over %d packets; their sessions would be %d bytes", grown, refused, needed)
	if grown > needed/4 {
		t.Errorf("kernel memory grew by %d bytes over %d packets, want less than %d", grown, refused, needed/4)
	}
}

// slabMemory is how many bytes the kernel's object caches hold and cannot give
// back.
func slabMemory(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^SUnreclaim:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		t.Fatal("find SUnreclaim in /proc/meminfo: none")
	}
	n, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n * 1024
}

func TestGoodHeaderSetsUpASession(t *testing.T) {
	r := newRig(t, 1)
	client, mb, server := r.client(), r.middleboxes()[0], r.server()
	newKey := genl.Key{ID: 9, Secret: genl.Secret{0: 9}}
	// During a rotation: signed with the new key, verified with both.
	if err := mb.module.SetKeys(t.Context(), []genl.Key{newKey, rigKey}); err != nil {
		t.Fatal(err)
	}
	tap := server.capture(t)
	before := mb.counters(t)
	c := crafted{header: age(20), payload: func(b []byte) []byte { return append(b, "data"...) }}
	good := c.syn(r, 1)
	if err := client.send(good); err != nil {
		t.Fatal(err)
	}
	awaitSessions(t, 1, mb)
	s := mb.sessions(t)[0]

	var sent header
	var rest []byte
	eventually(t, soon, func() error {
		for _, p := range tap.packets(t) {
			if p.isTCP() && p.flags() == flagSYN && p.tuple() == s.Right.Tuple {
				var err error
				sent, rest, err = readHeader(p.payload(), newKey.Secret)
				return err
			}
		}
		return fmt.Errorf("no SYN with %v came to the server", s.Right.Tuple)
	})

	t.Run("installed as it came", func(t *testing.T) {
		want := genl.Session{
			ID: chain.SessionID(bytes.Repeat([]byte{1}, chain.SessionIDLen)), Role: chain.RoleMiddle, State: s.State,
			Super: chain.FiveTuple{Source: client.port(20001), Destination: server.port(80), Protocol: chain.ProtocolTCP},
			Left:  &genl.Subsession{Tuple: good.tuple(), InPackets: 1, InBytes: uint64(len(good)), OutPackets: s.Left.OutPackets, OutBytes: s.Left.OutBytes},
			Right: s.Right, Hops: hops(server), Age: s.Age, Idle: s.Idle,
		}
		if diff := cmp.Diff(want, s, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
			cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("session (-want +got):\n%s", diff)
		}
	})
	t.Run("sent on with a header of its own", func(t *testing.T) {
		if sent.keyID != newKey.ID {
			t.Errorf("signed with key %d, want %d", sent.keyID, newKey.ID)
		}
		if now := uint32(time.Now().Unix()); now-sent.time > 15 {
			t.Errorf("its time is %d s ago, want that of sending", now-sent.time)
		}
		if sent.id != s.ID || sent.super != s.Super || !slices.Equal(sent.hops, hops(server)) {
			t.Errorf("header says %v %v %v, want %v %v %v", sent.id, sent.super, sent.hops, s.ID, s.Super, hops(server))
		}
		if string(rest) != "data" {
			t.Errorf("behind it is %q, want %q", rest, "data")
		}
	})

	replays := []struct {
		name string
		port uint16 // of the client's end of the subsession
		want counters
		ends bool
	}{
		{"repeated", good.tuple().Source.Port(), counters{"setup_repeated": 1, "rewritten_in": 1, "rewritten_out": 1}, true},
		{"replayed from another port", 31999, counters{"hdr_replay": 1}, true},
	}
	for _, row := range replays {
		t.Run(row.name, func(t *testing.T) {
			before := mb.counters(t)
			again := segment{
				tuple: chain.FiveTuple{Source: client.port(row.port), Destination: mb.port(2000)},
				flags: flagSYN, seq: 1, payload: good.payload(),
			}
			r.answers(t, again.packet())
			risen := mb.counters(t).since(before)
			// The server may answer a SYN with RST.
			if row.want["rewritten_in"] == 1 {
				risen["rewritten_in"], risen["rewritten_out"] = 1, 1
			}
			if diff := cmp.Diff(row.want, risen); diff != "" {
				t.Errorf("counters that rose (-want +got):\n%s", diff)
			}
		})
	}
	if got := mb.counters(t).since(before)["setup_accepted"]; got != 1 {
		t.Errorf("setup_accepted rose by %d, want 1", got)
	}
}

// A header that was on one link is of no use on another host, nor on its own
// once it is old.
func TestHeaderIsForItsReceiverAlone(t *testing.T) {
	r := newRig(t, 1)
	client, mb, server := r.client(), r.middleboxes()[0], r.server()
	forServer := newHeader(1, chain.FiveTuple{Source: client.port(20000), Destination: server.port(80), Protocol: chain.ProtocolTCP}, hops(server))
	s := segment{
		tuple: chain.FiveTuple{Source: client.port(30000), Destination: mb.port(2000)},
		flags: flagSYN, seq: 1, payload: forServer.bytes(),
	}
	before := mb.counters(t)
	if r.answers(t, s.packet()) {
		t.Error("answered, want dropped")
	}
	if diff := cmp.Diff(counters{"hdr_receiver": 1}, mb.counters(t).since(before)); diff != "" {
		t.Errorf("counters that rose (-want +got):\n%s", diff)
	}

	s.tuple.Destination = server.port(2000)
	before = server.counters(t)
	if err := client.send(s.packet()); err != nil {
		t.Fatal(err)
	}
	server.awaitCounter(t, before, genl.ReasonSetupAccepted, 1)
	if n := mb.info(t).Sessions; n != 0 {
		t.Errorf("%s, which only routed it, has %d sessions, want none", mb.name, n)
	}
}
