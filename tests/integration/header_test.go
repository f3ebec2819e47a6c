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
	headerFixed = 48
	headerMAC   = 8
)

// newHeader is a good header for the hosts, the receiver first.
func newHeader(id byte, super chain.FiveTuple, hops []netip.Addr) header {
	h := header{
		version:  1,
		keyID:    rigKey.ID,
		time:     uint32(time.Now().Unix()),
		id:       chain.SessionID(bytes.Repeat([]byte{id}, chain.SessionIDLen)),
		protocol: chain.ProtocolTCP,
		family:   4,
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
	h.length = uint16(headerFixed + 4*len(hops) + headerMAC)
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
	if len(b) < headerFixed+headerMAC || string(b[:4]) != "mbch" {
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
		super: chain.FiveTuple{
			Source:      netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[36:])), binary.BigEndian.Uint16(b[44:])),
			Destination: netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[40:])), binary.BigEndian.Uint16(b[46:])),
			Protocol:    chain.ProtocolTCP,
		},
		secret: secret,
	}
	var hops []netip.Addr
	n := int(b[34])
	if len(b) < headerFixed+4*n+headerMAC {
		return header{}, nil, fmt.Errorf("read set-up header: %d bytes for %d hops", len(b), n)
	}
	for i := range n {
		hops = append(hops, netip.AddrFrom4([4]byte(b[headerFixed+4*i:])))
	}
	h.setHops(hops...)
	if !bytes.Equal(h.bytes(), b[:h.length]) {
		return header{}, nil, fmt.Errorf("read set-up header: % x is not what % x says", b[:h.length], h.bytes())
	}
	return h, b[h.length:], nil
}
