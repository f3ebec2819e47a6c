// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// TCP flags.
const (
	flagSYN = 0x02
	flagACK = 0x10
)

// What endpoints may send before they are answered, scaled.
const window = 0xffff

const (
	etherLen = 14
	tcpLen   = 20
	udpLen   = 8
)

// synOptions are an MSS of 1460 and a window scale of 10.
var synOptions = []byte{2, 4, 0x05, 0xb4, 3, 3, 10, 1}

// segment is a TCP segment or UDP datagram.
type segment struct {
	tuple    chain.FiveTuple
	flags    byte
	seq, ack uint32
	options  []byte
	payload  []byte
	// A segment of several packets' length: they are of this length each, and
	// the checksum is left to the device.
	gsoSize int
}

// packet is the segment with its IP header.
func (s *segment) packet() []byte {
	l4 := tcpLen + len(s.options) + len(s.payload)
	if s.tuple.Protocol == chain.ProtocolUDP {
		l4 = udpLen + len(s.payload)
	}
	b := s.ip(l4)
	at := len(b) - l4
	if s.tuple.Protocol == chain.ProtocolUDP {
		s.udp(b[at:])
	} else {
		s.tcp(b[at:])
	}
	copy(b[len(b)-len(s.payload):], s.payload)
	s.checksum(b, at)
	return b
}

func (s *segment) ip(l4 int) []byte {
	src, dst := s.tuple.Source.Addr(), s.tuple.Destination.Addr()
	if src.Is6() {
		b := make([]byte, 40+l4)
		b[0] = 0x60
		binary.BigEndian.PutUint16(b[4:], uint16(l4))
		b[6] = s.tuple.Protocol
		b[7] = 64
		copy(b[8:], src.AsSlice())
		copy(b[24:], dst.AsSlice())
		return b
	}
	b := make([]byte, 20+l4)
	b[0] = 0x45
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	b[6] = 0x40 // do not fragment
	b[8] = 64
	b[9] = s.tuple.Protocol
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	binary.BigEndian.PutUint16(b[10:], ^sum(0, b[:20]))
	return b
}

func (s *segment) tcp(b []byte) {
	binary.BigEndian.PutUint16(b[0:], s.tuple.Source.Port())
	binary.BigEndian.PutUint16(b[2:], s.tuple.Destination.Port())
	binary.BigEndian.PutUint32(b[4:], s.seq)
	binary.BigEndian.PutUint32(b[8:], s.ack)
	b[12] = byte((tcpLen + len(s.options)) / 4 << 4)
	b[13] = s.flags
	binary.BigEndian.PutUint16(b[14:], window)
	copy(b[tcpLen:], s.options)
}

func (s *segment) udp(b []byte) {
	binary.BigEndian.PutUint16(b[0:], s.tuple.Source.Port())
	binary.BigEndian.PutUint16(b[2:], s.tuple.Destination.Port())
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
}

// checksum fills in that of the TCP or UDP header at offset at.
func (s *segment) checksum(b []byte, at int) {
	addresses := b[8:at]
	if s.tuple.Source.Addr().Is4() {
		addresses = b[12:at]
	}
	l4 := b[at:]
	pseudo := sum(uint32(s.tuple.Protocol)+uint32(len(l4)), addresses)
	field := l4[s.checksumOffset():]
	if s.gsoSize > 0 {
		binary.BigEndian.PutUint16(field, pseudo)
		return
	}
	binary.BigEndian.PutUint16(field, ^sum(uint32(pseudo), l4))
}

func (s *segment) checksumOffset() int {
	if s.tuple.Protocol == chain.ProtocolUDP {
		return 6
	}
	return 16
}

// frame is the segment as a device sends it.
func (s *segment) frame(from nic) []byte {
	b := append(append([]byte(nil), from.peer...), from.mac...)
	f := ipv4
	if s.tuple.Source.Addr().Is6() {
		f = ipv6
	}
	b = binary.BigEndian.AppendUint16(b, f.etherType)
	return append(b, s.packet()...)
}

// answer is a segment in the other direction that acknowledges s.
func (s *segment) answer(flags byte, seq uint32) segment {
	ack := s.seq + uint32(len(s.payload))
	if s.flags&flagSYN != 0 {
		ack = s.seq + 1 // what it carries is a set-up header, or nothing
	}
	return segment{tuple: s.tuple.Reverse(), flags: flags, seq: seq, ack: ack}
}

// parse reads a frame; false if it is neither TCP nor UDP.
func parse(b []byte) (segment, bool) {
	if len(b) < etherLen+20+udpLen {
		return segment{}, false
	}
	ip := b[etherLen:]
	var s segment
	var src, dst netip.Addr
	var l4 []byte
	switch binary.BigEndian.Uint16(b[12:]) {
	case unix.ETH_P_IP:
		s.tuple.Protocol = ip[9]
		src, dst = netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20]))
		l4 = ip[20:binary.BigEndian.Uint16(ip[2:])]
	case unix.ETH_P_IPV6:
		if len(ip) < 40+udpLen {
			return segment{}, false
		}
		s.tuple.Protocol = ip[6]
		src, dst = netip.AddrFrom16([16]byte(ip[8:24])), netip.AddrFrom16([16]byte(ip[24:40]))
		l4 = ip[40:]
	default:
		return segment{}, false
	}
	switch {
	case s.tuple.Protocol == chain.ProtocolUDP:
		s.payload = l4[udpLen:]
	case s.tuple.Protocol == chain.ProtocolTCP && len(l4) >= tcpLen:
		s.seq = binary.BigEndian.Uint32(l4[4:])
		s.ack = binary.BigEndian.Uint32(l4[8:])
		s.flags = l4[13]
		s.payload = l4[l4[12]>>4*4:]
	default:
		return segment{}, false
	}
	s.tuple.Source = netip.AddrPortFrom(src, binary.BigEndian.Uint16(l4[0:]))
	s.tuple.Destination = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(l4[2:]))
	return s, true
}

// sum is the ones' complement sum of bytes.
func sum(start uint32, b []byte) uint16 {
	for ; len(b) > 1; b = b[2:] {
		start += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		start += uint32(b[0]) << 8
	}
	for start > 0xffff {
		start = start&0xffff + start>>16
	}
	return uint16(start)
}

// virtioHeader is what stands before a frame that a device is to finish, see
// struct virtio_net_hdr.
func virtioHeader(s *segment, frameLen int) []byte {
	h := make([]byte, 10)
	if s.gsoSize == 0 {
		return h
	}
	headers := frameLen - len(s.payload)
	h[0] = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM
	h[1] = unix.VIRTIO_NET_HDR_GSO_TCPV4
	if s.tuple.Source.Addr().Is6() {
		h[1] = unix.VIRTIO_NET_HDR_GSO_TCPV6
	}
	binary.NativeEndian.PutUint16(h[2:], uint16(headers))
	binary.NativeEndian.PutUint16(h[4:], uint16(s.gsoSize))
	binary.NativeEndian.PutUint16(h[6:], uint16(headers-tcpLen-len(s.options)))
	binary.NativeEndian.PutUint16(h[8:], uint16(s.checksumOffset()))
	return h
}
