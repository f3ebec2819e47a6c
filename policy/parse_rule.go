// SPDX-License-Identifier: Apache-2.0

package policy

// rule parses what follows "match".
func (p *parser) rule() bool {
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
	at := position{off: begin.off, end: p.last.end, line: begin.line}
	if !p.expect(kindLeadsTo, `">>" and a chain after the predicate, on the same line`) ||
		!p.expect(kindLeftBrace, `"{" and a chain after ">>", on the same line`) {
		return false
	}
	names, ok := p.chain()
	if !ok {
		return false
	}
	r := &Rule{Number: len(p.policy.Rules) + 1, Predicate: x, Line: begin.line}
	place := place{predicate: at, chain: names}
	if !p.clauses(r, &place) {
		return false
	}
	if len(p.policy.Rules) == MaxRules {
		p.errorf(begin.position, "more than %d rules; join some with \"|\"", MaxRules)
		p.tok = token{kind: kindEOF, position: p.tok.position}
		return true
	}
	p.policy.Rules = append(p.policy.Rules, r)
	p.places = append(p.places, place)
	return true
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
