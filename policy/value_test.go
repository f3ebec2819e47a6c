// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math/big"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// value is tested from inside the package, against numbers of any size: the
// edges between its halves seldom come about in policies.

func (v value) big() *big.Int {
	n := new(big.Int).SetUint64(v.upper)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(v.lower))
}

func drawValue(t *rapid.T, label string) value {
	half := rapid.SampledFrom([]uint64{0, 1, 2, 1<<32 - 1, 1 << 32, 1<<63 + 7, 1<<64 - 2, 1<<64 - 1})
	return value{half.Draw(t, label+" upper"), half.Draw(t, label+" lower")}
}

func TestValueCountsAndCompares(t *testing.T) {
	one := big.NewInt(1)
	rapid.Check(t, func(t *rapid.T) {
		v, w := drawValue(t, "v"), drawValue(t, "w")
		if got, want := v.compare(w), v.big().Cmp(w.big()); got != want {
			t.Errorf("%v compared with %v: %d, want %d", v.big(), w.big(), got, want)
		}
		if want := new(big.Int).Add(v.big(), one); v != lowBits(128) && v.next().big().Cmp(want) != 0 {
			t.Errorf("next of %v is %v", v.big(), v.next().big())
		}
		if want := new(big.Int).Sub(v.big(), one); v != (value{}) && v.previous().big().Cmp(want) != 0 {
			t.Errorf("previous of %v is %v", v.big(), v.previous().big())
		}
		for n := range 4 {
			want := uint32(new(big.Int).Rsh(v.big(), uint(32*n)).Uint64())
			if got := v.word(n); got != want {
				t.Errorf("word %d of %v is %d, want %d", n, v.big(), got, want)
			}
		}
		if got := addrValue(v.as6()); got != v {
			t.Errorf("%v as an address and back is %v", v.big(), got.big())
		}
	})
}

func TestLowBits(t *testing.T) {
	for n := range 129 {
		want := new(big.Int).Lsh(big.NewInt(1), uint(n))
		if got := lowBits(n).big(); got.Cmp(want.Sub(want, big.NewInt(1))) != 0 {
			t.Errorf("lowBits(%d) = %v, want %v", n, got, want)
		}
	}
	if a := netip.MustParseAddr("10.0.0.1"); addrValue(a).as4() != a {
		t.Errorf("%v and back is %v", a, addrValue(a).as4())
	}
}
