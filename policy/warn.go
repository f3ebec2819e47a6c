// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"

	"mbchain/chain"
)

// maxPairwise is how many rules a policy may have for each to be compared
// with all before it; in larger ones it is not said which one hides another.
const maxPairwise = 512

// warn looks for rules that do not do what their author may think.
func (p *parser) warn() {
	p.note()
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
		if all == nil && !canEverHold(Not{r.Predicate}) {
			all = r
		}
	}
}

// warning notes a warning. It returns false when there are enough of them.
func (p *parser) warning(at position, message string) bool {
	full := len(p.warnings) == MaxErrors
	if full {
		message = fmt.Sprintf("more warnings follow; the first %d are shown", MaxErrors)
	}
	d := diagnose(p.lex.source, at, message)
	d.Warning = true
	p.warnings = append(p.warnings, finding{at.off, d})
	return !full
}

// oddity returns the gravest thing to say about a rule, or the empty string.
func (p *parser) oddity(r, equal, all *Rule) string {
	switch {
	case equal != nil:
		return fmt.Sprintf("this rule never matches: %s has the same predicate and comes first; remove one of them", equal.Label())
	case all != nil:
		return fmt.Sprintf("this rule never matches: every session matches %s, which comes first; move this rule before it", all.Label())
	case !canEverHold(r.Predicate):
		return `this rule never matches: its predicate contradicts itself; did you mean "|" instead of "&"?`
	}
	if hides := p.hiding(r); hides != nil {
		return fmt.Sprintf("this rule never matches: all its sessions match %s, which comes first; move this rule before it", hides.Label())
	}
	if !p.matches[r.Number-1] {
		return "this rule never matches: all its sessions match rules that come first; move this rule before them"
	}
	switch {
	case len(r.Chain) > 0 && !canEverHold(And{r.Predicate, Or{Protocol(chain.ProtocolTCP), Protocol(chain.ProtocolUDP)}}):
		return "only TCP and UDP sessions are chained; sessions of this rule go straight to the server"
	case len(r.Chain) == 0 && r.OnFailure == Bypass:
		return "on-failure has no effect: an empty chain cannot fail"
	case len(r.Chain) == 0 && r.Enforce == Required:
		return "enforce has no effect: there is no chain that sessions could come past"
	case r.Enforce == Required && r.OnFailure == Bypass:
		return "on-failure bypass is in vain: the server's host drops what comes past the chain, for the rule is required; write \"enforce best-effort\" or \"on-failure block\""
	case len(r.Chain) == 0 && r.SetUp != Auto:
		return "set-up has no effect: nothing is set up for an empty chain"
	case r.SetUp != Auto && !canEverHold(And{r.Predicate, Protocol(chain.ProtocolTCP)}):
		return "set-up has no effect: only TCP sessions can be set up in-band, and all others are out-of-band"
	case len(r.Chain) == 0 && len(r.MayInsert) > 0:
		return "may-insert has no effect: sessions of an empty chain are left alone, and no host carries them"
	case r.LiveSessions == Reset && !canEverHold(And{r.Predicate, Protocol(chain.ProtocolTCP)}):
		return "live-sessions reset has no effect: only TCP sessions can be reset; did you mean \"live-sessions migrate\"?"
	}
	if message := p.unserved(r); message != "" {
		return message
	}
	return loops(r)
}

// loops says which sessions of a rule fail because their chain comes back to a
// host.
func loops(r *Rule) string {
	for _, f := range families {
		if !canHold(r.Predicate, everywhere(f)) {
			continue
		}
		if host, left, away, right, found := mayLoop(r.Chain, f); found {
			return fmt.Sprintf("the chain comes back to %s for sessions that get it for %q and again for %q, after %q: they are %s; take it out of one of the two",
				host, r.Chain[left].Name, r.Chain[right].Name, r.Chain[away].Name, becomes(r))
		}
	}
	return ""
}

// becomes says what becomes of a session whose chain cannot be set up.
func becomes(r *Rule) string {
	if r.OnFailure == Bypass {
		return "sent straight to the server"
	}
	return "blocked"
}

// unserved says which sessions of a rule always fail because a type of its
// chain has no address of their family. Of a family that the policy speaks
// of nowhere it says nothing: there may be no such sessions.
func (p *parser) unserved(r *Rule) string {
	for _, f := range families {
		if !p.speaks[f] || !canHold(r.Predicate, everywhere(f)) {
			continue
		}
		for _, t := range r.Chain {
			if t.serves(f) {
				continue
			}
			return fmt.Sprintf("NF type %q has no instance with an %v address: %v sessions of this rule are %s", t.Name, f, f, becomes(r))
		}
	}
	return ""
}

// note notes the families that the policy speaks of.
func (p *parser) note() {
	for _, f := range families {
		p.speaks[f] = slices.ContainsFunc(p.policy.Types, func(t *Type) bool { return t.serves(f) }) ||
			slices.ContainsFunc(p.policy.Rules, func(r *Rule) bool { return names(f, r.Predicate) })
	}
}

// hiding returns an earlier rule that matches whatever r matches.
func (p *parser) hiding(r *Rule) *Rule {
	if len(p.policy.Rules) > maxPairwise {
		return nil
	}
	for _, earlier := range p.policy.Rules[:r.Number-1] {
		if hidden(r.Predicate, earlier.Predicate) {
			return earlier
		}
	}
	return nil
}

// hidden reports whether the one predicate holds for nothing but what the
// other holds for.
func hidden(p, other Predicate) bool {
	for _, f := range families {
		budget := budgetPair
		if satisfiable(And{p, Not{other}}, everywhere(f), &budget) {
			return false
		}
	}
	return true
}
