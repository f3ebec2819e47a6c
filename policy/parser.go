// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strings"

	"mbchain/chain"
)

// Parse reads and checks a policy text. What is wrong with it is returned as
// [Errors]; what is merely odd stands in the policy's Warnings.
func Parse(source string) (*Policy, error) {
	p, err := read(source)
	if p == nil {
		return nil, err
	}
	p.resolve()
	if len(p.errs) > 0 {
		return nil, p.errors()
	}
	if err := p.checkSize(); err != nil {
		return nil, err
	}
	p.warn()
	p.policy.Warnings = inOrder(p.warnings)
	return p.policy, nil
}

// read reads the statements of a policy text, one by one. What is wrong with them is
// returned as [Errors], and the parser too, which may find more; it is nil only for a
// text that is not read at all.
func read(source string) (*parser, error) {
	if len(source) > MaxSource {
		return nil, Errors{tooLong(source)}
	}
	p := newParser(source)
	p.groups = map[string]*group{}
	for p.tok.kind != kindEOF && !p.full() {
		if !p.statement() {
			p.resync()
		}
	}
	if len(p.errs) > 0 {
		return p, p.errors()
	}
	return p, nil
}

// ParsePredicate reads the text of one predicate, as [Predicate] String
// returns it. What is wrong with it is returned as [Errors].
func ParsePredicate(source string) (Predicate, error) {
	if len(source) > MaxSource {
		return nil, Errors{tooLong(source)}
	}
	p := newParser(source)
	x, ok := p.predicate()
	if ok && p.tok.kind != kindEOF {
		p.unexpected(`"&", "|" or the end of the predicate`)
	}
	if len(p.errs) > 0 {
		return nil, p.errors()
	}
	return x, nil
}

func tooLong(source string) Diagnostic {
	return Diagnostic{Line: 1, Column: 1, Width: 1,
		Message: fmt.Sprintf("the text has %d bytes; at most %d are allowed", len(source), MaxSource)}
}

// parser holds the state of one run over a text. A method that returns false
// has reported an error from which only [parser.resync] helps; errors of
// meaning are reported and parsing goes on.
type parser struct {
	lex    lexer
	tok    token // the next one, not consumed
	last   token // the one before it
	depth  int   // brackets open before tok; inside of them newlines are blanks
	opens  []token
	terms  int // in the predicate being parsed
	policy *Policy
	places []place // of policy.Rules, one each
	names  map[string]*Type
	groups map[string]*group     // nil: the text may name none
	rules  map[string]*Rule      // by name
	begun  []string              // documents
	speaks map[chain.Family]bool // of which families the policy says something
	// matches says of each rule, in their order, whether a session may match it; it may
	// say so of one that none does.
	matches []bool

	errs     []finding
	warnings []finding
}

// finding is a diagnostic and where in the text it stands.
type finding struct {
	off int
	Diagnostic
}

// inOrder returns findings in the order of the text. A last one that says that more
// follow stays the last.
func inOrder(found []finding) []Diagnostic {
	slices.SortStableFunc(found[:min(len(found), MaxErrors)], func(a, b finding) int { return a.off - b.off })
	var list []Diagnostic
	for _, f := range found {
		list = append(list, f.Diagnostic)
	}
	return list
}

// place remembers where the pieces of a rule stand.
type place struct {
	predicate position
	chain     []token
	mayLeave  []token
	mayInsert []token
}

func newParser(source string) *parser {
	p := &parser{lex: newLexer(source), policy: &Policy{}, names: map[string]*Type{}, rules: map[string]*Rule{},
		speaks: map[chain.Family]bool{}}
	p.tok = p.lex.next()
	return p
}

// errorf reports an error about a piece of the text.
func (p *parser) errorf(at position, format string, args ...any) {
	if !p.full() {
		p.errs = append(p.errs, finding{at.off, diagnose(p.lex.source, at, fmt.Sprintf(format, args...))})
	}
}

// full reports whether so many errors are known that more do not help.
func (p *parser) full() bool { return len(p.errs) > MaxErrors }

// errors returns what was reported, in the order of the text.
func (p *parser) errors() Errors {
	if len(p.errs) > MaxErrors {
		p.errs[MaxErrors].Message = fmt.Sprintf("more errors follow; the first %d are shown", MaxErrors)
	}
	return inOrder(p.errs)
}

