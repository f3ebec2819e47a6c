// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"mbchain/chain"
	"mbchain/policy"
)

func TestNoRuleOfASetMatchesButTheLast(t *testing.T) {
	for _, f := range families {
		super := flowTuple(f.client, f.server, httpPort, 0, chain.ProtocolTCP)
		for i, r := range (ruleSet{10000, "dstport=80"}).predicates(f) {
			p, err := policy.ParsePredicate(r)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := p.Match(super), i == 9999; got != want {
				t.Errorf("%s: rule %d, %s, matches: %v", f.name, i, r, got)
			}
		}
	}
}
