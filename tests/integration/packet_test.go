// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/binary"
	"net/netip"

	"mbchain/chain"
)

// packet is an IPv4 or IPv6 packet from its IP header on, the latter without
// extension headers.
type packet []byte

// Flags of TCP.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

const (
	ipv4HeaderLen = 20 // without options
	ipv6HeaderLen = 40
	tcpHeaderLen  = 20 // without options
	udpHeaderLen  = 8
)

func (p packet) isIPv6() bool { return p[0]>>4 == 6 }

func (p packet) headerLen() int {
	if p.isIPv6() {
		return ipv6HeaderLen
	}
	return int(p[0]&0xf) * 4
}

// protocol is that of what follows the IP header.
func (p packet) protocol() byte {
	if p.isIPv6() {
		return p[6]
	}
	return p[9]
}

// isTCP says whether p is a TCP packet with a whole header that is no later
// fragment.
func (p packet) isTCP() bool {
	if len(p) < ipv4HeaderLen || p.isIPv6() && len(p) < ipv6HeaderLen || p.protocol() != chain.ProtocolTCP {
		return false
	}
	if !p.isIPv6() && binary.BigEndian.Uint16(p[6:])&0x1fff != 0 {
		return false
	}
	n := p.headerLen()
	return len(p) >= n+20 && len(p) >= n+int(p[n+12]>>4)*4
}

func (p packet) tcp() []byte     { return p[p.headerLen():] }
func (p packet) flags() byte     { return p.tcp()[13] }
func (p packet) seq() uint32     { return binary.BigEndian.Uint32(p.tcp()[4:]) }
func (p packet) ack() uint32     { return binary.BigEndian.Uint32(p.tcp()[8:]) }
func (p packet) dataOff() int    { return p.headerLen() + int(p.tcp()[12]>>4)*4 }
func (p packet) payload() []byte { return p[p.dataOff():] }
func (p packet) options() []byte { return p[p.headerLen()+20 : p.dataOff()] }

// addrs are both addresses, one behind the other.
func (p packet) addrs() []byte {
	if p.isIPv6() {
		return p[8:40]
	}
	return p[12:20]
}

func (p packet) source() netip.Addr {
	a := p.addrs()
	addr, _ := netip.AddrFromSlice(a[:len(a)/2])
	return addr
}

func (p packet) destination() netip.Addr {
	a := p.addrs()
	addr, _ := netip.AddrFromSlice(a[len(a)/2:])
	return addr
}

// tuple is that of a TCP packet.
func (p packet) tuple() chain.FiveTuple {
	th := p.tcp()
	return chain.FiveTuple{
		Source:      netip.AddrPortFrom(p.source(), binary.BigEndian.Uint16(th)),
		Destination: netip.AddrPortFrom(p.destination(), binary.BigEndian.Uint16(th[2:])),
		Protocol:    chain.ProtocolTCP,
	}
}

// mss is the MSS option of a SYN, 0 if there is none.
func (p packet) mss() uint16 {
	for o := p.options(); len(o) > 1 && o[0] != 0; {
		if o[0] == 1 {
			o = o[1:]
			continue
		}
		n := int(o[1])
		if n < 2 || n > len(o) {
			return 0
		}
		if o[0] == 2 && n == 4 {
			return binary.BigEndian.Uint16(o[2:])
		}
		o = o[n:]
	}
	return 0
}

// segment describes a TCP packet to make.
type segment struct {
	tuple    chain.FiveTuple
	flags    byte
	seq      uint32
	ack      uint32
	fragment uint16 // flags and offset of the IPv4 header
	doff     byte   // words of the TCP header; 0: 5
	payload  []byte
}

// header makes a packet with room for n bytes behind its IP header.
func (s segment) header(n int) packet {
	source, destination := s.tuple.Source.Addr().AsSlice(), s.tuple.Destination.Addr().AsSlice()
	if s.tuple.Source.Addr().Is6() {
		p := make(packet, ipv6HeaderLen+n)
		p[0], p[6], p[7] = 6<<4, chain.ProtocolTCP, 64
		binary.BigEndian.PutUint16(p[4:], uint16(n))
		copy(p[8:], source)
		copy(p[24:], destination)
		return p
	}
	p := make(packet, ipv4HeaderLen+n)
	p[0], p[8], p[9] = 0x45, 64, chain.ProtocolTCP
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	binary.BigEndian.PutUint16(p[4:], s.tuple.Source.Port())
	binary.BigEndian.PutUint16(p[6:], s.fragment)
	copy(p[12:], source)
	copy(p[16:], destination)
	binary.BigEndian.PutUint16(p[10:], checksum(p[:ipv4HeaderLen], 0))
	return p
}

// packet makes it, with right checksums.
func (s segment) packet() packet {
	p := s.header(20 + len(s.payload))
	th := p.tcp()
	binary.BigEndian.PutUint16(th, s.tuple.Source.Port())
	binary.BigEndian.PutUint16(th[2:], s.tuple.Destination.Port())
	binary.BigEndian.PutUint32(th[4:], s.seq)
	binary.BigEndian.PutUint32(th[8:], s.ack)
	th[12] = 5 << 4
	if s.doff != 0 {
		th[12] = s.doff << 4
	}
	th[13] = s.flags
	binary.BigEndian.PutUint16(th[14:], 65535)
	copy(th[20:], s.payload)
	binary.BigEndian.PutUint16(th[16:], checksum(th, p.pseudoSum()))
	return p
}

// pseudoSum is that of the pseudo header of TCP or UDP, not complemented.
func (p packet) pseudoSum() uint32 { return p.pseudo(p.protocol(), len(p)-p.headerLen()) }

// pseudo is pseudoSum for n bytes of any protocol.
func (p packet) pseudo(protocol byte, n int) uint32 {
	sum := uint32(protocol) + uint32(n)
	for a := p.addrs(); len(a) > 0; a = a[2:] {
		sum += uint32(binary.BigEndian.Uint16(a))
	}
	return sum
}

// intact says whether both checksums of a TCP packet are right. They are not
// yet in a packet that its own host made and a device is to finish.
func (p packet) intact() bool {
	return (p.isIPv6() || checksum(p[:p.headerLen()], 0) == 0) && checksum(p.tcp(), p.pseudoSum()) == 0
}

// checksum is that of RFC 1071, with sum to begin with.
func checksum(b []byte, sum uint32) uint16 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// datagram describes a UDP packet to make.
type datagram struct {
	tuple     chain.FiveTuple
	ttl       byte // 0: 64
	unchecked bool // without a checksum, as IPv4 may
	payload   []byte
}

// packet makes it, with right checksums.
func (d datagram) packet() packet {
	body := make([]byte, 8, 8+len(d.payload))
	binary.BigEndian.PutUint16(body, d.tuple.Source.Port())
	binary.BigEndian.PutUint16(body[2:], d.tuple.Destination.Port())
	binary.BigEndian.PutUint16(body[4:], uint16(8+len(d.payload)))
	p := ipPacket(d.tuple.Source.Addr(), d.tuple.Destination.Addr(), d.ttl, chain.ProtocolUDP, append(body, d.payload...))
	if d.unchecked {
		return p
	}
	sum := checksum(p[p.headerLen():], p.pseudoSum())
	if sum == 0 {
		sum = 0xffff // 0 stands for none
	}
	binary.BigEndian.PutUint16(p[p.headerLen()+6:], sum)
	return p
}
