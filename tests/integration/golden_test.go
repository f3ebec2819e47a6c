// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/binary"
	"fmt"
	"testing"

	"mbchain/chain"
	"mbchain/genl"
)

// goldenPacket is one of a live session, with the tuple of whatever link it is on.
type goldenPacket struct {
	name     string
	protocol byte
	make     func(tuple chain.FiveTuple, ttl byte) packet
}

// goldenPackets are packets of which no two have the same protocol and length.
// One has a UDP sum of 0 with the tuple given.
func goldenPackets(f family, seq uint32, even chain.FiveTuple) []goldenPacket {
	tcp := func(name string, flags byte, n int) goldenPacket {
		return goldenPacket{name, chain.ProtocolTCP, func(tuple chain.FiveTuple, ttl byte) packet {
			return segment{tuple: tuple, flags: flags, seq: seq, payload: letters(n)}.packet().withTTL(ttl)
		}}
	}
	udp := func(name string, d datagram) goldenPacket {
		return goldenPacket{name, chain.ProtocolUDP, func(tuple chain.FiveTuple, ttl byte) packet {
			d.tuple = tuple
			return d.packet().withTTL(ttl)
		}}
	}
	// What makes up for the sum of the rest.
	zero := letters(64)
	copy(zero[62:], []byte{0, 0})
	rest := datagram{tuple: even, payload: zero}.packet()
	copy(zero[62:], rest[f.header+6:f.header+8])
	rows := []goldenPacket{
		tcp("TCP, no data", flagACK, 0),
		tcp("TCP, odd length", flagACK|flagPSH, 33),
		tcp("TCP, 1400 bytes", flagACK, 1400),
		tcp("TCP, all but what ends a connection", flagACK|flagPSH|0x20|0x40|0x80, 100),
		udp("UDP, no data", datagram{}),
		udp("UDP, odd length", datagram{payload: letters(33)}),
		udp("UDP, 1400 bytes", datagram{payload: letters(1400)}),
		udp("UDP, a sum of 0", datagram{payload: zero}),
	}
	if f.number == ipv4.number {
		rows = append(rows, udp("UDP, no checksum", datagram{payload: letters(50), unchecked: true}))
	}
	return rows
}

func letters(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return b
}

// withTTL also gives it an IPv4 identification that goes by nothing else.
func (p packet) withTTL(ttl byte) packet {
	if p.isIPv6() {
		p[7] = ttl
		return p
	}
	p[8] = ttl
	binary.BigEndian.PutUint16(p[4:], 0x4711)
	p.sealHeader()
	return p
}

// Packets of a session have the subsession's tuple on each link, right checksums
// and one hop less to live each time, and are otherwise what they were, byte for
// byte, in both directions, whichever way the middleboxes take.
func TestPacketsByteForByte(t *testing.T) {
	for _, mode := range []genl.NFMode{genl.NFInline, genl.NFNone} {
		t.Run(mode.String(), func(t *testing.T) {
			eachFamily(t, func(t *testing.T, f family) { testPacketsByteForByte(t, f, mode) })
		})
	}
}

func testPacketsByteForByte(t *testing.T, f family, mode genl.NFMode) {
	const port = 5001
	r := newRigOf(t, f, 2)
	client, server := r.client(), r.server()
	for _, mb := range r.middleboxes() {
		mb.attachNF(t, genl.NF{Mode: mode})
	}
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n", client)
	r.agentsOn(t, client)
	server.echo(t, port)
	tap := client.capture(t)
	c := client.connect(t, 0, server.port(port))
	u := r.muteDatagrams(t, port)
	supers := map[byte]chain.FiveTuple{chain.ProtocolTCP: superOf(c), chain.ProtocolUDP: udpSuper(u, server.port(port))}
	wires := make(map[byte][]chain.FiveTuple)
	for protocol, super := range supers {
		wires[protocol] = r.wire(t, super)
	}
	seq := findSYN(t, tap, r.hosts[1].addr).seq() + 1<<31 // in nobody's window

	for _, rightward := range []bool{true, false} {
		from, turn := client, func(tuple chain.FiveTuple) chain.FiveTuple { return tuple }
		if !rightward {
			from, turn = server, chain.FiveTuple.Reverse
		}
		rows := goldenPackets(f, seq, turn(wires[chain.ProtocolUDP][1]))
		taps := tapAll(t, r)
		var packets []packet
		for _, row := range rows {
			packets = append(packets, row.make(turn(supers[row.protocol]), 64))
		}
		if err := from.send(packets...); err != nil {
			t.Fatal(err)
		}
		got := make(map[string]packet)
		eventually(t, soon, func() error {
			taps.passing(t, rightward, got)
			for link := range taps {
				for i, row := range rows {
					if got[goldenKey(link, packets[i])] == nil {
						return fmt.Errorf("%s did not come to link %d", row.name, link)
					}
				}
			}
			return nil
		})
		for link := range taps {
			hops := link
			if !rightward {
				hops = len(taps) - 1 - link
			}
			for i, row := range rows {
				want := row.make(turn(wires[row.protocol][link]), byte(64-hops))
				compare(t, row.name, fmt.Sprintf("link %d", link), want, got[goldenKey(link, packets[i])])
			}
		}
	}
	talk(t, c, 1000)
}

// passing adds what came by in one direction to what is known.
func (all tapped) passing(t *testing.T, rightward bool, got map[string]packet) {
	t.Helper()
	for link, tap := range all {
		for _, p := range tap.packets(t) {
			if p.device == "right" && p.out == rightward {
				got[goldenKey(link, p.packet)] = p.packet
			}
		}
	}
}

// goldenKey tells packets on all links from each other.
func goldenKey(link int, p packet) string { return fmt.Sprint(link, " ", p.protocol(), " ", len(p)) }

// wire is the tuple of a session on each link.
func (r *rig) wire(t *testing.T, super chain.FiveTuple) (tuples []chain.FiveTuple) {
	t.Helper()
	for _, h := range r.hosts[:len(r.hosts)-1] {
		tuples = append(tuples, h.session(t, super).Right.Tuple)
	}
	return tuples
}
