// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mbchain/chain"
	"mbchain/genl"
)

// A host whose NF does not need the packets themselves sends them straight on,
// and nothing of a session is lost or changed.
func TestExpress(t *testing.T) { eachFamily(t, testExpress) }

func testExpress(t *testing.T, f family) {
	r := newRigOf(t, f, 3)
	client, server := r.client(), r.server()
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2 -> mb3}\n")
	r.agentsOn(t, r.hosts...)
	for _, mb := range r.middleboxes() {
		mb.attachNF(t, genl.NF{Mode: genl.NFNone})
	}
	e := server.echo(t, 5001)
	server.answer(t, 5001)
	mb := r.middleboxes()[1]

	before := mb.counters(t)
	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 3_000_000)
	r.chained(t, client.session(t, superOf(c)), r.hosts...)
	if !e.has(superOf(c).Source) {
		t.Errorf("the server does not know the client as %v", superOf(c).Source)
	}
	u := client.datagrams(t, 0, nil)
	for _, n := range []int{1, 1000, 5000} {
		if err := exchange(u, server.port(5001), n); err != nil {
			t.Error(err)
		}
	}
	got := mb.counters(t).since(before)
	// SYN and SYN-ACK take the host's own way, and what has to be split.
	if got["express"] < 20 || got["rewritten_in"] > 8 {
		t.Errorf("counters of %s rose by %v, want nearly all packets by express", mb.name, got)
	}
	_ = c.Close()
	_ = u.Close()
	for _, h := range r.hosts {
		h.configure(t, genl.Config{UDPTimeout: 1e9})
	}
}

// Whatever kind of device a packet comes in by, and whenever that came, it is
// that device's hook that sends it on: not the one of a bridge's port, or of a device
// that carries VLANs. What filters frames sees them before.
func TestExpressByDevice(t *testing.T) { eachFamily(t, testExpressByDevice) }

func testExpressByDevice(t *testing.T, f family) {
	r := newRigOf(t, f, 1)
	mb, server := r.hosts[1], r.server()
	mb.attachNF(t, genl.NF{Mode: genl.NFNone})
	c := r.attach(t) // comes later than the NF
	r.load(t, "match(dstport=5001) >> {mb1}\n", c)
	server.echo(t, 5001)
	passes := func(t *testing.T) counters {
		t.Helper()
		before := mb.counters(t)
		conn := c.connect(t, 0, server.port(5001))
		talk(t, conn, 300_000)
		_ = conn.Close()
		return mb.counters(t).since(before)
	}
	express := func(t *testing.T) {
		t.Helper()
		if got := passes(t); got["express"] < 10 || got["rewritten_in"] > 3 {
			t.Errorf("counters of %s rose by %v, want nearly all packets by express", mb.name, got)
		}
	}

	t.Run("one that came later", express)
	t.Run("a filter of frames", func(t *testing.T) {
		conn := c.connect(t, 0, server.port(5001))
		talk(t, conn, 1000)
		mb.nft(t, "netdev stop", `
			counter stopped { }
			chain c { type filter hook ingress device "side" priority 2147483646; tcp dport != 22 counter name stopped drop; }`)
		before := mb.counters(t)
		answered := make(chan error, 1)
		go func() { answered <- ask(conn, 1000) }()
		eventually(t, soon, func() error {
			if out := mb.run(t, "nft", "list", "counters", "table", "netdev", "stop"); strings.Contains(out, "packets 0 ") {
				return fmt.Errorf("the filter has seen nothing: %s", out)
			}
			return nil
		})
		if got := mb.counters(t).since(before); got["express"] > 0 {
			t.Errorf("counters of %s rose by %v, want no packet by express", mb.name, got)
		}
		mb.run(t, "nft", "delete", "table", "netdev", "stop")
		if err := <-answered; err != nil { // it is sent again
			t.Error(err)
		}
		_ = conn.Close()
	})
	t.Run("a VLAN", func(t *testing.T) {
		c.ip(t, "link add link right name vlan5 type vlan id 5")
		mb.ip(t, "link add link side name vlan5 type vlan id 5")
		r.attachBy(t, c, 101, "vlan5", "vlan5")
		express(t)
	})
	loadBridgeNetfilter(t)
	show := func(t *testing.T, value string) {
		t.Helper()
		mb.set(t, "bridge/bridge-nf-call-iptables", value)
		mb.set(t, "bridge/bridge-nf-call-ip6tables", value)
	}
	t.Run("a bridge", func(t *testing.T) {
		show(t, "0")
		mb.ip(t, "link add br0 type bridge", "link set side master br0")
		r.attachBy(t, c, 102, "right", "br0")
		mb.nft(t, "bridge witness", "counter seen { }\nchain c { type filter hook input priority 10; tcp dport != 0 counter name seen; }")
		express(t)
		if out := mb.run(t, "nft", "list", "counters", "table", "bridge", "witness"); strings.Contains(out, "packets 0 ") {
			t.Errorf("the bridge has not seen what came in by its port: %s", out)
		}
	})
	t.Run("a bridge that shows its frames to IP", func(t *testing.T) {
		show(t, "1")
		if got := passes(t); got["express"] > 3 || got["rewritten_in"] < 10 {
			t.Errorf("counters of %s rose by %v, want nearly all packets by the stack", mb.name, got)
		}
	})
	t.Run("one that goes", func(t *testing.T) {
		mb.ip(t, "link del br0", "link del side")
		conn := r.client().connect(t, 0, server.port(5001))
		talk(t, conn, 1000)
		_ = conn.Close()
	})
}

