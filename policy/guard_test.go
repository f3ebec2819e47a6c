// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mbchain/chain"
	"mbchain/policy"
)

func TestGuards(t *testing.T) {
	const types = "type fw { 10.0.0.2 fd00::2 }\n"
	tests := []struct {
		name, rules string
		want        []string // number, "!" if required
	}{
		{"none is required", "match(dstport=80) >> {fw}", nil},
		{"one", "match(dstport=80) >> {fw} enforce required", []string{"0", "1!"}},
		{"exceptions before it", "match(srcip=10.0.0.7) >> {}\nmatch(dstport=80) >> {fw} enforce required", []string{"0", "1", "2!"}},
		{"nothing behind it", "match(dstport=80) >> {fw} enforce required\nmatch(any) >> {fw}", []string{"0", "1!"}},
		{"other servers", "match(dstip=10.0.0.8) >> {fw}\nmatch(dstip=10.0.0.9 & dstport=80) >> {fw} enforce required\n" +
			"match(dstip=fd00::8) >> {fw} enforce required", []string{"0", "2!"}},
		{"all behind one for every session", "match(any) >> {fw}\nmatch(dstport=80) >> {fw} enforce required", nil},
		{"an empty chain", "match(dstport=80) >> {} enforce required\nmatch(dstport=81) >> {fw} enforce required", []string{"0", "1", "2!"}},
		{"of the other family", "match(srcip=0.0.0.0/0) >> {fw}\nmatch(any) >> {fw} enforce required", []string{"0", "1", "2!"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mustParse(t, types+tt.rules)
			var got []string
			for _, g := range p.Guards([]netip.Addr{netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("fd00::9")}) {
				text := fmt.Sprint(g.Number)
				if g.Required {
					text += "!"
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("guards (-want +got):\n%s", diff)
			}
		})
	}
}

// For a session to one of its addresses a host decides by its guards as the whole
// policy does, and what agents and policyd say to each other comes in.
func TestGuardsDecideAsTheWholePolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, tuple := drawPolicy(t), drawTuple(t)
		guards := p.Guards([]netip.Addr{drawAddr(t, drawFamily(t), "other address"), tuple.Destination.Addr()})
		var predicates []policy.Predicate
		for _, g := range guards {
			predicates = append(predicates, g.Predicate)
		}
		got := false
		if i := reference(predicates, tuple); i > 0 {
			got = guards[i-1].Required
		}
		want := false
		if i := reference(p.Predicates(), tuple); i > 0 {
			r := p.Rules[i-1]
			want = r.Enforce == policy.Required && len(r.Chain) > 0
		}
		if got != want {
			t.Fatalf("%v is required: %t, want %t, by %v", tuple, got, want, guards)
		}
		tuple.Protocol = chain.ProtocolUDP
		tuple.Destination = netip.AddrPortFrom(tuple.Destination.Addr(), policy.AgentPort)
		if i := reference(predicates, tuple); i > 0 && guards[i-1].Required {
			t.Fatalf("%v, which is an agent's, is required", tuple)
		}
	})
}
