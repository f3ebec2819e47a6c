// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"net/netip"
	"testing"

	"mbchain/chain"
	"mbchain/policy"
)

func TestPredicateMatch(t *testing.T) {
	tuple := mustTuple(t, "10.0.0.1:40000 > 192.0.2.1:80 tcp")
	tests := []struct {
		predicate string
		want      bool
	}{
		{"any", true},
		{"~any", false},
		{"srcip=10.0.0.1", true},
		{"srcip=10.0.0.2", false},
		{"srcip=10.0.0.0/31", true},
		{"srcip=10.0.0.2/31", false},
		{"srcip=0.0.0.0/0", true},
		{"dstip=192.0.0.0/16", true},
		{"dstip=10.0.0.0/8", false},
		{"srcport=40000", true},
		{"dstport=80", true},
		{"dstport=80-80", true},
		{"dstport=0-79", false},
		{"dstport=79-80", true},
		{"dstport=81-65535", false},
		{"proto=tcp", true},
		{"proto=udp", false},
		{"dstport=80 & proto=tcp", true},
		{"dstport=80 & proto=udp", false},
		{"dstport=81 | proto=tcp", true},
		{"dstport=81 | proto=udp", false},
		{"proto=tcp | any & ~any", true},
		{"(proto=tcp | any) & ~any", false},
		{"~dstport=81 & proto=tcp", true},
		{"~(dstport=80 | proto=udp)", false},
		{"~~dstport=80", true},
	}
	for _, tt := range tests {
		t.Run(tt.predicate, func(t *testing.T) {
			if got := mustParsePredicate(t, tt.predicate).Match(tuple); got != tt.want {
				t.Errorf("Match = %t, want %t", got, tt.want)
			}
		})
	}
}

func TestPredicateMatchOfIPv6(t *testing.T) {
	tuple := mustTuple(t, "[fd00::1]:40000 > [2001:db8:0:1::80]:80 tcp")
	tests := []struct {
		predicate string
		want      bool
	}{
		{"any", true},
		{"srcip=fd00::1", true},
		{"srcip=fd00::2", false},
		{"srcip=fd00::/127", true},
		{"srcip=fd00::2/127", false},
		{"srcip=::/0", true},
		{"srcip=8000::/1", true},
		{"srcip=::/1", false},
		{"dstip=2001:db8:0:1::/64", true},
		{"dstip=2001:db8:0:2::/64", false},
		{"dstip=2001:db8::/62", true},
		{"dstip=2001:db8:0:1:8000::/65", false},
		{"dstip=2001:db8::80", false},
		{"dstip=10.0.0.0/8", false},
		{"~dstip=10.0.0.0/8", true},
		{"dstport=80 & proto=tcp & srcip=fd00::/8", true},
	}
	for _, tt := range tests {
		t.Run(tt.predicate, func(t *testing.T) {
			if got := mustParsePredicate(t, tt.predicate).Match(tuple); got != tt.want {
				t.Errorf("Match = %t, want %t", got, tt.want)
			}
		})
	}
}

func TestNothingMatchesWithoutAFamily(t *testing.T) {
	p := mustParse(t, "match(any | ~any) >> {}")
	for name, tuple := range map[string]chain.FiveTuple{
		"none": {},
		"two families": {
			Source:      netip.MustParseAddrPort("10.0.0.1:1"),
			Destination: netip.MustParseAddrPort("[2001:db8::2]:1"),
		},
		"zone": {
			Source:      netip.MustParseAddrPort("[fe80::1%eth0]:1"),
			Destination: netip.MustParseAddrPort("[fe80::2]:1"),
		},
		"ipv4 mapped into ipv6": {
			Source:      netip.MustParseAddrPort("[::ffff:10.0.0.1]:1"),
			Destination: netip.MustParseAddrPort("[::ffff:10.0.0.2]:1"),
		},
	} {
		if r := p.Match(tuple); r != nil || p.Rules[0].Predicate.Match(tuple) {
			t.Errorf("%s matches rule %v", name, r)
		}
	}
}

func TestFirstRuleWins(t *testing.T) {
	p := mustParse(t, "match(dstport=1)>>{};match(dstport=1-2)>>{};match(dstport=1-3)>>{}")
	for port, want := range map[string]int{"1": 1, "2": 2, "3": 3, "4": 0} {
		got := 0
		if r := p.Match(mustTuple(t, "10.0.0.1:1 > 10.0.0.2:"+port)); r != nil {
			got = r.Number
		}
		if got != want {
			t.Errorf("port %s matches rule %d, want %d", port, got, want)
		}
	}
	if n := len(p.Predicates()); n != 3 {
		t.Errorf("%d predicates", n)
	}
}

func TestPolicyCounts(t *testing.T) {
	p := mustParse(t, "type a { 10.0.0.1 weight 3, 10.0.0.2 }; type b { 10.0.0.3 }")
	if n := p.Instances(); n != 3 {
		t.Errorf("%d instances, want 3", n)
	}
	var limits = policy.MaxInstances * policy.MaxWeight
	if limits>>32 != 0 {
		t.Errorf("the total weight of a type may be %d, which is no uint32", limits)
	}
}
