// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mbchain/policy"
)

// A warning that a rule never matches is a proof: no session does.
func TestRulesSaidNeverToMatchNeverMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		drawn := drawPolicy(t)
		p, err := policy.Parse(drawn.String())
		if err != nil {
			t.Fatal(err)
		}
		never := map[int]string{}
		for _, w := range p.Warnings {
			for _, r := range p.Rules {
				if r.Line == w.Line && strings.HasPrefix(w.Message, "this rule never matches") {
					never[r.Number] = w.Message
				}
			}
		}
		for range 30 {
			tuple := drawTuple(t)
			if r := p.Match(tuple); r != nil && never[r.Number] != "" {
				t.Fatalf("%v matches rule %d, of which is said: %s\n%s", tuple, r.Number, never[r.Number], p)
			}
		}
	})
}

// A rule is left out of a host's subpolicy only if that is proven to be right,
// and the proof is short.
func TestSplitKeepsWhatMayMatch(t *testing.T) {
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("~dstport=%d & ~srcport=%d", 10*i, 10*i))
	}
	tests := []struct {
		name      string
		predicate string
		rules     int
	}{
		{"satisfiable", "(dstport=1 | srcport=1) & (dstport=2 | srcport=2)", 2},
		{"contradiction", "(dstport=1 | srcport=1) & (dstport=2 | srcport=2) & (dstport=3 | srcport=3)", 1},
		{"satisfiable with many holes", strings.Join(many, " & "), 2},
		{"only the lowest value left", "srcport=1 & ~dstport=1-65535", 2},
		{"only the highest value left", "srcport=1 & ~dstport=0-65534", 2},
		{"no value left", "srcport=1 & ~dstport=0-65535", 1},
		{"contradiction too hard to see", strings.Join(many, " & ") + " & dstip=10.0.0.1 & dstip=10.0.0.2", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mustParse(t, "match("+tt.predicate+") >> {}\nmatch(dstport=1) >> {}")
			sub := p.Split([]netip.Addr{netip.MustParseAddr("10.0.0.1")})
			if n := len(sub.Rules); n != tt.rules {
				t.Errorf("%d rules, want %d", n, tt.rules)
			}
		})
	}
}
