// SPDX-License-Identifier: Apache-2.0

package chain_test

import (
	"net/netip"
	"strings"
	"testing"

	"mbchain/chain"
)

func TestCheckHost(t *testing.T) {
	tests := []struct {
		address string
		family  chain.Family
		want    string // part of what is wrong; empty: nothing
	}{
		{"10.0.0.1", chain.IPv4, ""},
		{"169.254.1.1", chain.IPv4, ""},
		{"240.0.0.1", chain.IPv4, ""},
		{"0.0.0.0", chain.IPv4, "not a unicast address"},
		{"0.1.2.3", chain.IPv4, "not a unicast address"},
		{"224.0.0.1", chain.IPv4, "not a unicast address"},
		{"255.255.255.255", chain.IPv4, "not a unicast address"},
		{"127.0.0.1", chain.IPv4, "a loopback address"},
		{"fd00::1", chain.IPv6, ""},
		{"2001:db8::1", chain.IPv6, ""},
		{"::", chain.IPv6, "not a unicast address"},
		{"::1", chain.IPv6, "a loopback address"},
		{"ff02::1", chain.IPv6, "not a unicast address"},
		{"fe80::1", chain.IPv6, "a link-local address"},
		{"fe80::1%eth0", 0, "an address with a zone"},
		{"fd00::1%eth0", 0, "an address with a zone"},
		{"::ffff:10.0.0.1", 0, "an IPv4 address mapped into IPv6; write 10.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.address, func(t *testing.T) {
			a := netip.MustParseAddr(tt.address)
			if got := chain.FamilyOf(a); got != tt.family {
				t.Errorf("family %v, want %v", got, tt.family)
			}
			err := chain.CheckHost(a)
			if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("CheckHost: %v, want %q", err, tt.want)
			}
		})
	}
	if err := chain.CheckHost(netip.Addr{}); err == nil {
		t.Error("no address is one of a host")
	}
	if f := chain.FamilyOf(netip.Addr{}); f != 0 {
		t.Errorf("no address has family %v", f)
	}
}

func TestFamilyOfATuple(t *testing.T) {
	tests := []struct {
		name, source, destination string
		want                      chain.Family
	}{
		{"IPv4", "10.0.0.1:1", "10.0.0.2:2", chain.IPv4},
		{"IPv6", "[fd00::1]:1", "[fd00::2]:2", chain.IPv6},
		{"both", "10.0.0.1:1", "[fd00::2]:2", 0},
		{"mapped", "[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.2]:2", 0},
		{"zone", "[fe80::1%eth0]:1", "[fe80::2]:2", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tuple(tt.source, tt.destination, chain.ProtocolTCP).Family(); got != tt.want {
				t.Errorf("family %v, want %v", got, tt.want)
			}
		})
	}
	if f := (chain.FiveTuple{}).Family(); f != 0 {
		t.Errorf("no tuple has family %v", f)
	}
}