// The express path takes what the stack would forward as it is, and leaves all
// else to the stack, which answers, gathers or drops it.
func TestExpressTakesWholePackets(t *testing.T) { eachFamily(t, testExpressTakesWholePackets) }

func testExpressTakesWholePackets(t *testing.T, f family) {
	const port = 5001
	r := newRigOf(t, f, 1)
	client, mb, server := r.client(), r.hosts[1], r.server()
	mb.attachNF(t, genl.NF{Mode: genl.NFNone})
	r.load(t, "match(dstport=5001) >> {mb1}\n", client)
	r.agentsOn(t, client)
	u := r.muteDatagrams(t, port)
	wire := r.wire(t, udpSuper(u, server.port(port)))
	stranger := net.HardwareAddr{2, 0, 0, 0, 0, 0x67}

	const step = 16 // that packets tell themselves apart by
	n := 0
	golden := func(tuple chain.FiveTuple, i int) packet {
		return datagram{tuple: tuple, payload: letters(step * (1 + i))}.packet().withTTL(64)
	}
	rows := []struct {
		name     string
		change   func(p packet) packet
		protocol uint16           // 0: that of IP
		to       net.HardwareAddr // nil: the middlebox's
		express  bool             // goes that way
		comes    bool             // to the server, as it was
	}{
		{name: "whole", express: true, comes: true},
		{name: "padded", express: true, comes: true, change: func(p packet) packet { return append(p, letters(10)...) }},
		{name: "with options", comes: true, change: packet.withOptions},
		{name: "of another version", change: func(p packet) packet { return p.withVersion(5) }},
		{name: "cut", change: func(p packet) packet { return p[:len(p)-20] }},
		{name: "without a UDP header", change: func(p packet) packet { return p.withLength(p.headerLen() + 4) }},
		{name: "shorter than its IP header", change: func(p packet) packet { return p.withLength(p.headerLen() / 2) }},
		{name: "without a byte", change: func(p packet) packet { return p[:0] }},
		{name: "with a wrong header checksum", comes: f.number == ipv6.number, express: f.number == ipv6.number,
			change: func(p packet) packet {
				if !p.isIPv6() {
					p[10]++
				}
				return p
			}},
		{name: "at the end of its life", change: func(p packet) packet { return p.withTTL(1) }},
		{name: "a first fragment", change: func(p packet) packet { return p.fragments(99, 0, 24)[0] }},
		{name: "of a VLAN that is not here", protocol: 0x8100, change: func(p packet) packet {
			return append(binary.BigEndian.AppendUint16([]byte{0, 5}, f.etherType()), p...)
		}},
		{name: "for another host", to: stranger},
		{name: "the last one", express: true, comes: true},
	}

	before, tap := mb.counters(t), server.capture(t)
	for i, row := range rows {
		p := golden(wire[0], i)
		if row.change != nil {
			p = row.change(p)
		}
		if row.express {
			n++
		}
		to := row.to
		if to == nil {
			to = mb.hardware(t, "left")
		}
		s := client.frameSender(t, "right", to)
		s.add(cmp.Or(row.protocol, f.etherType()), p)
		if err := s.flush(); err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
	}
	came := make(map[int]packet)
	eventually(t, soon, func() error {
		for _, p := range tap.packets(t) {
			if p.device == "left" && !p.out && (p.protocol() == chain.ProtocolUDP || p.protocol() == unix.IPPROTO_DSTOPTS) {
				came[(len(p.packet)-p.headerLen()-udpHeaderLen)/step-1] = p.packet
			}
		}
		if came[len(rows)-1] == nil {
			return errors.New("the last packet has not come")
		}
		return nil
	})
	for i, row := range rows {
		switch got := came[i]; {
		case row.comes && got == nil:
			t.Errorf("%s: it has not come", row.name)
		case !row.comes && got != nil:
			t.Errorf("%s: it has come", row.name)
		case row.comes && row.name != "with options":
			compare(t, row.name, "the server", golden(wire[1], i).withTTL(63), got)
		}
	}
	if got := mb.counters(t).since(before); got["express"] != uint64(n) {
		t.Errorf("counters of %s rose by %v, want express %d", mb.name, got, n)
	}
}

