// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"

	"golang.org/x/net/bpf"

	"mbchain/chain"
)

// roomOf returns how many instructions of one program are left for a tree.
func roomOf(family chain.Family) int { return MaxInstructions - len(prologue(family)) }

// weightOf returns how many instructions the test of a predicate in a region can
// take, with the loads and the answer.
func weightOf(p Predicate, r *region) int {
	loads, tests := sizeOf(p, r)
	n := loads + tests + 1
	if n > maxSkip {
		n += 2 * tests // trampolines
	}
	return n
}

func sizeOf(p Predicate, r *region) (loads, tests int) {
	switch p := p.(type) {
	case Any:
	case Not:
		return sizeOf(p.X, r)
	case And:
		return sizeOfAll(p, r)
	case Or:
		return sizeOfAll(p, r)
	default:
		words, n := wordsThatCount(p.(term), r)
		for _, w := range words[:n] {
			loads++
			tests++
			if w.low != w.high && w.low > w.min && w.high < w.max {
				tests++
			}
		}
	}
	return loads, tests
}

func sizeOfAll(parts []Predicate, r *region) (loads, tests int) {
	for _, x := range parts {
		l, t := sizeOf(x, r)
		loads, tests = loads+l, tests+t
	}
	return loads, tests
}

// maxInline is how many instructions stay in the program of the fork above
// them, where not all do: not worth a program.
const maxInline = 128

// divide makes roots of some nodes, so that what is below a root, up to the
// next ones, fits into a program: of the largest parts of the tree that do, and
// again of what is left above them.
func divide(n *node, room int) {
	if n.rest != nil && n.rest.root.size == 0 {
		divide(n.rest.root, room)
	}
	switch n.kind {
	case kindEnd:
		n.size = 1
	case kindRule:
		divide(n.next, room)
		n.size = n.weight + n.next.cost()
		if n.size > room {
			n.next.root = true
			n.size = n.weight + n.next.cost()
		}
	case kindFork:
		divide(n.below, room)
		divide(n.above, room)
		// A load, two tests and their trampolines for each word; of the last
		// one test, and what it leads to on one side follows it.
		own := 7*(n.region.words(n.field, n.cut)-1) + 3
		size := func() int { return own + n.below.cost() + n.above.cost() }
		if size() > room {
			n.below.root = n.below.root || n.below.size > maxInline
			n.above.root = n.above.root || n.above.size > maxInline
		}
		n.size = size()
	}
}

// cost returns how many instructions the node takes in the program of the one
// above it: of a root the answer that names its program.
func (n *node) cost() int {
	if n.root {
		return 1
	}
	return n.size
}

// order returns the roots so that each comes before those that it leads to,
// and numbers them.
func order(root *node) []*node {
	var reversed []*node
	seen := map[*node]bool{}
	var visit func(root *node)
	var walk func(n *node)
	lead := func(to *node) {
		if to.root {
			visit(to)
		} else {
			walk(to)
		}
	}
	walk = func(n *node) {
		switch n.kind {
		case kindFork:
			lead(n.above)
			lead(n.below)
		case kindRule:
			lead(n.next)
		}
		if n.rest != nil {
			visit(n.rest.root)
		}
	}
	visit = func(root *node) {
		if !seen[root] {
			seen[root] = true
			walk(root)
			reversed = append(reversed, root)
		}
	}
	visit(root)
	roots := make([]*node, len(reversed))
	for i, n := range reversed {
		n.index = len(roots) - 1 - i
		roots[n.index] = n
	}
	return roots
}

// assemble makes programs of a tree.
func assemble(family chain.Family, tree *node) ([][]bpf.RawInstruction, error) {
	tree.root = true
	divide(tree, roomOf(family))
	roots := order(tree)
	programs := make([][]bpf.RawInstruction, len(roots))
	for i, root := range roots {
		r := routine{family: family, inA: nothing}
		r.node(root)
		program := append(prologue(family), layout(r.steps, len(r.arrivals))...)
		if len(program) > MaxInstructions {
			return nil, fmt.Errorf("program %d has %d instructions", i, len(program))
		}
		var err error
		if programs[i], err = bpf.Assemble(program); err != nil {
			return nil, err
		}
	}
	return programs, nil
}

// node appends the code of a node and of what is below it in its program. It
// ends with an answer.
func (r *routine) node(n *node) {
	for ; n.kind == kindRule; n = n.next {
		holds, fails := r.label(), r.label()
		r.region = n.region
		r.predicate(n.predicate, holds, fails)
		r.place(holds)
		r.answer(n.answer(n.number))
		if !r.arrivals[fails].reached {
			return // no packet comes by here
		}
		r.place(fails)
		if n.next.root {
			r.answer(answerOf(n.next, 0))
			return
		}
	}
	if n.kind == kindEnd {
		r.answer(n.answer(0))
		return
	}
	below, above := r.label(), r.label()
	r.fork(n, below, above)
	r.place(below)
	r.branch(n.below)
	r.place(above)
	r.branch(n.above)
}

func (r *routine) branch(n *node) {
	if n.root {
		r.answer(answerOf(n, 0))
	} else {
		r.node(n)
	}
}

// fork appends the comparison of a field, word by word from the left.
func (r *routine) fork(n *node, below, above label) {
	low, high := n.region.low[n.field], n.region.high[n.field]
	fixed := true // the words left of here are the same everywhere in the region
	for w := wordsOf(n.field, r.family) - 1; ; w-- {
		at, least := n.cut.word(w), uint32(0)
		if fixed {
			least = low.word(w)
			if fixed = least == high.word(w); fixed {
				continue
			}
		}
		r.load(wordOf(n.field, r.family, w))
		if !n.cut.anyBelow(w) {
			r.test(bpf.JumpGreaterOrEqual, at, above, below)
			return
		}
		if at > least {
			notBelow := r.label()
			r.test(bpf.JumpGreaterOrEqual, at, notBelow, below)
			r.place(notBelow)
		}
		next := r.label()
		r.test(bpf.JumpGreaterThan, at, above, next)
		r.place(next)
	}
}

func (r *routine) answer(answer uint32) { r.plain(bpf.RetConstant{Val: answer}) }

// answer returns what a program answers where the rule of a number is found,
// or, for 0, where none is and the search is at an end.
func (n *node) answer(number uint32) uint32 {
	switch {
	case n.rest != nil && (number == 0 || n.rest.first < number):
		return answerOf(n.rest.root, number)
	case number == 0:
		return answerNone
	}
	return number
}

// answerOf names the program that begins at a root.
func answerOf(root *node, number uint32) uint32 {
	return answerGo | uint32(root.index)<<answerShift | number
}
