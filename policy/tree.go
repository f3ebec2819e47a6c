// SPDX-License-Identifier: Apache-2.0

package policy

import "mbchain/chain"

// node is a place of the search tree that rules are compiled to. A packet comes
// to it if its tuple lies in the region. It is one of three:
//   - a fork, which leads on by the value of one field,
//   - a rule, whose predicate is tested, and next what is asked where it fails,
//   - an end: what has been found so far counts, or what rest finds, if that is
//     a rule with a smaller number.
type node struct {
	kind   nodeKind
	region *region
	rest   *rest // what is searched when a search ends here, or below; nil: nothing

	field        Field // of a fork
	cut          value // the smallest that leads above
	below, above *node

	item       // of a rule
	next *node // of a rule

	rests int // how many rests can follow one another from here on
	size  int // instructions at most, with what is below it in the same program
	root  bool
	index int // of the program that begins here, for a root
}

type nodeKind uint8

const (
	kindEnd nodeKind = iota
	kindFork
	kindRule
)

// rest is a tree that is searched after another one, for rules that would
// stand in nearly all of its branches.
type rest struct {
	root  *node
	first uint32 // smallest number of a rule in it and in what follows it
}

// item is a rule where only tuples of some region come by. Its predicate says
// no more than is to be tested there.
type item struct {
	number    uint32
	predicate Predicate
	weight    int // instructions at most
}

// Bounds of a tree. What they are exactly matters little: see
// docs/ARCHITECTURE.md for what was measured.
const (
	// maxList is how many rules are tested one after the other before a
	// fork is tried: they cost less than it.
	maxList = 4
	// maxForks bounds how many forks follow one another, and the time that
	// compiling takes.
	maxForks = 48
	// minRest is how many rules it takes to make a tree of their own for
	// those that would stand in both branches of a fork: to run another
	// program costs as much as to test so many rules.
	minRest = 40
	// maxRests bounds how many trees are searched for one packet.
	maxRests = 4
	// maxCopies bounds how many instructions there are for one that the
	// rules would take in a list.
	maxCopies = 4
)

// grow makes the tree for the tuples of a region, and returns it with the
// instructions that its rules take, copies included. The items are those that
// can hold in the region; what is used stays within room unless the items alone
// exceed it.
func grow(items []item, r *region, after *rest, room, forks int) (tree *node, used int) {
	if len(items) <= maxList || forks == 0 {
		return list(items, r, after), weigh(items)
	}
	c, ok := chooseCut(items, r)
	if !ok {
		return list(items, r, after), weigh(items)
	}
	var narrow, wide []item
	if len(items) > minRest && restsOf(after) < maxRests {
		narrow, wide = c.divide(items, r)
	}
	mayRest := len(narrow) >= minRest && len(wide) > 0
	if mayRest && len(wide) >= minRest {
		return growTwo(narrow, wide, r, after, room, forks)
	}
	rBelow := r.with(c.field, r.low[c.field], c.at.previous())
	rAbove := r.with(c.field, c.at, r.high[c.field])
	below, above := keep(items, &rBelow), keep(items, &rAbove)
	wBelow, wAbove := weigh(below), weigh(above)
	if worthIt(weigh(items), wBelow, wAbove) && wBelow+wAbove <= room {
		n := &node{kind: kindFork, region: r, rest: after, field: c.field, cut: c.at}
		var more int
		n.below, used = grow(below, &rBelow, after, share(room, wBelow, wAbove), forks-1)
		n.above, more = grow(above, &rAbove, after, room-used, forks-1)
		n.rests = max(n.below.rests, n.above.rests)
		return n, used + more
	}
	if mayRest {
		return growTwo(narrow, wide, r, after, room, forks)
	}
	return list(items, r, after), weigh(items)
}

// growTwo makes one tree of some items and another one of the others, to be
// searched after it.
func growTwo(narrow, wide []item, r *region, after *rest, room, forks int) (tree *node, used int) {
	root, used := grow(wide, r, after, share(room, weigh(wide), weigh(narrow)), forks-1)
	root.root = true
	second := &rest{root: root, first: wide[0].number}
	if after != nil {
		second.first = min(second.first, after.first)
	}
	tree, more := grow(narrow, r, second, room-used, forks-1)
	return tree, used + more
}

// share returns the part of the room that is due to one of two.
func share(room, one, other int) int {
	return int(float64(room) * float64(one) / float64(one+other))
}

// worthIt reports whether a fork spares tests, by their weights.
func worthIt(all, below, above int) bool {
	return 2*(below+above) <= 3*all || 4*max(below, above) <= 3*all
}

func weigh(items []item) int {
	sum := 1
	for _, x := range items {
		sum += x.weight
	}
	return sum
}

// keep returns the items that can hold in a region, for which they say no more
// than needed. What comes after one that always holds is left out.
func keep(items []item, r *region) []item {
	kept := make([]item, 0, len(items))
	for _, x := range items {
		p := within(r, x.predicate)
		if isNever(p) {
			continue
		}
		x.predicate, x.weight = p, weightOf(p, r)
		kept = append(kept, x)
		if isAny(p) {
			break
		}
	}
	return kept
}

// list makes rules that are tested in order.
func list(items []item, r *region, after *rest) *node {
	n := &node{kind: kindEnd, region: r, rest: after, rests: restsOf(after)}
	for i := range items {
		x := items[len(items)-1-i]
		n = &node{kind: kindRule, region: r, rest: after, item: x, next: n, rests: n.rests}
	}
	return n
}

// mark sets of each rule in a tree, by number less one, that a packet may match it.
// What is hidden by the rules before it stands in no branch, or behind them in all.
func (n *node) mark(matches []bool, done map[*node]bool) {
	var before Or // rules of this list
	for ; n != nil; n = n.next {
		if n.rest != nil && !done[n.rest.root] {
			done[n.rest.root] = true
			n.rest.root.mark(matches, done)
		}
		switch n.kind {
		case kindRule:
			matches[n.number-1] = matches[n.number-1] || n.matchesAfter(before)
			before = append(before, n.predicate)
		case kindFork:
			n.below.mark(matches, done)
			n.above.mark(matches, done)
		}
	}
}

// matchesAfter reports whether a packet that comes to a rule in a list may match it,
// and none of the rules before. Of long lists, which only policies have that hardly fit
// into the kernel, it says so without a look.
func (n *node) matchesAfter(before Or) bool {
	if len(before) == 0 || len(before) > maxList {
		return true
	}
	budget := budgetPair
	return satisfiable(And{n.predicate, Not{before}}, *n.region, &budget)
}

// restsOf returns how many trees may be searched from a rest on.
func restsOf(after *rest) int {
	if after == nil {
		return 0
	}
	return 1 + after.root.rests
}

// itemsOf returns the rules that can hold for a family.
func itemsOf(family chain.Family, predicates []Predicate) []item {
	items := make([]item, len(predicates))
	for i, p := range predicates {
		items[i] = item{number: uint32(i + 1), predicate: p}
	}
	whole := everywhere(family)
	return keep(items, &whole)
}
