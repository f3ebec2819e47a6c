// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// trouble is an ICMP error to make.
type trouble struct {
	from, to netip.Addr
	ttl      byte // 0: 64
	kind     byte // type
	code     byte
	word     uint32 // what stands before the quote: an MTU, a pointer
	quote    []byte
}

// packet makes it, with right checksums.
func (m trouble) packet() packet {
	body := make([]byte, 8, 8+len(m.quote))
	body[0], body[1] = m.kind, m.code
	binary.BigEndian.PutUint32(body[4:], m.word)
	return ipPacket(m.from, m.to, m.ttl, icmpOf(m.from), append(body, m.quote...)).sealICMP()
}

// icmpOf is the number of the ICMP that goes with an address.
func icmpOf(a netip.Addr) byte {
	if a.Is6() {
		return unix.IPPROTO_ICMPV6
	}
	return unix.IPPROTO_ICMP
}

// ipPacket makes a packet with an IP header without options.
func ipPacket(from, to netip.Addr, ttl, protocol byte, body []byte) packet {
	if ttl == 0 {
		ttl = 64
	}
	var p packet
	if from.Is6() {
		p = make(packet, ipv6HeaderLen)
		p[0], p[6], p[7] = 6<<4, protocol, ttl
		binary.BigEndian.PutUint16(p[4:], uint16(len(body)))
		copy(p[8:], from.AsSlice())
		copy(p[24:], to.AsSlice())
	} else {
		p = make(packet, ipv4HeaderLen)
		p[0], p[8], p[9] = 0x45, ttl, protocol
		binary.BigEndian.PutUint16(p[2:], uint16(ipv4HeaderLen+len(body)))
		binary.BigEndian.PutUint16(p[4:], 0x1234) // the kernel would replace 0
		copy(p[12:], from.AsSlice())
		copy(p[16:], to.AsSlice())
		p.sealHeader()
	}
	return append(p, body...)
}

// sealHeader makes the checksum of an IPv4 header right.
func (p packet) sealHeader() {
	n := p.headerLen()
	p[10], p[11] = 0, 0
	binary.BigEndian.PutUint16(p[10:], checksum(p[:n], 0))
}

// sealICMP makes the checksum of an ICMP packet right, and returns it.
func (p packet) sealICMP() packet {
	body := p[p.headerLen():]
	body[2], body[3] = 0, 0
	binary.BigEndian.PutUint16(body[2:], checksum(body, p.icmpPseudoSum()))
	return p
}

// icmpPseudoSum is that of the pseudo header, which ICMP has in IPv6 alone.
func (p packet) icmpPseudoSum() uint32 {
	if !p.isIPv6() {
		return 0
	}
	sum := uint32(unix.IPPROTO_ICMPV6) + uint32(len(p)-p.headerLen())
	for a := p.addrs(); len(a) > 0; a = a[2:] {
		sum += uint32(binary.BigEndian.Uint16(a))
	}
	return sum
}

// quoted makes a packet of a session as an error quotes it: whole, unless it is
// cut.
type quoted struct {
	tuple     chain.FiveTuple
	seq       uint32 // tells it from others
	payload   int    // bytes
	options   int    // words of IPv4, eight bytes of IPv6: destination options
	fragment  bool   // the first one
	length    uint16 // what the IP header claims; 0: the truth
	cut       int    // to so many bytes of TCP; 0: not
	extension []byte // of RFC 4884, behind 128 bytes of quote
}

func (q quoted) bytes() []byte {
	whole := segment{tuple: q.tuple, flags: flagACK, seq: q.seq, payload: make([]byte, q.payload)}.packet()
	if q.tuple.Source.Addr().Is6() {
		return q.finish(q.grow6(whole))
	}
	return q.finish(q.grow4(whole))
}

func (q quoted) grow4(whole packet) packet {
	p := append(whole[:ipv4HeaderLen:ipv4HeaderLen], make([]byte, 4*q.options)...)
	for i := ipv4HeaderLen; i < len(p); i++ {
		p[i] = 1
	}
	p = append(p, whole.tcp()...)
	p[0] += byte(q.options)
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	binary.BigEndian.PutUint16(p[4:], 0x4321)
	if q.fragment {
		p[6] = 0x20
	}
	if q.length != 0 {
		binary.BigEndian.PutUint16(p[2:], q.length)
	}
	p.sealHeader()
	return p
}

func (q quoted) grow6(whole packet) packet {
	next := byte(chain.ProtocolTCP)
	var between []byte
	if q.fragment {
		between = append([]byte{next, 0, 0, 1, 0, 0, 0, 9}, between...)
		next = unix.IPPROTO_FRAGMENT
	}
	for range q.options {
		between = append([]byte{next, 0, 1, 4, 0, 0, 0, 0}, between...)
		next = unix.IPPROTO_DSTOPTS
	}
	p := append(whole[:ipv6HeaderLen:ipv6HeaderLen], between...)
	p = append(p, whole.tcp()...)
	p[6] = next
	binary.BigEndian.PutUint16(p[4:], uint16(len(p)-ipv6HeaderLen))
	if q.length != 0 {
		binary.BigEndian.PutUint16(p[4:], q.length)
	}
	return p
}

func (q quoted) finish(p packet) []byte {
	if q.cut != 0 {
		p = p[:len(p)-20-q.payload+q.cut]
	}
	if q.extension == nil {
		return p
	}
	return append(append(p, make([]byte, 128-len(p))...), q.extension...)
}
