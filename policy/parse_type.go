// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mbchain/chain"
)

// keywords cannot be names.
var keywords = []string{"agent", "any", "auto", "best-effort", "block", "bypass", "choose", "decide", "document", "enforce", "group",
	"hash", "in-band", "least-loaded", "live-sessions", "match", "may-insert", "may-leave", "migrate", "new-only", "on-failure",
	"out-of-band", "policyd", "priority", "required", "reset", "round-robin", "rule", "set-up", "sticky-source", "type", "weight"}

// wordChoose begins what follows the instances of a type.
const wordChoose = "choose"

// typeStatement parses what follows "type".
func (p *parser) typeStatement() bool {
	name := p.tok
	if !p.expect(kindWord, `a name after "type"`) {
		return false
	}
	t := &Type{Name: name.text, Line: name.line, Document: name.document}
	p.checkName(name, "NF type", MaxTypeName)
	p.declare(name, t)
	if !p.instances(t, name) {
		t.Instances = nil // of a broken type nothing more is said
		return false
	}
	ok := true
	word := p.tok
	if p.acceptWord(wordChoose) {
		t.Choose, ok = choice(p, word, ByHash, InTurn, BySource, LeastLoaded)
	}
	word = p.tok
	if ok && p.acceptWord(wordDecide) {
		t.Decide, ok = choice(p, word, ByAgent, ByServer)
	}
	return ok
}

// instances parses the list of a type.
func (p *parser) instances(t *Type, name token) bool {
	if !p.expect(kindLeftBrace, `"{" and instances after the name, on the same line`) {
		return false
	}
	if p.tok.kind == kindRightBrace {
		p.errorf(name.position, "NF type %s has no instance; write one between the braces: { 10.0.0.2 }", name)
	}
	for !p.accept(kindRightBrace) {
		if !p.instance(t) {
			return false
		}
		if p.tok.kind == kindWord && !p.beginsStatement() {
			p.errorf(p.tok.position, `expected "," or "}", found %s; separate instances by ","`, p.tok)
			return false
		}
		if p.tok.kind != kindRightBrace && !p.expect(kindComma, `"," or "}"`) {
			return false
		}
	}
	return true
}

// declare makes the type known.
func (p *parser) declare(name token, t *Type) {
	if first, ok := p.names[t.Name]; ok {
		p.errorf(name.position, "NF type %s is already declared in %s; put all its instances there", name, where(first.Document, first.Line))
		return
	}
	p.names[t.Name] = t
	if len(p.policy.Types) == MaxTypes {
		p.errorf(name.position, "more than %d NF types; remove those that no rule uses", MaxTypes)
		return
	}
	p.policy.Types = append(p.policy.Types, t)
}

// checkName reports a name that cannot be one.
func (p *parser) checkName(name token, noun string, longest int) {
	switch {
	case slices.Contains(keywords, name.text):
		p.errorf(name.position, "%s is a word of the language and cannot name %s; choose another name", name, article(noun))
	case !isLetter(name.text[0]), strings.ContainsAny(name.text, ":/"):
		p.errorf(name.position, `%s cannot name %s; use a letter, then letters, digits, "-", "_" or "."`, name, article(noun))
	case len(name.text) > longest:
		p.errorf(name.position, "the name of %s has at most %d characters; this one has %d", article(noun), longest, len(name.text))
	}
}

// article puts one in front of a noun.
func article(noun string) string {
	switch noun {
	case "rule", "document":
		return "a " + noun
	}
	return "an " + noun
}

// instance parses an instance and adds it to the type.
func (p *parser) instance(t *Type) bool {
	in := Instance{Weight: 1}
	if p.tok.kind == kindWord && isLetter(p.tok.text[0]) && !strings.Contains(p.tok.text, ":") && !p.beginsStatement() {
		p.checkName(p.tok, "instance", MaxInstanceName)
		in.Name = p.tok.text
		for _, other := range t.Instances {
			if other.Name == in.Name {
				p.errorf(p.tok.position, "instance %s is already in NF type %q; remove one of the two", p.tok, t.Name)
			}
		}
		p.advance()
	}
	at := p.tok
	if at.kind != kindWord || p.beginsStatement() {
		return p.unexpected("the address of an instance")
	}
	if !isDigit(at.text[0]) && !strings.Contains(at.text, ":") {
		p.errorf(at.position, "expected the address of instance %q, found %s; write NAME ADDRESS, and names without blanks", in.Name, at)
		return false
	}
	p.advance()
	p.address(t, &in, at)
	if second := p.tok; second.kind == kindWord && isOtherAddress(second.text, at.text) && !p.beginsStatement() {
		p.advance()
		p.address(t, &in, second)
	}
	if p.acceptWord("weight") {
		w := p.tok
		if !p.expect(kindWord, `a number after "weight"`) {
			return false
		}
		n, err := strconv.ParseUint(w.text, 10, 32)
		if err != nil || n < 1 || n > MaxWeight {
			p.errorf(w.position, "%s is not a weight; write a number from 1 to %d", w, MaxWeight)
		}
		in.Weight = uint32(n)
	}
	if len(t.Instances) == MaxInstances {
		p.errorf(at.position, "NF type %q has more than %d instances; make two types of it", t.Name, MaxInstances)
		return false
	}
	t.Instances = append(t.Instances, in)
	return true
}

// isOtherAddress reports whether a word stands where the second address of an
// instance may, and looks like one of the other family than the first.
func isOtherAddress(word, first string) bool {
	is6 := strings.Contains(word, ":")
	return (is6 || isDigit(word[0])) && is6 != strings.Contains(first, ":")
}

// address gives the instance an address, or reports why it cannot be the
// address of a host.
func (p *parser) address(t *Type, in *Instance, at token) {
	a, err := netip.ParseAddr(at.text)
	switch {
	case strings.Contains(at.text, "/"):
		p.errorf(at.position, "%s is a prefix; an instance is one host, write its address", at)
		return
	case err != nil:
		p.errorf(at.position, "%s is not an address; write one as 10.0.0.2 or fd00::2", at)
		return
	}
	if err := chain.CheckHost(a); err != nil {
		p.errorf(at.position, "%s is %v", at, err)
		return
	}
	if t.has(a) {
		p.errorf(at.position, "%s is already in NF type %q; give it a weight instead: %s weight 2", a, t.Name, a)
	}
	if a.Is4() {
		in.Address = a
	} else {
		in.Address6 = a
	}
}
