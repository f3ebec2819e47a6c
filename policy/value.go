// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
)

// value is what a field can hold: a number of 128 bits, for IPv6 addresses.
type value struct{ upper, lower uint64 }

func number[N ~uint8 | ~uint16 | ~uint32](n N) value { return value{lower: uint64(n)} }

// addrValue returns the address as a number, 32 or 128 bits of it.
func addrValue(a netip.Addr) value {
	if a.Is4() {
		b := a.As4()
		return number(binary.BigEndian.Uint32(b[:]))
	}
	b := a.As16()
	return value{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// lowBits returns the value whose n lowest bits are set.
func lowBits(n int) value {
	if n <= 64 {
		return value{0, 1<<n - 1}
	}
	return value{1<<(n-64) - 1, 1<<64 - 1}
}

func (v value) or(w value) value { return value{v.upper | w.upper, v.lower | w.lower} }

func (v value) compare(w value) int {
	if v.upper != w.upper {
		return cmp.Compare(v.upper, w.upper)
	}
	return cmp.Compare(v.lower, w.lower)
}

func (v value) less(w value) bool {
	return v.upper < w.upper || v.upper == w.upper && v.lower < w.lower
}

// next returns v + 1. V is not the largest value.
func (v value) next() value {
	if v.lower++; v.lower == 0 {
		v.upper++
	}
	return v
}

// previous returns v - 1. V is not 0.
func (v value) previous() value {
	if v.lower == 0 {
		v.upper--
	}
	v.lower--
	return v
}

// distance returns how many values there are from v to w, w not being less.
func (v value) distance(w value) float64 {
	lower, borrow := bits.Sub64(w.lower, v.lower, 0)
	upper, _ := bits.Sub64(w.upper, v.upper, borrow)
	return math.Ldexp(float64(upper), 64) + float64(lower) + 1
}

// as4 and as6 return the address that a value of 32 or 128 bits stands for.
func (v value) as4() netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(v.lower))))
}

func (v value) as6() netip.Addr {
	b := binary.BigEndian.AppendUint64(nil, v.upper)
	return netip.AddrFrom16([16]byte(binary.BigEndian.AppendUint64(b, v.lower)))
}

// word returns the 32 bits that stand at place n from the right.
func (v value) word(n int) uint32 {
	if n < 2 {
		return uint32(v.lower >> (32 * n))
	}
	return uint32(v.upper >> (32 * (n - 2)))
}
