// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"

	"github.com/dchest/siphash"

	"mbchain/chain"
)

// SeedLen is the length of a seed in bytes.
const SeedLen = 16

// Seed is the SipHash key of the instance choice. All hosts have the same
// one, so all of them choose alike.
type Seed [SeedLen]byte

// SeedFromBytes makes a seed of exactly SeedLen bytes, as found in messages.
func SeedFromBytes(b []byte) (Seed, error) {
	if len(b) != SeedLen {
		return Seed{}, fmt.Errorf("read seed: %d bytes instead of %d", len(b), SeedLen)
	}
	return Seed(b), nil
}

// String returns the seed as 32 hexadecimal digits.
func (s Seed) String() string { return hex.EncodeToString(s[:]) }

// Choice is the instance that a session gets of one NF type, and why.
type Choice struct {
	Instance Instance
	Address  netip.Addr // of the instance, of the session's family
	Point    uint32     // place of the session in [0, Total)
	Total    uint32     // sum of the weights of all that could be chosen; 0: none could
}

// Choose returns the instance of a type that a session gets: of those with an
// address of the session's family, the first whose running sum of weights
// exceeds the session's point. The point is a hash of the five-tuple, client
// to server, and of index, the position of the type in the chain from 0: the
// same type twice in one chain may give two instances. With BySource the hash is
// that of the client's address and of index. With InTurn, where only the client's
// host knows whose turn it is, the answer is the one that the hash gives: any is
// right, for a session that gets an instance later. The tuple has a family. Where no instance has an address of it the answer is the zero Choice.
//
// mbc_path_choose() in kmod/path.c computes the same, by the rule in
// kmod/path.h; paper, section 3.2.
func Choose(seed Seed, t *Type, index int, super chain.FiveTuple) Choice {
	f := super.Family()
	instances := t.instancesFor(f)
	if len(instances) == 0 {
		return Choice{}
	}
	var c Choice
	for _, in := range instances {
		c.Total += in.Weight
	}
	h := tupleHash(seed, t.Choose, super, uint8(index))
	c.Point = uint32((h >> 32) * uint64(c.Total) >> 32)
	c.take(instances, f)
	return c
}

// ChooseInTurn returns the instance of a type that a session gets with InTurn on a
// host where its rule has had so many sessions before.
func ChooseInTurn(t *Type, turn uint32, f chain.Family) Choice {
	instances := t.instancesFor(f)
	if len(instances) == 0 {
		return Choice{}
	}
	var c Choice
	for _, in := range instances {
		c.Total += in.Weight
	}
	c.Point = turn % c.Total
	c.take(instances, f)
	return c
}

// take takes the instance that the point falls to.
func (c *Choice) take(instances []Instance, f chain.Family) {
	var sum uint32
	for _, in := range instances {
		if sum += in.Weight; sum > c.Point {
			c.Instance, c.Address = in, in.addressFor(f)
			break
		}
	}
}

// tupleHash returns SipHash-2-4 of the tuple in network byte order, protocol
// and index as one byte each: 14 bytes of IPv4, 38 of IPv6; or, by source, of the
// client's address and index.
func tupleHash(seed Seed, by Method, t chain.FiveTuple, index uint8) uint64 {
	message := make([]byte, 0, 38)
	message = append(message, t.Source.Addr().AsSlice()...)
	if by != BySource {
		message = append(message, t.Destination.Addr().AsSlice()...)
		message = binary.BigEndian.AppendUint16(message, t.Source.Port())
		message = binary.BigEndian.AppendUint16(message, t.Destination.Port())
		message = append(message, t.Protocol)
	}
	message = append(message, index)
	return siphash.Hash(binary.LittleEndian.Uint64(seed[:8]), binary.LittleEndian.Uint64(seed[8:]), message)
}
