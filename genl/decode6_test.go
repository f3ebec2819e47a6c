// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"net/netip"
	"testing"

	"mbchain/chain"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	goldenSaddr6 = []byte{20, 0, 6, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
	goldenDaddr6 = []byte{20, 0, 7, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4}
	goldenPorts  = goldenTuple[16:] // and the protocol
	goldenTuple6 = join(goldenSaddr6, goldenDaddr6, goldenPorts)
	goldenHops6  = join(
		[]byte{36, 0, 14, 0},
		[]byte{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3},
		[]byte{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4},
	)
	goldenSide6 = join(
		[]byte{68, 0, 2, 0x80}, goldenTuple6,
		goldenSide[44:], // the counters
	)
	goldenMiddle6 = join(
		goldenID,
		[]byte{5, 0, 3, 0, 2, 0, 0, 0},
		[]byte{5, 0, 4, 0, 2, 0, 0, 0},
		[]byte{68, 0, 5, 0x80}, goldenTuple6,
		[]byte{120, 0, 6, 0x80}, goldenSide6,
		[]byte{120, 0, 7, 0x80}, goldenSide6,
		goldenHops6,
		[]byte{12, 0, 11, 0, 0xdc, 5, 0, 0, 0, 0, 0, 0},
		[]byte{12, 0, 12, 0, 3, 0, 0, 0, 0, 0, 0, 0},
	)
)

func goldenSession6() *Session {
	t, err := chain.ParseFiveTuple("[fd00::1]:40000 > [fd00::4]:80 tcp")
	if err != nil {
		panic(err)
	}
	s := goldenSession()
	s.Super, s.Left.Tuple, s.Right.Tuple = t, t, t
	s.Hops = []netip.Addr{netip.MustParseAddr("fd00::3"), netip.MustParseAddr("fd00::4")}
	return s
}

func TestDecodeIPv6Session(t *testing.T) {
	littleEndian(t)
	want := goldenSession6()
	got, _, err := decodeSession(goldenMiddle6)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestDecodeRefusesTwoFamilies(t *testing.T) {
	littleEndian(t)
	saddr4, daddr4 := goldenTuple[:8], goldenTuple[8:16]
	super := func(pieces ...[]byte) []byte {
		tuple := join(pieces...)
		return join(goldenID, []byte{byte(4 + len(tuple)), 0, 5, 0x80}, tuple)
	}
	hops4 := []byte{8, 0, 10, 0, 10, 0, 0, 4}
	mapped := []byte{20, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 4}
	tests := []struct {
		name  string
		bytes []byte
	}{
		{"source and destination", super(saddr4, goldenDaddr6, goldenPorts)},
		{"two sources", super(saddr4, goldenSaddr6, daddr4, goldenPorts)},
		{"both whole", super(goldenTuple, goldenTuple6)},
		{"no destination", super(goldenSaddr6, goldenPorts)},
		{"short address", super(goldenSaddr6, []byte{8, 0, 7, 0, 0xfd, 0, 0, 0}, goldenPorts)},
		{"mapped address", super(goldenSaddr6, mapped, goldenPorts)},
		{"hops of another family", join(super(goldenTuple6), hops4)},
		{"IPv6 hops of an IPv4 session", join(super(goldenTuple), goldenHops6)},
		{"hops of both", join(goldenID, hops4, goldenHops6)},
		{"half a hop", join(goldenID, []byte{12, 0, 14, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0})},
		{"too many hops", join(goldenID, []byte{20, 1, 14, 0}, make([]byte, 272))},
		{"side of another family", join(super(goldenTuple6), []byte{96, 0, 6, 0x80}, goldenSide)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := asSession(tt.bytes); !errors.Is(err, ErrMalformed) {
				t.Errorf("decode: %v, want %v", err, ErrMalformed)
			}
		})
	}
}
