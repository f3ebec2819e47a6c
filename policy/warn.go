// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"

	"mbchain/chain"
)

// maxPairwise is how many rules a policy may have for each to be compared
// with all before it; in larger ones only equal predicates are found.
const maxPairwise = 512

// warn looks for rules that do not do what their author may think.
func (p *parser) warn() {
	equal := make(map[string]*Rule, len(p.policy.Rules)) // by canonical predicate
	var all *Rule                                        // the first rule that every session matches
	for i, r := range p.policy.Rules {
		text := r.Predicate.String()
		if message := p.oddity(r, equal[text], all); message != "" {
			if !p.warning(p.places[i].predicate, message) {
				return
			}
		}
		if equal[text] == nil {
			equal[text] = r
		}
		if all == nil && !canHold(Not{r.Predicate}, everywhere()) {
			all = r
		}
	}
}

// warning notes a warning. It returns false when there are enough of them.
func (p *parser) warning(at position, message string) bool {
	full := len(p.policy.Warnings) == MaxErrors
	if full {
		message = fmt.Sprintf("more warnings follow; the first %d are shown", MaxErrors)
	}
	d := diagnose(p.lex.source, at, message)
	d.Warning = true
	p.policy.Warnings = append(p.policy.Warnings, d)
	return !full
}

// oddity returns the gravest thing to say about a rule, or the empty string.
func (p *parser) oddity(r, equal, all *Rule) string {
	tcp := uint32(chain.ProtocolTCP)
	switch {
	case equal != nil:
		return fmt.Sprintf("this rule never matches: rule %d (line %d) has the same predicate and comes first; remove one of them",
			equal.Number, equal.Line)
	case all != nil:
		return fmt.Sprintf("this rule never matches: every session matches rule %d (line %d), which comes first; move this rule before it",
			all.Number, all.Line)
	case !canHold(r.Predicate, everywhere()):
		return `this rule never matches: its predicate contradicts itself; did you mean "|" instead of "&"?`
	}
	if hides := p.hiding(r); hides != nil {
		return fmt.Sprintf("this rule never matches: all its sessions match rule %d (line %d), which comes first; move this rule before it",
			hides.Number, hides.Line)
	}
	switch {
	case len(r.Chain) > 0 && !canHold(r.Predicate, everywhere().with(Proto, tcp, tcp)):
		return "only TCP sessions are chained yet; sessions of this rule go straight to the server"
	case len(r.Chain) == 0 && r.OnFailure == Bypass:
		return "on-failure has no effect: an empty chain cannot fail"
	}
	return ""
}

// hiding returns an earlier rule that matches whatever r matches.
func (p *parser) hiding(r *Rule) *Rule {
	if len(p.policy.Rules) > maxPairwise {
		return nil
	}
	for _, earlier := range p.policy.Rules[:r.Number-1] {
		budget := budgetPair
		if !satisfiable(And{r.Predicate, Not{earlier.Predicate}}, everywhere(), &budget) {
			return earlier
		}
	}
	return nil
}