// withOptions is p with options that say nothing.
func (p packet) withOptions() packet {
	options, n := []byte{1, 1, 1, 1}, p.headerLen()
	if p.isIPv6() {
		options = []byte{p[6], 0, 1, 4, 0, 0, 0, 0}
	}
	q := slices.Concat(p[:n], options, p[n:])
	if p.isIPv6() {
		q[6] = unix.IPPROTO_DSTOPTS
	} else {
		q[0]++
	}
	return q.withLength(len(q))
}

// withLength is p with another length in its header.
func (p packet) withLength(n int) packet {
	if p.isIPv6() {
		p.setLength(max(n, ipv6HeaderLen))
		return p
	}
	p.setLength(n)
	p.sealHeader()
	return p
}

// withVersion is p with another version in its header.
func (p packet) withVersion(version byte) packet {
	six := p.isIPv6()
	p[0] = p[0]&15 | version<<4
	if !six {
		p.sealHeader()
	}
	return p
}

// While traffic flows the NF becomes another, and the module goes and comes back:
// nothing is lost.
func TestExpressComesAndGoes(t *testing.T) {
	r := newRig(t, 1)
	client, mb, server := r.client(), r.hosts[1], r.server()
	r.load(t, "match(dstport=5001) >> {mb1}\n", client)
	server.echo(t, 5001)
	mb.attachNF(t, genl.NF{Mode: genl.NFNone})
	c := client.connect(t, 0, server.port(5001))
	moved := keepMoving(c)
	before := mb.counters(t)
	for range 20 {
		for _, mode := range []genl.NFMode{genl.NFInline, genl.NFNone} {
			if err := mb.module.SetNF(t.Context(), genl.NF{Mode: mode}); err != nil {
				t.Fatal(err)
			}
			seen := mb.counters(t)
			reason := map[genl.NFMode]genl.Reason{genl.NFInline: genl.ReasonRewrittenIn, genl.NFNone: genl.ReasonExpress}[mode]
			mb.awaitCounter(t, seen, reason, 1)
		}
	}
	if _, err := moved(); err != nil {
		t.Errorf("while the NF changes: %v; counters rose by %v", err, mb.counters(t).since(before))
	}
	unloadModule(t)
	talk(t, c, 100_000) // as a plain one
	loadModule(t, moduleFile(t))
	talk(t, c, 100_000)
	noComplaints(t)
}
