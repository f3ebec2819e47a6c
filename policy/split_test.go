// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

const splitPolicy = `
type unused { 10.0.0.7 }
type firewall { mb1 10.0.0.2 weight 2, mb3 10.0.0.4 }
type ids { 10.0.0.3 }
match(srcip=10.1.0.0/16 & dstport=22) >> {ids}
match(srcip=10.0.0.0/24 & dstport=80) >> {ids -> firewall} on-failure bypass
match(~srcip=10.0.0.1 & dstport=443) >> {firewall}
match((srcip=10.0.0.2 | dstport=25) & ~dstport=25) >> {ids}
match(srcip=10.0.0.1 | srcip=10.1.0.1 | srcip=fd00::1) >> {}
match(any) >> {firewall}
`

func TestSplit(t *testing.T) {
	tests := []struct {
		name      string
		addresses []string
		rules     []int
		types     []string
		chains    [][]int // of the rules, as indices into types
	}{
		{"no address", nil, nil, nil, nil},
		{"no family", []string{"::ffff:10.0.0.1", "fd00::1%eth0"}, nil, nil, nil},
		{"only ipv6", []string{"2001:db8::1"}, []int{3, 6}, []string{"firewall"}, [][]int{{0}, {0}}},
		{"rules of its own family", []string{"fd00::1"}, []int{3, 5}, []string{"firewall"}, [][]int{{0}, nil}},
		{"rules of both families", []string{"fd00::1", "10.0.0.1"}, []int{2, 3, 5}, []string{"firewall", "ids"}, [][]int{{1, 0}, {0}, nil}},
		{"rules up to one that takes all", []string{"10.0.0.1"}, []int{2, 5}, []string{"firewall", "ids"}, [][]int{{1, 0}, nil}},
		{"another host", []string{"10.0.0.2"}, []int{2, 3, 4, 6}, []string{"firewall", "ids"}, [][]int{{1, 0}, {0}, {1}, {0}}},
		{"a predicate that only other sources satisfy", []string{"10.9.0.1"}, []int{3, 6}, []string{"firewall"}, [][]int{{0}, {0}}},
		{"two addresses", []string{"10.0.0.1", "10.1.0.1"}, []int{1, 2, 3, 5}, []string{"firewall", "ids"}, [][]int{{1}, {1, 0}, {0}, nil}},
		{"one type renumbered", []string{"10.1.0.9"}, []int{1, 3, 6}, []string{"firewall", "ids"}, [][]int{{1}, {0}, {0}}},
	}
	p := mustParse(t, splitPolicy)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var addresses []netip.Addr
			for _, a := range tt.addresses {
				addresses = append(addresses, netip.MustParseAddr(a))
			}
			sub := p.Split(addresses)
			var (
				rules  []int
				types  []string
				chains [][]int
			)
			for _, r := range sub.Rules {
				rules = append(rules, r.Number)
				chains = append(chains, r.Types)
				if want := p.Rules[r.Number-1]; r.OnFailure != want.OnFailure || r.Predicate.String() != want.Predicate.String() {
					t.Errorf("rule %d is %v, %v", r.Number, r.Predicate, r.OnFailure)
				}
			}
			for _, nf := range sub.Types {
				types = append(types, nf.Name)
			}
			if diff := cmp.Diff(tt.rules, rules); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.types, types); diff != "" {
				t.Errorf("types (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.chains, chains, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("chains (-want +got):\n%s", diff)
			}
			if n := len(sub.Predicates()); n != len(sub.Rules) {
				t.Errorf("%d predicates", n)
			}
		})
	}
}

// For a session from one of its addresses a host decides by its subpolicy as
// the whole policy does, and gets the same chain.
// A gateway needs every rule, with its number.
func TestWhole(t *testing.T) {
	p := mustParse(t, "type fw { 10.0.0.2 }\nmatch(srcip=10.0.0.9) >> {}\nmatch(srcip=10.0.0.8) >> {fw}\n")
	whole := p.Whole()
	if len(whole.Types) != 1 || len(whole.Rules) != 2 || whole.Rules[1].Number != 2 || len(whole.Rules[1].Types) != 1 {
		t.Errorf("the whole policy is %+v, want one type and two rules", whole)
	}
}

func TestSplitDecidesAsTheWholePolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		tuple := drawTuple(t)
		sub := p.Split([]netip.Addr{drawAddr(t, drawFamily(t), "other address"), tuple.Source.Addr()})
		want := p.Match(tuple)
		i := reference(sub.Predicates(), tuple)
		if want == nil || i == 0 {
			if want != nil || i != 0 {
				t.Fatalf("%v matches rule %d of the subpolicy and %v of the policy", tuple, i, want)
			}
			return
		}
		got := sub.Rules[i-1]
		if got.Number != want.Number || len(got.Types) != len(want.Chain) {
			t.Fatalf("%v gets rule %d, want %d", tuple, got.Number, want.Number)
		}
		for j, n := range got.Types {
			if sub.Types[n] != want.Chain[j] {
				t.Fatalf("%v gets %s, want %s", tuple, sub.Types[n].Name, want.Chain[j].Name)
			}
		}
	})
}
