// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/binary"
	"math/rand/v2"

	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// mutator makes malformed packets of good ones. The same seed makes the same
// ones.
type mutator struct {
	*rand.Rand
	// apart are sequence numbers of live connections. No TCP packet that comes
	// out is anywhere near them: what is in a connection's window may end it or
	// get into its data, chain or no chain.
	apart []uint32
}

// farEnough is how many bytes the live connections may move, each way.
const farEnough = 1 << 28

// longest is how long a packet may be: what passes an Ethernet device.
const longest = 1500

// mutations are what may be done to a packet of at least an IP header. What
// comes out may be anything but empty.
var mutations = []func(*mutator, packet) packet{
	(*mutator).flipBit, (*mutator).flipBit, (*mutator).setByte, (*mutator).setByte, (*mutator).setWord,
	(*mutator).cut, (*mutator).grow, (*mutator).remove, (*mutator).repeat,
	(*mutator).claimLength, (*mutator).claimFragment, (*mutator).insertHeader, (*mutator).claimProtocol,
	(*mutator).spoilTransport,
}

// mutate does one to four of them, and mostly makes checksums right again, as
// whoever looks at them first hides what comes behind.
func (m *mutator) mutate(p packet) packet {
	p = append(packet(nil), p...)
	for range 1 + m.IntN(4) {
		if len(p) < ipv6HeaderLen {
			break
		}
		p = mutations[m.IntN(len(mutations))](m, p)
	}
	p = p[:min(len(p), longest)]
	return m.seal(p)
}

// position is a place in p, mostly in a header.
func (m *mutator) position(p packet) int {
	if m.IntN(4) > 0 {
		return m.IntN(min(len(p), 128))
	}
	return m.IntN(len(p))
}

func (m *mutator) flipBit(p packet) packet {
	p[m.position(p)] ^= 1 << m.IntN(8)
	return p
}

// odd bytes are where comparisons and signs change.
var oddBytes = []byte{0, 1, 2, 4, 5, 6, 8, 15, 16, 17, 20, 40, 44, 58, 60, 0x7f, 0x80, 0xfe, 0xff}

func (m *mutator) setByte(p packet) packet {
	p[m.position(p)] = oddBytes[m.IntN(len(oddBytes))]
	return p
}

func (m *mutator) setWord(p packet) packet {
	i := m.position(p) &^ 1
	if i+2 <= len(p) {
		odd := []uint16{0, 1, 7, 8, 19, 20, 39, 40, 0x7fff, 0x8000, 0xffff, uint16(len(p)), uint16(len(p) - 1), uint16(len(p) + 1)}
		binary.BigEndian.PutUint16(p[i:], odd[m.IntN(len(odd))])
	}
	return p
}

// cut takes the end away; the header may say so or not.
func (m *mutator) cut(p packet) packet {
	p = p[:1+m.IntN(len(p))]
	if m.IntN(2) == 0 {
		p.setLength(len(p))
	}
	return p
}

func (m *mutator) grow(p packet) packet {
	for range 1 + m.IntN(400) {
		p = append(p, byte(m.Uint32()))
	}
	if m.IntN(2) == 0 {
		p.setLength(len(p))
	}
	return p
}

// remove takes some bytes out, repeat has some twice.
func (m *mutator) remove(p packet) packet {
	at := m.position(p)
	n := min(1+m.IntN(24), len(p)-at)
	if n == len(p) {
		return p
	}
	return append(p[:at], p[at+n:]...)
}

func (m *mutator) repeat(p packet) packet {
	at := m.position(p)
	n := min(1+m.IntN(24), len(p)-at)
	return append(p[:at+n:at+n], p[at:]...)
}

func (m *mutator) claimLength(p packet) packet {
	odd := []int{0, 1, 8, 19, 20, 28, 39, 40, len(p) - 1, len(p) + 1, len(p) / 2, 0x7fff, 0xffff}
	p.setLength(odd[m.IntN(len(odd))])
	return p
}

// setLength writes how long the packet says that it is.
func (p packet) setLength(n int) {
	switch {
	case len(p) < ipv4HeaderLen:
	case p.isIPv6():
		binary.BigEndian.PutUint16(p[4:], uint16(n-ipv6HeaderLen))
	default:
		binary.BigEndian.PutUint16(p[2:], uint16(n))
	}
}

// claimFragment makes it one: the first, one in the middle, the last, or one
// that reaches beyond the end of all packets.
func (m *mutator) claimFragment(p packet) packet {
	offset := []uint16{0, 0, 1, 2, 3, 185, 0x1fff}[m.IntN(7)]
	more := uint16(m.IntN(2))
	if !p.isIPv6() {
		binary.BigEndian.PutUint16(p[4:], uint16(m.IntN(16)))
		binary.BigEndian.PutUint16(p[6:], more<<13|offset)
		return p
	}
	head := make([]byte, 8)
	binary.BigEndian.PutUint16(head[2:], offset<<3|more)
	binary.BigEndian.PutUint32(head[4:], uint32(m.IntN(16)))
	return m.insert6(p, unix.IPPROTO_FRAGMENT, head)
}

