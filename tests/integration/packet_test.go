// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// packet is an IPv4 packet from its IP header on.
type packet []byte

// Flags of TCP.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

const ipv4HeaderLen = 20 // without options

func (p packet) headerLen() int { return int(p[0]&0xf) * 4 }

// isTCP says whether p is a TCP packet with a whole header that is no later
// fragment.
func (p packet) isTCP() bool {
	if len(p) < ipv4HeaderLen || p[9] != chain.ProtocolTCP || binary.BigEndian.Uint16(p[6:])&0x1fff != 0 {
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

func (p packet) source() netip.Addr      { return netip.AddrFrom4([4]byte(p[12:16])) }
func (p packet) destination() netip.Addr { return netip.AddrFrom4([4]byte(p[16:20])) }

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
	fragment uint16 // flags and offset of the IP header
	doff     byte   // words of the TCP header; 0: 5
	payload  []byte
}

// packet makes it, with right checksums.
func (s segment) packet() packet {
	p := make(packet, ipv4HeaderLen+20+len(s.payload))
	source, destination := s.tuple.Source.Addr().As4(), s.tuple.Destination.Addr().As4()
	p[0], p[8], p[9] = 0x45, 64, chain.ProtocolTCP
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	binary.BigEndian.PutUint16(p[4:], s.tuple.Source.Port())
	binary.BigEndian.PutUint16(p[6:], s.fragment)
	copy(p[12:], source[:])
	copy(p[16:], destination[:])
	binary.BigEndian.PutUint16(p[10:], checksum(p[:ipv4HeaderLen], 0))

	th := p[ipv4HeaderLen:]
	binary.BigEndian.PutUint16(th, s.tuple.Source.Port())
	binary.BigEndian.PutUint16(th[2:], s.tuple.Destination.Port())
	binary.BigEndian.PutUint32(th[4:], s.seq)
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

// pseudoSum is that of the pseudo header of TCP, not complemented.
func (p packet) pseudoSum() uint32 {
	sum := uint32(chain.ProtocolTCP) + uint32(len(p)-p.headerLen())
	for i := 12; i < ipv4HeaderLen; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	return sum
}

// intact says whether both checksums of a TCP packet are right. They are not
// yet in a packet that its own host made and a device is to finish.
func (p packet) intact() bool {
	return checksum(p[:p.headerLen()], 0) == 0 && checksum(p.tcp(), p.pseudoSum()) == 0
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

// send puts packets on the wire in this order. They are handled in this order
// too, as one processor sends them all and handles what it sends.
func (h *host) send(packets ...packet) error {
	return h.in(func() error {
		var one unix.CPUSet
		one.Set(0)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return fmt.Errorf("send from %s: %w", h.name, err)
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return fmt.Errorf("send from %s: %w", h.name, err)
		}
		defer func() { _ = unix.Close(fd) }()
		for _, p := range packets {
			err := unix.Sendto(fd, p, 0, &unix.SockaddrInet4{Addr: p.destination().As4()})
			if errors.Is(err, unix.ENOBUFS) {
				err = nil // the device was busy; who counts will see
			}
			if err != nil {
				return fmt.Errorf("send from %s: %w", h.name, err)
			}
		}
		return nil
	})
}
