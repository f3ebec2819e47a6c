// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"sort"
)

// Change is one way in which a policy differs from another.
type Change struct {
	Kind   ChangeKind
	Noun   string // "group", "type" or "rule"
	Name   string // of the group or type, or of the rule if it has one
	Before string // statement in the old policy; empty: there was none
	After  string // statement in the new policy; empty: there is none

	// Places of a rule among those of its policy, from 1; 0: not there, or no rule.
	NumberBefore int
	NumberAfter  int
}

// ChangeKind is what became of a statement.
type ChangeKind uint8

// The kinds. Append-only.
const (
	Added ChangeKind = iota
	Removed
	Changed // reads otherwise
	Moved   // reads the same, and is tried before a rule that was tried before it, or the other way round
)

// String returns "added", "removed", "changed" or "moved".
func (k ChangeKind) String() string {
	return [...]string{"added", "removed", "changed", "moved"}[k]
}

// Diff returns what makes one policy another. Where it returns nothing every session
// fares the same by both: neither layout nor comments nor documents nor the order of
// groups and types make a change. Changes come in
// the order of groups, types and rules; of each what is in the new policy first, in
// its order. A rule is the same one in both if it has the same name or, without
// one, the same predicate as written; as few rules as can be count as moved.
func Diff(before, after *Policy) []Change {
	var d differ
	d.named("group", groupTexts(before), groupTexts(after))
	d.named("type", typeTexts(before), typeTexts(after))
	d.rules(before.Rules, after.Rules)
	return d.changes
}

type differ struct{ changes []Change }

func (d *differ) add(c Change) { d.changes = append(d.changes, c) }

// statement is a named one.
type statement struct{ name, text string }

func groupTexts(p *Policy) []statement {
	list := make([]statement, len(p.Groups))
	for i, g := range p.Groups {
		list[i] = statement{g.Name, g.String()}
	}
	return list
}

func typeTexts(p *Policy) []statement {
	list := make([]statement, len(p.Types))
	for i, t := range p.Types {
		list[i] = statement{t.Name, t.String()}
	}
	return list
}

func (d *differ) named(noun string, before, after []statement) {
	old := make(map[string]string, len(before))
	for _, s := range before {
		old[s.name] = s.text
	}
	kept := make(map[string]bool, len(after))
	for _, s := range after {
		kept[s.name] = true
		switch text, known := old[s.name]; {
		case !known:
			d.add(Change{Kind: Added, Noun: noun, Name: s.name, After: s.text})
		case text != s.text:
			d.add(Change{Kind: Changed, Noun: noun, Name: s.name, Before: text, After: s.text})
		}
	}
	for _, s := range before {
		if !kept[s.name] {
			d.add(Change{Kind: Removed, Noun: noun, Name: s.name, Before: s.text})
		}
	}
}

// identity is what makes a rule the same one in two policies.
func (r *Rule) identity() string {
	if r.Name != "" {
		return "rule " + r.Name
	}
	return r.written()
}

func (d *differ) rules(before, after []*Rule) {
	// Of several with the same predicate the first is the first of the others.
	old := make(map[string][]*Rule, len(before))
	for _, r := range before {
		old[r.identity()] = append(old[r.identity()], r)
	}
	was := make([]*Rule, len(after)) // the same rule in the old policy
	matched := make(map[*Rule]bool, len(before))
	var places []int // in the old policy, of the rules that both have
	for i, r := range after {
		if rest := old[r.identity()]; len(rest) > 0 {
			was[i], old[r.identity()] = rest[0], rest[1:]
			matched[rest[0]] = true
			places = append(places, rest[0].Number)
		}
	}
	stays := longestRise(places)
	for i, r := range after {
		c := Change{Noun: "rule", Name: r.Name, After: r.String(), NumberAfter: r.Number}
		if was[i] == nil {
			d.add(c)
			continue
		}
		c.Before, c.NumberBefore = was[i].String(), was[i].Number
		switch {
		case c.Before != c.After:
			c.Kind = Changed
			d.add(c)
		case !stays[was[i].Number]:
			c.Kind = Moved
			d.add(c)
		}
	}
	for _, r := range before {
		if !matched[r] {
			d.add(Change{Kind: Removed, Noun: "rule", Name: r.Name, Before: r.String(), NumberBefore: r.Number})
		}
	}
}

// longestRise returns the numbers of a longest rising subsequence of different
// numbers.
func longestRise(numbers []int) map[int]bool {
	var ends []int // by length less one: where the sequence ends whose end is smallest
	previous := make([]int, len(numbers))
	for i, n := range numbers {
		k := sort.Search(len(ends), func(k int) bool { return numbers[ends[k]] >= n })
		previous[i] = -1
		if k > 0 {
			previous[i] = ends[k-1]
		}
		if k == len(ends) {
			ends = append(ends, i)
		} else {
			ends[k] = i
		}
	}
	rise := make(map[int]bool, len(ends))
	if len(ends) > 0 {
		for i := ends[len(ends)-1]; i >= 0; i = previous[i] {
			rise[numbers[i]] = true
		}
	}
	return rise
}

// String returns the change in one line, without what it changes from.
func (c Change) String() string {
	text := c.After
	if c.Kind == Removed {
		text = c.Before
	}
	return fmt.Sprintf("%s: %s", c.Kind, text)
}
