// SPDX-License-Identifier: Apache-2.0

package policy

import "slices"

// namedRule parses what follows "rule".
func (p *parser) namedRule() bool {
	name := p.tok
	if !p.expect(kindWord, `a name after "rule"`) {
		return false
	}
	p.checkName(name, "rule", MaxRuleName)
	if !p.acceptWord("match") {
		return p.unexpected(`"match" after the name of a rule, on the same line`)
	}
	return p.rule(name)
}

// rule parses what follows "match" of a rule; name is the zero token if it has none.
func (p *parser) rule(name token) bool {
	begin := p.last
	if !p.expect(kindLeftParen, `"(" after "match"`) {
		return false
	}
	if p.tok.kind == kindRightParen {
		p.errorf(p.tok.position, "the predicate is missing; write match(any) for every session")
		return false
	}
	x, ok := p.predicate()
	if !ok || !p.expect(kindRightParen, `"&", "|" or ")"`) {
		return false
	}
	at := begin.position
	at.end = p.last.end
	if !p.expect(kindLeadsTo, `">>" and a chain after the predicate, on the same line`) ||
		!p.expect(kindLeftBrace, `"{" and a chain after ">>", on the same line`) {
		return false
	}
	names, ok := p.chain()
	if !ok {
		return false
	}
	r := &Rule{Name: name.text, Predicate: x, Line: begin.line, Document: begin.document}
	place := place{predicate: at, chain: names}
	if !p.clauses(r, &place) {
		return false
	}
	if len(p.policy.Rules) == MaxRules {
		p.errorf(begin.position, "more than %d rules; join some with \"|\"", MaxRules)
		p.tok = token{kind: kindEOF, position: p.tok.position}
		return true
	}
	if first := p.rules[r.Name]; first != nil && r.Name != "" {
		p.errorf(name.position, "rule %s is already in %s; choose another name", name, first.where())
	}
	p.rules[r.Name] = r
	p.policy.Rules = append(p.policy.Rules, r)
	p.places = append(p.places, place)
	return true
}

// order puts the rules in the order in which they are tried, and numbers them:
// those of greater priority first, and of equal ones those that come first in the
// text.
func (p *parser) order() {
	type placed struct {
		rule  *Rule
		place place
	}
	all := make([]placed, len(p.policy.Rules))
	for i, r := range p.policy.Rules {
		all[i] = placed{r, p.places[i]}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return b.rule.Priority - a.rule.Priority })
	for i, x := range all {
		x.rule.Number = i + 1
		p.policy.Rules[i], p.places[i] = x.rule, x.place
	}
}

// chain parses what follows "{" of a chain.
func (p *parser) chain() ([]token, bool) {
	if p.accept(kindRightBrace) {
		return nil, true
	}
	var names []token
	for {
		if p.tok.kind != kindWord || p.beginsStatement() {
			return nil, p.unexpected("an NF type")
		}
		if len(names) == MaxChain {
			p.errorf(p.tok.position, "the chain has more than %d NF types; leave some out", MaxChain)
			return nil, false
		}
		names = append(names, p.tok)
		p.advance()
		switch {
		case p.accept(kindRightBrace):
			return names, true
		case p.tok.kind == kindComma:
			p.errorf(p.tok.position, `expected "->" or "}", found ","; NF types in a chain are joined by "->"`)
			return nil, false
		case !p.expect(kindThen, `"->" or "}"`):
			return nil, false
		}
	}
}