// advance consumes a token. It keeps count of brackets and drops the newlines
// inside them.
func (p *parser) advance() {
	switch p.tok.kind {
	case kindLeftParen, kindLeftBrace:
		if p.depth <= MaxDepth {
			p.opens = append(p.opens[:p.depth], p.tok)
		}
		p.depth++
	case kindRightParen, kindRightBrace:
		p.depth = max(p.depth-1, 0)
	}
	p.last = p.tok
	first := false
	for {
		p.tok = p.lex.next()
		first = first || p.tok.first
		if p.depth == 0 || p.tok.kind != kindNewline {
			p.tok.first = first
			return
		}
	}
}

// accept consumes the next token if it is of this kind.
func (p *parser) accept(k kind) bool {
	if p.tok.kind != k {
		return false
	}
	p.advance()
	return true
}

// expect consumes a token of this kind, or reports that it is not there.
func (p *parser) expect(k kind, want string) bool {
	if p.accept(k) {
		return true
	}
	return p.unexpected(want)
}

// acceptWord consumes the next token if it is this word.
func (p *parser) acceptWord(word string) bool {
	if !p.tok.is(word) {
		return false
	}
	p.advance()
	return true
}

// unexpected reports the next token and what should stand in its place. It
// returns false.
func (p *parser) unexpected(want string) bool {
	hint := hints[p.tok.text]
	switch {
	case p.tok.kind == kindBad:
		p.errorf(p.tok.position, "%s", p.tok.text)
	case p.depth > 0 && (p.tok.kind == kindEOF || p.beginsStatement()):
		open := p.opens[min(p.depth, len(p.opens))-1]
		p.errorf(open.position, "%s is never closed; expected %s before line %d", open, want, p.tok.line)
	case hint != "" && p.tok.kind == kindWord:
		p.errorf(p.tok.position, "expected %s, found %s; %s", want, p.tok, hint)
	default:
		p.errorf(p.tok.position, "expected %s, found %s", want, p.tok)
	}
	return false
}

// hints tell people who know another language how ours says it.
var hints = map[string]string{
	"and": `write "&"`,
	"or":  `write "|"`,
	"not": `write "~"`,
}

// statementWords are those that a statement may begin with.
var statementWords = []string{"document", "group", "match", "rule", "type"}

func (t token) opensStatement() bool {
	return t.kind == kindWord && slices.Contains(statementWords, t.text)
}

// beginsStatement reports whether a new statement begins here even though a
// bracket is open.
func (p *parser) beginsStatement() bool { return p.tok.first && p.tok.opensStatement() }

// resync skips to the end of a statement that is not understood. A line that
// begins as only the rest of a statement can belongs to it.
func (p *parser) resync() {
	for {
		switch {
		case p.tok.kind == kindEOF:
			return
		case p.tok.kind == kindSemicolon, p.beginsStatement():
			p.depth = 0
			return
		case p.tok.kind == kindNewline && p.depth == 0:
			p.advance()
			if p.tok.kind != kindLeadsTo && p.tok.kind != kindLeftBrace {
				return
			}
		default:
			p.advance()
		}
	}
}

// statement parses a statement and its end, or an empty one.
func (p *parser) statement() bool {
	switch {
	case p.accept(kindNewline), p.accept(kindSemicolon):
		return true
	case p.acceptWord("type"):
		return p.typeStatement() && p.endOfStatement()
	case p.acceptWord("group"):
		return p.groupStatement() && p.endOfStatement()
	case p.acceptWord("rule"):
		return p.namedRule() && p.endOfStatement()
	case p.acceptWord("match"):
		return p.rule(token{}) && p.endOfStatement()
	case p.acceptWord("document"):
		return p.documentStatement()
	case p.tok.kind == kindWord && strings.HasPrefix(p.tok.text, "//"):
		p.errorf(p.tok.position, `a comment begins with "#"`)
		return false
	case p.tok.kind == kindWord:
		p.errorf(p.tok.position, `unknown statement %s; a statement begins with "%s"%s`,
			p.tok, strings.Join(statementWords, `", "`), didYouMean(p.tok.text, statementWords))
		return false
	}
	return p.unexpected(`a statement ("match", "type", ...)`)
}

func (p *parser) endOfStatement() bool {
	switch p.tok.kind {
	case kindNewline, kindSemicolon, kindEOF:
		return true
	}
	if p.tok.opensStatement() {
		p.errorf(p.tok.position, `expected the end of the statement; begin the next one on a line of its own or after ";"`)
		return false
	}
	return p.unexpected("the end of the statement")
}
