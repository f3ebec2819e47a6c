// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/dchest/siphash"

	"mbchain/chain"
	"mbchain/genl"
)

// header is a set-up header, written after docs/PROTOCOL.md and not after the
// module's code. What is 0 in a good one can be made something else.
type header struct {
	version  byte
	flags    byte
	length   uint16
	keyID    uint32
	time     uint32
	id       chain.SessionID
	protocol byte
	family   byte
	nHops    byte
	reserved byte
	super    chain.FiveTuple
	hops     []netip.Addr
	secret   genl.Secret // signs
}

// Lengths of a set-up header.
const (
	headerHead = 36 // before the addresses
	headerMAC  = 8
)

// headerFixed is how long it is before the hops.
func headerFixed(f family) int { return headerHead + 2*f.hostBits/8 + 4 }

// headerLen is how long one with n hops is.
func headerLen(f family, n int) int { return headerFixed(f) + n*f.hostBits/8 + headerMAC }

// familyOf is that of an address.
func familyOf(a netip.Addr) family {
	if a.Is4() {
		return ipv4
	}
	return ipv6
}

// newHeader is a good header for the hosts, the receiver first.
func newHeader(id byte, super chain.FiveTuple, hops []netip.Addr) header {
	h := header{
		version:  1,
		keyID:    rigKey.ID,
		time:     uint32(time.Now().Unix()),
		id:       chain.SessionID(bytes.Repeat([]byte{id}, chain.SessionIDLen)),
		protocol: chain.ProtocolTCP,
		family:   familyOf(super.Source.Addr()).number,
		super:    super,
		secret:   rigKey.Secret,
	}
	h.setHops(hops...)
	return h
}

// setHops sets the hops, and all that goes by their number.
func (h *header) setHops(hops ...netip.Addr) {
	h.hops = hops
	h.nHops = byte(len(hops))
	h.length = uint16(headerLen(familyOf(h.super.Source.Addr()), len(hops)))
}

// bytes writes the header and signs it.
func (h *header) bytes() []byte {
	b := []byte("mbch")
	b = append(b, h.version, h.flags)
	b = binary.BigEndian.AppendUint16(b, h.length)
	b = binary.BigEndian.AppendUint32(b, h.keyID)
	b = binary.BigEndian.AppendUint32(b, h.time)
	b = append(b, h.id[:]...)
	b = append(b, h.protocol, h.family, h.nHops, h.reserved)
	b = append(b, h.super.Source.Addr().AsSlice()...)
	b = append(b, h.super.Destination.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, h.super.Source.Port())
	b = binary.BigEndian.AppendUint16(b, h.super.Destination.Port())
	for _, hop := range h.hops {
		b = append(b, hop.AsSlice()...)
	}
	return binary.LittleEndian.AppendUint64(b, mac(b, h.secret))
}

func mac(b []byte, secret genl.Secret) uint64 {
	return siphash.Hash(binary.LittleEndian.Uint64(secret[:8]), binary.LittleEndian.Uint64(secret[8:]), b)
}

// readHeader takes a header from the beginning of a payload, and returns what
// is behind it. The MAC must be the secret's.
func readHeader(b []byte, secret genl.Secret) (header, []byte, error) {
	f := ipv4
	if len(b) > headerHead && b[33] == ipv6.number {
		f = ipv6
	}
	if len(b) < headerLen(f, 0) || string(b[:4]) != "mbch" || len(b) < headerLen(f, int(b[34])) {
		return header{}, nil, fmt.Errorf("read set-up header: %d bytes that are none", len(b))
	}
	h := header{
		version:  b[4],
		flags:    b[5],
		keyID:    binary.BigEndian.Uint32(b[8:]),
		time:     binary.BigEndian.Uint32(b[12:]),
		id:       chain.SessionID(b[16:32]),
		protocol: b[32],
		family:   b[33],
		reserved: b[35],
		secret:   secret,
	}
	n := int(b[34])
	rest := b[headerHead:]
	addr := func() netip.Addr {
		a, _ := netip.AddrFromSlice(rest[:f.hostBits/8])
		rest = rest[f.hostBits/8:]
		return a
	}
	source, destination := addr(), addr()
	h.super = chain.FiveTuple{
		Source:      netip.AddrPortFrom(source, binary.BigEndian.Uint16(rest)),
		Destination: netip.AddrPortFrom(destination, binary.BigEndian.Uint16(rest[2:])),
		Protocol:    chain.ProtocolTCP,
	}
	rest = rest[4:]
	var hops []netip.Addr
	for range n {
		hops = append(hops, addr())
	}
	h.setHops(hops...)
	if !bytes.Equal(h.bytes(), b[:h.length]) {
		return header{}, nil, fmt.Errorf("read set-up header: % x is not what % x says", b[:h.length], h.bytes())
	}
	return h, b[h.length:], nil
}
