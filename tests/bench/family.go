// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// family is one of IP, and how the hosts are numbered with it.
type family struct {
	name      string
	suffix    string // of the names of rows
	nft       string // what nftables calls it
	domain    int
	etherType uint16
	number    byte // in set-up headers
	bits      int
	client    netip.Addr // on c0
	middle    netip.Addr // on m0, where the client's packets arrive
	middleOut netip.Addr // on m1
	server    netip.Addr // on s0
}

var (
	ipv4 = &family{
		name: "IPv4", nft: "ip",
		domain: unix.AF_INET, etherType: unix.ETH_P_IP, number: 4, bits: 32,
		client:    netip.MustParseAddr("10.2.1.2"),
		middle:    netip.MustParseAddr("10.2.1.1"),
		middleOut: netip.MustParseAddr("10.2.2.1"),
		server:    netip.MustParseAddr("10.2.2.2"),
	}
	ipv6 = &family{
		name: "IPv6", suffix: "-6", nft: "ip6",
		domain: unix.AF_INET6, etherType: unix.ETH_P_IPV6, number: 6, bits: 128,
		client:    netip.MustParseAddr("fd02:1::2"),
		middle:    netip.MustParseAddr("fd02:1::1"),
		middleOut: netip.MustParseAddr("fd02:2::1"),
		server:    netip.MustParseAddr("fd02:2::2"),
	}
	families = []*family{ipv4, ipv6}
)

// ends are the addresses of a device and of the one it is connected to, and how
// long their prefix is.
func (f *family) ends(n nic) (own, peer netip.Addr, bits int) {
	bits = 24
	if f == ipv6 {
		bits = 64
	}
	switch n.name {
	case c0.name:
		return f.client, f.middle, bits
	case m0.name:
		return f.middle, f.client, bits
	case m1.name:
		return f.middleOut, f.server, bits
	default:
		return f.server, f.middleOut, bits
	}
}
