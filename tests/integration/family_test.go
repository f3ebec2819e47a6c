// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"hash/crc32"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// family is one of IP, and how a rig numbers its hosts with it.
type family struct {
	name     string
	nft      string // what nftables calls it
	number   byte   // in set-up headers
	hostBits int
	host     func(k int) netip.Addr        // host K from the left, from 1
	link     func(i, end int) netip.Prefix // link I from the left, from 1, end 1 or 2
	header   int                           // bytes of an IP header
	atOnce   string                        // tells ip that an address is good now, whatever waits
}

var (
	ipv4 = family{
		name: "IPv4", nft: "ip", number: 4, hostBits: 32, header: ipv4HeaderLen,
		host: func(k int) netip.Addr { return netip.AddrFrom4([4]byte{10, 8, 0, byte(k)}) },
		link: func(i, end int) netip.Prefix {
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 8, byte(i), byte(end)}), 30)
		},
	}
	ipv6 = family{
		name: "IPv6", nft: "ip6", number: 6, hostBits: 128, header: ipv6HeaderLen, atOnce: " nodad",
		host: func(k int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("fd08::%x", k)) },
		link: func(i, end int) netip.Prefix {
			return netip.MustParsePrefix(fmt.Sprintf("fd08:0:0:%x::%x/64", i, end))
		},
	}
)

// etherType is the protocol of its frames.
func (f family) etherType() uint16 {
	if f.number == ipv6.number {
		return unix.ETH_P_IPV6
	}
	return unix.ETH_P_IP
}

// eachFamily runs a test for both, or for that which is this guest's share.
func eachFamily(t *testing.T, test func(t *testing.T, f family)) {
	families := []family{ipv4, ipv6}
	if share, err := strconv.Atoi(os.Getenv("MBCHAIN_SHARE")); err == nil {
		// By the name, so that a kernel does not get one family alone.
		top, _, _ := strings.Cut(t.Name(), "/")
		i := (int(crc32.ChecksumIEEE([]byte(top))) + share) % len(families)
		families = families[i : i+1]
	}
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) { test(t, f) })
	}
}
