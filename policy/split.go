// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"slices"

	"mbchain/chain"
)

// Subpolicy is the part of a policy that one host needs: the rules that a
// session from one of its addresses can match, and the types they name.
type Subpolicy struct {
	Types []*Type   // in the order of the policy
	Rules []SubRule // in the order of the policy
}

// SubRule is a rule as a host needs it.
type SubRule struct {
	Number    int // in the whole policy, from 1
	Predicate Predicate
	Types     []int // indices into Subpolicy.Types, left to right
	OnFailure OnFailure
	SetUp     SetUp
}

// Predicates returns the predicates of the rules in order, for [Compile] and
// [Compile6].
func (s *Subpolicy) Predicates() []Predicate {
	predicates := make([]Predicate, len(s.Rules))
	for i, r := range s.Rules {
		predicates[i] = r.Predicate
	}
	return predicates
}

// Split returns the subpolicy of a host with these source addresses. A rule
// belongs to it if its predicate can hold for one of them, unless all
// sessions from that address match an earlier rule. Rules keep their order
// and number. Addresses without a family are passed over.
func (p *Policy) Split(addresses []netip.Addr) *Subpolicy {
	// What sessions are left for the rules to come, by source address.
	left := make([]region, 0, len(addresses))
	for _, a := range addresses {
		if f := chain.FamilyOf(a); f != 0 {
			left = append(left, everywhere(f).with(SrcIP, addrValue(a), addrValue(a)))
		}
	}
	var rules []*Rule
	for _, r := range p.Rules {
		if slices.ContainsFunc(left, func(from region) bool { return canHold(r.Predicate, from) }) {
			rules = append(rules, r)
		}
		left = slices.DeleteFunc(left, func(from region) bool {
			a, _ := ask(r.Predicate, from)
			return a == yes
		})
	}
	return subpolicy(p.Types, rules)
}

// Whole returns the subpolicy of a gateway, which stands in for hosts of any
// address: all rules.
func (p *Policy) Whole() *Subpolicy { return subpolicy(p.Types, p.Rules) }

// subpolicy numbers anew those of the types that the rules name.
func subpolicy(types []*Type, rules []*Rule) *Subpolicy {
	used := map[*Type]bool{}
	for _, r := range rules {
		for _, t := range r.Chain {
			used[t] = true
		}
	}
	s := &Subpolicy{}
	index := map[*Type]int{}
	for _, t := range types {
		if used[t] {
			index[t] = len(s.Types)
			s.Types = append(s.Types, t)
		}
	}
	for _, r := range rules {
		numbers := make([]int, len(r.Chain))
		for i, t := range r.Chain {
			numbers[i] = index[t]
		}
		s.Rules = append(s.Rules, SubRule{Number: r.Number, Predicate: r.Predicate, Types: numbers, OnFailure: r.OnFailure, SetUp: r.SetUp})
	}
	return s
}
