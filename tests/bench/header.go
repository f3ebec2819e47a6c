// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/dchest/siphash"

	"mbchain/chain"
	"mbchain/genl"
)

var key = genl.Key{ID: 1, Secret: genl.Secret{1}}

// setupHeader is a signed set-up header (docs/PROTOCOL.md) of the session
// number id, for the hosts that are still to come, the receiver first.
func setupHeader(id uint64, super chain.FiveTuple, hops ...netip.Addr) []byte {
	f := ipv4
	if super.Source.Addr().Is6() {
		f = ipv6
	}
	size := 36 + (2+len(hops))*f.bits/8 + 4 + macLen
	b := []byte("mbch\x01\x00")
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = binary.BigEndian.AppendUint32(b, key.ID)
	b = binary.BigEndian.AppendUint32(b, uint32(time.Now().Unix()))
	b = binary.BigEndian.AppendUint64(b, 1)
	b = binary.BigEndian.AppendUint64(b, id)
	b = append(b, chain.ProtocolTCP, f.number, byte(len(hops)), 0)
	b = append(b, super.Source.Addr().AsSlice()...)
	b = append(b, super.Destination.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, super.Source.Port())
	b = binary.BigEndian.AppendUint16(b, super.Destination.Port())
	for _, h := range hops {
		b = append(b, h.AsSlice()...)
	}
	return sign(b)
}

const macLen = 8

// sign appends the MAC of a header.
func sign(b []byte) []byte {
	k0 := binary.LittleEndian.Uint64(key.Secret[:8])
	k1 := binary.LittleEndian.Uint64(key.Secret[8:])
	return binary.LittleEndian.AppendUint64(b, siphash.Hash(k0, k1, b))
}
