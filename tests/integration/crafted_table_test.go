// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"slices"

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

// odd is addresses of a family for tables of crafted SYNs.
type odd struct {
	stranger, loopback, multicast, unset netip.Addr
	here                                 netip.Addr // broadcast, link-local
}

func oddAddrs(f family) odd {
	if f.number == ipv4.number {
		return odd{
			stranger:  netip.MustParseAddr("203.0.113.9"),
			loopback:  netip.MustParseAddr("127.0.0.1"),
			multicast: netip.MustParseAddr("224.0.0.1"),
			unset:     netip.IPv4Unspecified(),
			here:      netip.MustParseAddr("255.255.255.255"),
		}
	}
	return odd{
		stranger:  netip.MustParseAddr("2001:db8::9"),
		loopback:  netip.IPv6Loopback(),
		multicast: netip.MustParseAddr("ff02::1"),
		unset:     netip.IPv6Unspecified(),
		here:      netip.MustParseAddr("fe80::1"),
	}
}

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
	addrs := oddAddrs(r.family)
	fixed, whole, addrLen := headerFixed(r.family), headerLen(r.family, 2), r.hostBits/8
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
	}
	if r.number == ipv4.number {
		rows = append(rows,
			crafted{name: "first fragment", segment: func(s *segment) { s.fragment = 0x2000 }, want: genl.ReasonFragmentHeld, ends: true},
			crafted{name: "last fragment", segment: func(s *segment) { s.fragment = 1 }, want: genl.ReasonFragmentHeld, ends: true})
	}
	for _, n := range []int{4, 5, 8, 16, 32, fixed - 1, fixed, fixed + headerMAC - 1} {
		rows = append(rows, crafted{name: fmt.Sprintf("%d bytes of it", n), payload: cut(n), want: genl.ReasonHdrTruncated})
	}
	for _, v := range []byte{0, 2, 255} {
		rows = append(rows, crafted{name: fmt.Sprintf("version %d", v), header: func(h *header) { h.version = v },
			want: genl.ReasonHdrVersion})
	}
	for _, n := range []int{0, 1, fixed + headerMAC, whole - 1, whole + 1, whole + addrLen, math.MaxUint16} {
		rows = append(rows, crafted{name: fmt.Sprintf("length %d", n), header: func(h *header) { h.length = uint16(n) },
			want: genl.ReasonHdrLength})
	}
	rows = append(rows, []crafted{
		{name: "one byte short", payload: cut(whole - 1), want: genl.ReasonHdrTruncated},
		{name: "no room for the hops it tells", header: func(h *header) { h.nHops, h.length = 16, uint16(headerLen(r.family, 16)) }, want: genl.ReasonHdrTruncated},
		{name: "flag", header: func(h *header) { h.flags = 1 }, want: genl.ReasonHdrFlags},
		{name: "every flag", header: func(h *header) { h.flags = 255 }, want: genl.ReasonHdrFlags},
		{name: "reserved byte", header: func(h *header) { h.reserved = 1 }, want: genl.ReasonHdrFlags},
		{name: "protocol UDP", header: func(h *header) { h.protocol = chain.ProtocolUDP }, want: genl.ReasonHdrProto},
		{name: "protocol 0", header: func(h *header) { h.protocol = 0 }, want: genl.ReasonHdrProto},
		{name: "family 0", header: func(h *header) { h.family = 0 }, want: genl.ReasonHdrProto},
		{name: "the other family", header: func(h *header) { h.family ^= 4 ^ 6 }, want: genl.ReasonHdrProto},
		{name: "no hop", header: through(), want: genl.ReasonHdrHops},
		{name: "17 hops", header: through(slices.Repeat([]netip.Addr{mb}, 17)...), want: genl.ReasonHdrHops},
		{name: "255 hops", header: func(h *header) { h.nHops = 255 }, want: genl.ReasonHdrHops},
		{name: "oversized", header: through(slices.Repeat([]netip.Addr{mb}, 1000/addrLen)...),
			payload: func(b []byte) []byte { return append(b, bytes.Repeat([]byte("mbch"), 90)...) }, want: genl.ReasonHdrHops},

		{name: "unknown key", header: func(h *header) { h.keyID = 8 }, want: genl.ReasonHdrKey},
		{name: "key 0", header: func(h *header) { h.keyID = 0 }, want: genl.ReasonHdrKey},
		{name: "wrong secret", header: func(h *header) { h.secret[0]++ }, want: genl.ReasonHdrMAC},
		{name: "no secret", header: func(h *header) { h.secret = genl.Secret{} }, want: genl.ReasonHdrMAC},
		{name: "MAC 0", payload: put(whole-headerMAC, make([]byte, headerMAC)...), want: genl.ReasonHdrMAC},
		{name: "first byte of the MAC", payload: flip(whole - headerMAC), want: genl.ReasonHdrMAC},
		{name: "last byte of the MAC", payload: flip(whole - 1), want: genl.ReasonHdrMAC},
		{name: "time changed", payload: flip(12), want: genl.ReasonHdrMAC},
		{name: "id changed", payload: flip(16), want: genl.ReasonHdrMAC},
		{name: "client changed", payload: flip(headerHead + addrLen - 1), want: genl.ReasonHdrMAC},
		{name: "server's port changed", payload: flip(fixed - 1), want: genl.ReasonHdrMAC},
		{name: "last hop changed", payload: flip(whole - headerMAC - 1), want: genl.ReasonHdrMAC},

		{name: "40 s old", header: age(40), want: genl.ReasonHdrStale, ends: true},
		{name: "40 s early", header: age(-40), want: genl.ReasonHdrStale, ends: true},
		{name: "68 years old", header: age(1 << 31), want: genl.ReasonHdrStale, ends: true},
		{name: "time 0", header: func(h *header) { h.time = 0 }, want: genl.ReasonHdrStale, ends: true},

		{name: "client unset", header: source(addrs.unset, 40000), want: genl.ReasonHdrTuple, ends: true},
		{name: "client loopback", header: source(addrs.loopback, 40000), want: genl.ReasonHdrTuple, ends: true},
		{name: "client multicast", header: source(addrs.multicast, 40000), want: genl.ReasonHdrTuple, ends: true},
		{name: "client broadcast or link-local", header: source(addrs.here, 40000), want: genl.ReasonHdrTuple, ends: true},
		{name: "client's port 0", header: source(client, 0), want: genl.ReasonHdrTuple, ends: true},
		{name: "server unset", header: destination(addrs.unset, 80), want: genl.ReasonHdrTuple, ends: true},
		{name: "server multicast", header: destination(addrs.multicast, 80), want: genl.ReasonHdrTuple, ends: true},
		{name: "server's port 0", header: destination(server, 0), want: genl.ReasonHdrTuple, ends: true},
		{name: "hop unset", header: through(mb, addrs.unset), want: genl.ReasonHdrTuple, ends: true},
		{name: "hop multicast", header: through(mb, addrs.multicast), want: genl.ReasonHdrTuple, ends: true},

		{name: "for the server", header: through(server), want: genl.ReasonHdrReceiver, ends: true},
		{name: "for somebody else", header: through(addrs.stranger, server), want: genl.ReasonHdrReceiver, ends: true},
		{name: "not the last", header: through(mb), want: genl.ReasonHdrNotLast, ends: true},
		{name: "back to itself", header: through(mb, mb, server), want: genl.ReasonHdrLoop, ends: true},
		{name: "no way to the next", header: through(mb, addrs.stranger, server), want: genl.ReasonNoRoute, ends: true},
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
