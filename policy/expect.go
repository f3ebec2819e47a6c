// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mbchain/chain"
)

// Expectation is what a policy is expected to make of one session. One a line in the
// text that [ParseExpectations] reads:
//
//	# session                          >> what becomes of it
//	10.0.0.1:40000 > 10.0.0.9:80 tcp   >> {firewall -> ids} rule web
//	[fd00::1]:40000 > [fd00::9]:5001   >> {firewall} on-failure bypass
//	10.9.0.1:40000 > 10.0.0.9:53 udp   >> {}
//	10.0.0.1:40000 > 192.0.2.9:22      >> none
type Expectation struct {
	Tuple     chain.FiveTuple // client to server
	None      bool            // no rule matches; what follows is not set
	Chain     []string        // NF types of the rule that matches; empty: it is left alone
	Rule      string          // name or number of that rule; empty: any
	OnFailure string          // "block" or "bypass"; empty: either
	Line      int             // in the text
	Text      string          // the line, without blanks around it and comment
}

// MaxExpectations is how many lines a text of expectations may have that are not
// empty.
const MaxExpectations = 65536

// ParseExpectations reads expectations. What is wrong with the text is returned as
// [Errors].
func ParseExpectations(source string) ([]Expectation, error) {
	if len(source) > MaxSource {
		return nil, Errors{tooLong(source)}
	}
	p := newParser("")
	var list []Expectation
	line, off := 0, 0
	for text := range strings.Lines(source) {
		line++
		if p.full() {
			break
		}
		at := position{off: off, end: off + len(text), line: line}
		off = at.end
		p.lex.source = source[:off] // nothing goes on in the next line
		text, _, _ = strings.Cut(text, "#")
		if strings.TrimSpace(text) == "" {
			continue
		}
		if len(list) == MaxExpectations {
			p.errorf(at, "more than %d expectations; make two files of them", MaxExpectations)
			break
		}
		if e, ok := p.expectation(text, at); ok {
			list = append(list, e)
		}
	}
	if len(p.errs) > 0 {
		return nil, p.errors()
	}
	return list, nil
}

// expectation parses one line.
func (p *parser) expectation(text string, at position) (Expectation, bool) {
	e := Expectation{Line: at.line, Text: strings.TrimSpace(text)}
	left, _, ok := strings.Cut(text, ">>")
	at.end = at.off + len(strings.TrimRight(text, " \t\r\n"))
	if !ok {
		p.errorf(at, `expected SOURCE:PORT > DESTINATION:PORT PROTOCOL >> {CHAIN}, found no ">>"`)
		return e, false
	}
	var err error
	if e.Tuple, err = chain.ParseFiveTuple(strings.NewReplacer("->", ">", "→", ">").Replace(left)); err != nil {
		at.end = at.off + len(strings.TrimRight(left, " \t"))
		p.errorf(at, "%v", err)
		return e, false
	}
	p.lex.off, p.lex.line, p.lex.inLine = at.off+len(left)+len(">>"), at.line, true
	p.depth, p.tok = 0, p.lex.next()
	ok = p.outcome(&e)
	return e, ok
}

// outcome parses what follows ">>".
func (p *parser) outcome(e *Expectation) bool {
	if p.acceptWord("none") {
		e.None = true
		return p.endOfExpectation("the end of the line")
	}
	if !p.expect(kindLeftBrace, `"{" and a chain, or "none" if no rule matches, after ">>"`) {
		return false
	}
	names, ok := p.chain()
	if !ok {
		return false
	}
	for _, n := range names {
		e.Chain = append(e.Chain, n.text)
	}
	for p.tok.kind == kindWord {
		word := p.tok
		p.advance()
		value := p.tok
		switch {
		case word.text == "rule" && e.Rule == "":
			if !p.expect(kindWord, `the name or number of a rule after "rule"`) {
				return false
			}
			e.Rule = value.text
		case word.text == wordOnFailure && e.OnFailure == "":
			choice, ok := choice(p, word, Block, Bypass)
			if !ok {
				return false
			}
			e.OnFailure = choice.String()
		default:
			p.errorf(word.position, `expected "rule", "%s" or the end of the line, each once, found %s`, wordOnFailure, word)
			return false
		}
	}
	return p.endOfExpectation(`"rule", "` + wordOnFailure + `" or the end of the line`)
}

func (p *parser) endOfExpectation(want string) bool {
	if p.tok.kind == kindNewline || p.tok.kind == kindEOF {
		return true
	}
	return p.unexpected(want)
}

// Meets says how a policy disappoints an expectation; the empty string if it does
// not.
func (p *Policy) Meets(e Expectation) string {
	r := p.Match(e.Tuple)
	switch {
	case r == nil && e.None:
		return ""
	case r == nil:
		return "no rule matches"
	case e.None:
		return r.Label() + " matches"
	}
	var got []string
	for _, t := range r.Chain {
		got = append(got, t.Name)
	}
	switch {
	case !slices.Equal(got, e.Chain):
		return fmt.Sprintf("%s gives it {%s}", r.Label(), strings.Join(got, " -> "))
	case e.Rule != "" && e.Rule != r.Name && e.Rule != strconv.Itoa(r.Number):
		return r.Label() + " matches"
	case e.OnFailure != "" && e.OnFailure != r.OnFailure.String():
		return fmt.Sprintf("%s has on-failure %s", r.Label(), r.OnFailure)
	}
	return ""
}
