// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"mbchain/chain"
)

// group is a [Group] while the text is read.
type group struct {
	*Group
	names []token // of Group.Members
	state groupState
	all   []netip.Prefix // those of groups in it included, each once
}

type groupState uint8

const (
	groupNew groupState = iota
	groupOpen
	groupDone
)

// isName reports whether a word in the place of an address names a group.
func isName(word string) bool { return isLetter(word[0]) && !strings.ContainsAny(word, ":/") }

// groupStatement parses what follows "group".
func (p *parser) groupStatement() bool {
	name := p.tok
	if !p.expect(kindWord, `a name after "group"`) {
		return false
	}
	p.checkName(name, "address group", MaxGroupName)
	g := &group{Group: &Group{Name: name.text, Line: name.line, Document: name.document}}
	p.declareGroup(name, g)
	if !p.expect(kindLeftBrace, `"{" and addresses after the name, on the same line`) {
		g.state = groupDone // of a broken group nothing more is said
		return false
	}
	if p.tok.kind == kindRightBrace {
		p.errorf(name.position, "address group %s has no address; write one between the braces: { 10.0.0.0/24 }", name)
	}
	for !p.accept(kindRightBrace) {
		if !p.member(g) {
			g.state = groupDone
			return false
		}
	}
	return true
}

func (p *parser) declareGroup(name token, g *group) {
	if first, ok := p.groups[g.Name]; ok {
		p.errorf(name.position, "address group %s is already declared in %s; put all its addresses there",
			name, where(first.Document, first.Line))
		return
	}
	if len(p.groups) == MaxGroups {
		p.errorf(name.position, "more than %d address groups; remove those that no rule uses", MaxGroups)
		return
	}
	p.groups[g.Name] = g
	p.policy.Groups = append(p.policy.Groups, g.Group)
}

// member parses a member of a group and the comma behind it.
func (p *parser) member(g *group) bool {
	word := p.tok
	if word.kind != kindWord || p.beginsStatement() {
		return p.unexpected("an address, a prefix or an address group")
	}
	if len(g.Members) == MaxMembers {
		p.errorf(word.position, "address group %q has more than %d members; make several groups of it", g.Name, MaxMembers)
		return false
	}
	p.advance()
	m, ok := Member{Group: word.text}, true
	if !isName(word.text) {
		m.Group = ""
		m.Prefix, ok = p.prefix(word)
	}
	switch {
	case !ok:
	case slices.Contains(g.Members, m):
		p.errorf(word.position, "%s stands twice in address group %q; remove one of the two", word, g.Name)
	default:
		g.Members, g.names = append(g.Members, m), append(g.names, word)
	}
	if p.tok.kind == kindWord && !p.beginsStatement() {
		p.errorf(p.tok.position, `expected "," or "}", found %s; separate addresses by ","`, p.tok)
		return false
	}
	return p.tok.kind == kindRightBrace || p.expect(kindComma, `"," or "}"`)
}

// resolveGroups finds what all groups stand for.
func (p *parser) resolveGroups() {
	for _, g := range p.policy.Groups {
		p.resolveGroup(p.groups[g.Name])
	}
}

// resolveGroup finds what a group stands for. It goes no deeper than there are groups.
func (p *parser) resolveGroup(g *group) {
	if g.state == groupDone {
		return
	}
	g.state = groupOpen
	defer func() { g.state = groupDone }()
	seen := map[netip.Prefix]bool{}
	for i, m := range g.Members {
		prefixes := []netip.Prefix{m.Prefix}
		if m.Group != "" {
			inner := p.findGroup(g.names[i])
			switch {
			case inner == nil:
				continue
			case inner.state == groupOpen:
				p.errorf(g.names[i].position, "address group %q contains itself, by way of %s; take one of them out of the other",
					g.Name, g.names[i])
				continue
			}
			p.resolveGroup(inner)
			prefixes = inner.all
		}
		for _, prefix := range prefixes {
			if seen[prefix] {
				continue
			}
			if len(g.all) == MaxMembers {
				p.errorf(g.names[i].position, "address group %q has more than %d addresses with those of the groups in it; make several groups of it",
					g.Name, MaxMembers)
				return
			}
			seen[prefix] = true
			g.all = append(g.all, prefix)
		}
	}
}

