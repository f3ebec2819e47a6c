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
	onFailure, ok := p.onFailure()
	if !ok {
		return false
	}
	if len(p.policy.Rules) == MaxRules {
		p.errorf(begin.position, "more than %d rules; join some with \"|\"", MaxRules)
		p.tok = token{kind: kindEOF, position: p.tok.position}
		return true
	}
	p.policy.Rules = append(p.policy.Rules, &Rule{
		Number: len(p.policy.Rules) + 1, Predicate: x, OnFailure: onFailure, Line: begin.line,
	})
	p.places = append(p.places, place{predicate: at, chain: names})
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

func (p *parser) onFailure() (OnFailure, bool) {
	if p.tok.kind != kindWord || p.tok.is("match") || p.tok.is("type") {
		return Block, true
	}
	if !p.acceptWord("on-failure") {
		p.errorf(p.tok.position, `expected "on-failure" or the end of the statement, found %s%s`,
			p.tok, didYouMean(p.tok.text, []string{"on-failure"}))
		return Block, false
	}
	switch {
	case p.acceptWord("block"):
		return Block, true
	case p.acceptWord("bypass"):
		return Bypass, true
	}
	return Block, p.unexpected(`"block" or "bypass" after "on-failure"`)
}
