// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"fmt"
	"net/netip"

	"mbchain/chain"
)

// addressOf writes an address, which must be of the family.
func addressOf(f chain.Family, a netip.Addr) func() ([]byte, error) {
	return func() ([]byte, error) {
		if chain.FamilyOf(a) != f {
			return nil, fmt.Errorf("%v is not an %v address: %w", a, f, ErrInvalid)
		}
		return a.AsSlice(), nil
	}
}

func addressLen(f chain.Family) int {
	if f == chain.IPv6 {
		return 16
	}
	return 4
}

// addressFrom reads an address. One of IPv4 mapped into IPv6 is of neither
// family.
func addressFrom(f chain.Family, b []byte) (netip.Addr, error) {
	a, ok := netip.AddrFromSlice(b)
	if !ok || chain.FamilyOf(a) != f {
		return netip.Addr{}, fmt.Errorf("%v is not an %v address", a, f)
	}
	return a, nil
}

// addressInto reads an address of a family.
func addressInto(dst *netip.Addr, f chain.Family) func(b []byte) error {
	return func(b []byte) error {
		if len(b) != addressLen(f) {
			return fmt.Errorf("address of %d bytes instead of %d", len(b), addressLen(f))
		}
		a, err := addressFrom(f, b)
		*dst = a
		return err
	}
}