// findGroup returns the group of this name, or reports that there is none.
func (p *parser) findGroup(name token) *group {
	if g := p.groups[name.text]; g != nil {
		return g
	}
	known := slices.Sorted(maps.Keys(p.groups))
	p.errorf(name.position, "address group %s is not declared%s", name,
		orElse(didYouMean(name.text, known), "; add a line: group "+name.text+" { ADDRESS, ... }, or write an address"))
	return nil
}

// groupRef stands for a group in a predicate until the whole text is read.
type groupRef struct {
	field Field
	name  token
}

// Match reports nothing: a predicate that names a group is not yet one.
func (groupRef) Match(chain.FiveTuple) bool { return false }

// String returns the term as it is written.
func (g groupRef) String() string { return g.field.String() + "=" + g.name.text }

func (groupRef) holds(point) bool { return false }
func (groupRef) binding() int     { return bindsNot }

// expandRule puts the addresses of groups in the place of their names.
func (p *parser) expandRule(r *Rule, at position) {
	written := r.Predicate.String()
	x, some := p.expand(r.Predicate)
	if !some {
		return
	}
	r.Predicate, r.Written = x, written
	switch {
	case terms(x) > MaxTerms:
		p.errorf(at, "the predicate has more than %d terms with those of its address groups; make several rules of this one", MaxTerms)
	case nesting(x, bindsOr) > MaxDepth:
		p.errorf(at, "\"(\" and \"~\" nest deeper than %d with those around address groups; make several rules of this one", MaxDepth)
	default:
		return
	}
	r.Predicate = Any{}
}

// expand returns the predicate without references to groups, and whether there were
// any.
func (p *parser) expand(x Predicate) (Predicate, bool) {
	switch x := x.(type) {
	case groupRef:
		return p.expandRef(x), true
	case Not:
		inner, some := p.expand(x.X)
		return Not{inner}, some
	case And:
		parts, some := p.expandAll(x)
		if !some {
			return x, false
		}
		return And(parts), true
	case Or:
		parts, some := p.expandAll(x)
		if !some {
			return x, false
		}
		var flat Or
		for _, part := range parts {
			if inner, ok := part.(Or); ok {
				flat = append(flat, inner...)
			} else {
				flat = append(flat, part)
			}
		}
		return flat, true
	}
	return x, false
}

func (p *parser) expandAll(all []Predicate) (parts []Predicate, some bool) {
	parts = make([]Predicate, len(all))
	for i, x := range all {
		var changed bool
		parts[i], changed = p.expand(x)
		some = some || changed
	}
	return parts, some
}

// expandRef returns what a reference stands for; Any after an error.
func (p *parser) expandRef(ref groupRef) Predicate {
	g := p.findGroup(ref.name)
	if g == nil || len(g.all) == 0 {
		return Any{}
	}
	var parts Or
	for _, prefix := range g.all {
		parts = append(parts, Address{Field: ref.field, Prefix: prefix})
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return parts
}

// nesting returns how deep "(" and "~" nest in the canonical text of an operand,
// as [MaxDepth] counts them.
func nesting(x Predicate, binding int) int {
	n := 0
	switch x := x.(type) {
	case Not:
		n = 1 + nesting(x.X, bindsNot)
	case And:
		for _, part := range x {
			n = max(n, nesting(part, bindsAnd))
		}
	case Or:
		for _, part := range x {
			n = max(n, nesting(part, bindsOr))
		}
	}
	if x.binding() < binding {
		n++
	}
	return n
}

// terms counts the terms of a predicate as [MaxTerms] does.
func terms(x Predicate) int {
	n := 0
	switch x := x.(type) {
	case Not:
		return terms(x.X)
	case And:
		for _, part := range x {
			n += terms(part)
		}
		return n
	case Or:
		for _, part := range x {
			n += terms(part)
		}
		return n
	}
	return weight(x)
}
