// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"errors"
	"fmt"
	"net/netip"
)

// Family is a version of IP. A session is of one family from end to end.
type Family uint8

// The families. The numbers are those of the IP header's version.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// String returns "IPv4" or "IPv6".
func (f Family) String() string {
	if f == IPv4 || f == IPv6 {
		return fmt.Sprintf("IPv%d", uint8(f))
	}
	return fmt.Sprintf("family(%d)", uint8(f))
}

// FamilyOf returns the family of an address; 0 for what no session can have:
// no address, one with a zone, an IPv4 address mapped into IPv6.
func FamilyOf(a netip.Addr) Family {
	switch {
	case a.Is4():
		return IPv4
	case a.Is6() && !a.Is4In6() && a.Zone() == "":
		return IPv6
	}
	return 0
}

// IsUnicast reports whether a session can begin or end at a: a is neither
// unspecified, multicast nor, for IPv4, in 0.0.0.0/8 or 255.255.255.255.
// Loopback addresses are unicast. An IPv4 address mapped into IPv6 is not:
// unmap it first.
func IsUnicast(a netip.Addr) bool {
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.Is4In6() {
		return false
	}
	if a.Is4() {
		return a.As4()[0] != 0 && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
	}
	return true
}

// CheckHost returns nil when other hosts can reach a host under the address:
// it is unicast and of more than one link. Otherwise the error completes "a
// is ...".
func CheckHost(a netip.Addr) error {
	switch {
	case a.Is4In6():
		return fmt.Errorf("an IPv4 address mapped into IPv6; write %s", a.Unmap())
	case a.Zone() != "":
		return errors.New("an address with a zone, which only this host understands; write a global address")
	case a.Is6() && a.IsLinkLocalUnicast():
		return errors.New("a link-local address, which hosts behind a router cannot reach; write a global address")
	case a.IsLoopback():
		return errors.New("a loopback address, which other hosts cannot reach; write the address of the host")
	case !IsUnicast(a):
		return errors.New("not a unicast address; write the address of the host")
	}
	return nil
}
