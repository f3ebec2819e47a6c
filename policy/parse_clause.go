// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// The words that begin a clause, in the order in which a rule is printed.
const (
	wordPriority     = "priority"
	wordOnFailure    = "on-failure"
	wordSetUp        = "set-up"
	wordEnforce      = "enforce"
	wordLiveSessions = "live-sessions"
	wordMayLeave     = "may-leave"
	wordMayInsert    = "may-insert"
)

var clauseWords = []string{wordPriority, wordOnFailure, wordSetUp, wordEnforce, wordLiveSessions, wordMayLeave, wordMayInsert}

// clauses parses what follows the chain of a rule, in any order.
func (p *parser) clauses(r *Rule, at *place) bool {
	var seen []string
	for p.tok.kind == kindWord && !p.tok.opensStatement() {
		word := p.tok
		if !slices.Contains(clauseWords, word.text) {
			p.errorf(word.position, `expected "%s" or the end of the statement, found %s%s`,
				strings.Join(clauseWords, `", "`), word, didYouMean(word.text, clauseWords))
			return false
		}
		if slices.Contains(seen, word.text) {
			p.errorf(word.position, "%s stands twice in this rule; remove one of the two", word)
		}
		seen = append(seen, word.text)
		p.advance()
		if !p.clause(word, r, at) {
			return false
		}
	}
	return true
}

// clause parses what follows the word that begins a clause.
func (p *parser) clause(word token, r *Rule, at *place) (ok bool) {
	switch word.text {
	case wordPriority:
		r.Priority, ok = p.priority(word)
	case wordOnFailure:
		r.OnFailure, ok = choice(p, word, Block, Bypass)
	case wordSetUp:
		r.SetUp, ok = choice(p, word, Auto, InBand, OutOfBand)
	case wordEnforce:
		r.Enforce, ok = choice(p, word, BestEffort, Required)
	case wordLiveSessions:
		r.LiveSessions, ok = choice(p, word, NewOnly, Migrate, Reset)
	case wordMayLeave:
		at.mayLeave, ok = p.typeList(word)
	default:
		at.mayInsert, ok = p.typeList(word)
	}
	return ok
}

// priority parses the number that says when a rule is tried.
func (p *parser) priority(after token) (int, bool) {
	value := p.tok
	if !p.expect(kindWord, "a number after "+after.String()) {
		return 0, false
	}
	n, err := strconv.ParseInt(value.text, 10, 16)
	if err != nil {
		p.errorf(value.position, "%s is not a priority; write a number from %d to %d, of which the greatest comes first",
			value, math.MinInt16, math.MaxInt16)
	}
	return int(n), true
}

// choice parses one of a few words.
func choice[T interface {
	comparable
	String() string
}](p *parser, after token, choices ...T) (T, bool) {
	words := make([]string, len(choices))
	for i, c := range choices {
		words[i] = c.String()
		if p.acceptWord(words[i]) {
			return c, true
		}
	}
	last := len(words) - 1
	want := `"` + strings.Join(words[:last], `", "`) + `" or "` + words[last] + `" after ` + after.String()
	if guess := didYouMean(p.tok.text, words); guess != "" && p.tok.kind == kindWord {
		p.errorf(p.tok.position, "expected %s, found %s%s", want, p.tok, guess)
		return choices[0], false
	}
	return choices[0], p.unexpected(want)
}

// typeList parses the names of one or more NF types, with commas between them.
func (p *parser) typeList(after token) ([]token, bool) {
	var names []token
	for {
		if p.tok.kind != kindWord || slices.Contains(keywords, p.tok.text) {
			return nil, p.unexpected("an NF type after " + p.last.String())
		}
		if len(names) == MaxChain {
			p.errorf(p.tok.position, "more than %d NF types after %s; leave some out", MaxChain, after)
			return nil, false
		}
		if slices.ContainsFunc(names, func(t token) bool { return t.text == p.tok.text }) {
			p.errorf(p.tok.position, "NF type %s stands twice after %s; remove one of the two", p.tok, after)
		}
		names = append(names, p.tok)
		p.advance()
		if !p.accept(kindComma) {
			return names, true
		}
	}
}

// resolveClauses finds the types that the clauses of a rule name. The types of its
// chain are known.
func (p *parser) resolveClauses(r *Rule, at place, known []string) {
	chain := strings.Split(typeNames(r.Chain, " "), " ")
	for _, name := range at.mayLeave {
		t := p.resolveType(name, known)
		switch {
		case t == nil:
		case slices.Contains(r.Chain, t):
			r.MayLeave = append(r.MayLeave, t)
		case len(r.Chain) == 0:
			p.errorf(name.position, "NF type %s is not in the chain of this rule, which is empty; remove %s", name, wordMayLeave)
		default:
			p.errorf(name.position, "NF type %s is not in the chain of this rule, so that none could leave%s",
				name, orElse(didYouMean(name.text, chain), "; it has "+strings.Join(chain, ", ")))
		}
	}
	for _, name := range at.mayInsert {
		t := p.resolveType(name, known)
		switch {
		case t == nil:
		case slices.Contains(r.Chain, t):
			p.errorf(name.position, "NF type %s is in the chain of this rule already; take it out of the chain, or out of %s", name, wordMayInsert)
		default:
			r.MayInsert = append(r.MayInsert, t)
		}
	}
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