// insertHeader puts options of IPv4 or an extension header of IPv6 behind the
// IP header, mostly a right one.
func (m *mutator) insertHeader(p packet) packet {
	if p.isIPv6() {
		kinds := []byte{unix.IPPROTO_HOPOPTS, unix.IPPROTO_ROUTING, unix.IPPROTO_DSTOPTS, unix.IPPROTO_AH, unix.IPPROTO_FRAGMENT, unix.IPPROTO_MH}
		head := make([]byte, 8*(1+m.IntN(3)))
		copy(head[1:], []byte{byte(len(head)/8 - 1), 1, byte(len(head) - 4)})
		if m.IntN(4) == 0 {
			head[1+m.IntN(7)] = byte(m.Uint32())
		}
		return m.insert6(p, kinds[m.IntN(len(kinds))], head)
	}
	words := 1 + m.IntN(10)
	n := int(p[0]&0xf)*4 + 4*words
	if n > 60 || len(p) < ipv4HeaderLen {
		return p
	}
	options := make([]byte, 4*words)
	for i := range options {
		options[i] = 1
	}
	kinds := [][]byte{{1}, {0}, {7, 7, 4}, {0x83, 7, 4}, {0x89, 7, 4}, {0x44, 8, 5}, {0x94, 4, 0}, {0x82, 11}, {255, 255}, {7, 0}, {7, 1}}
	copy(options, kinds[m.IntN(len(kinds))])
	p = append(p[:ipv4HeaderLen:ipv4HeaderLen], append(options, p[ipv4HeaderLen:]...)...)
	p[0] = 4<<4 | byte(n/4)
	p.setLength(len(p))
	return p
}

func (m *mutator) insert6(p packet, kind byte, head []byte) packet {
	head[0], p[6] = p[6], kind
	p = append(p[:ipv6HeaderLen:ipv6HeaderLen], append(head, p[ipv6HeaderLen:]...)...)
	p.setLength(len(p))
	return p
}

func (m *mutator) claimProtocol(p packet) packet {
	at := 9
	if p.isIPv6() {
		at = 6
	}
	kinds := []byte{0, unix.IPPROTO_ICMP, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMPV6, unix.IPPROTO_SCTP, unix.IPPROTO_FRAGMENT, 59, 255}
	p[at] = kinds[m.IntN(len(kinds))]
	return p
}

// spoilTransport changes what says where data begins, and what it is.
func (m *mutator) spoilTransport(p packet) packet {
	protocol, body := p.transport()
	if len(body) < 8 {
		return p
	}
	switch {
	case protocol == chain.ProtocolUDP:
		odd := []int{0, 1, 7, 8, len(body) - 1, len(body) + 1, 0xffff}
		binary.BigEndian.PutUint16(body[4:], uint16(odd[m.IntN(len(odd))]))
	case protocol == chain.ProtocolTCP && len(body) >= 20:
		body[12] = byte(m.IntN(16)) << 4
		if m.IntN(2) == 0 {
			body[13] = byte(m.Uint32())
		}
	default: // ICMP, perhaps: what it is, and whose quote
		body[m.IntN(8)] = oddBytes[m.IntN(len(oddBytes))]
	}
	return p
}

// transport finds what is behind all IP headers: its number and its bytes, nil
// in a later fragment and where headers make no sense.
func (p packet) transport() (protocol byte, body []byte) {
	if len(p) < ipv4HeaderLen {
		return 0, nil
	}
	if !p.isIPv6() {
		if n := p.headerLen(); n >= ipv4HeaderLen && n <= len(p) && binary.BigEndian.Uint16(p[6:])&0x1fff == 0 {
			return p[9], p[n:]
		}
		return 0, nil
	}
	if len(p) < ipv6HeaderLen {
		return 0, nil
	}
	protocol, body = p[6], p[ipv6HeaderLen:]
	for len(body) >= 8 {
		n := 8 + 8*int(body[1])
		switch protocol {
		case unix.IPPROTO_HOPOPTS, unix.IPPROTO_ROUTING, unix.IPPROTO_DSTOPTS, unix.IPPROTO_MH:
		case unix.IPPROTO_AH:
			n = 8 + 4*int(body[1])
		case unix.IPPROTO_FRAGMENT:
			if n = 8; binary.BigEndian.Uint16(body[2:])&^7 != 0 {
				return 0, nil
			}
		default:
			return protocol, body
		}
		if n > len(body) {
			return 0, nil
		}
		protocol, body = body[0], body[n:]
	}
	return protocol, body
}

// seal keeps TCP away from live connections, and mostly makes the checksums
// right.
func (m *mutator) seal(p packet) packet {
	protocol, body := p.transport()
	if protocol == chain.ProtocolTCP && len(body) >= 8 {
		binary.BigEndian.PutUint32(body[4:], m.farSeq())
	}
	at, sum := map[byte]int{chain.ProtocolTCP: 16, chain.ProtocolUDP: 6, unix.IPPROTO_ICMP: 2, unix.IPPROTO_ICMPV6: 2}[protocol], uint32(0)
	if protocol != unix.IPPROTO_ICMP && len(body) > 0 {
		sum = p.pseudo(protocol, len(body))
	}
	if at > 0 && len(body) >= at+2 && m.IntN(3) > 0 {
		binary.BigEndian.PutUint16(body[at:], 0)
		binary.BigEndian.PutUint16(body[at:], checksum(body, sum))
	}
	if len(p) >= ipv4HeaderLen && !p.isIPv6() && m.IntN(8) > 0 {
		if n := p.headerLen(); n >= ipv4HeaderLen && n <= len(p) {
			p.sealHeader()
		}
	}
	return p
}

// farSeq is a sequence number that is in no window of a connection that moves
// less than farEnough.
func (m *mutator) farSeq() uint32 {
	for {
		seq, far := m.Uint32(), true
		for _, isn := range m.apart {
			if d := seq - isn; d < farEnough || -d < farEnough {
				far = false
			}
		}
		if far {
			return seq
		}
	}
}
