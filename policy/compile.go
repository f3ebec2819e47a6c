// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"fmt"
	"slices"

	"golang.org/x/net/bpf"

	"mbchain/chain"
)

// A program's answer, as kmod/uapi/mbchain.h has it: the number of a rule; or,
// with answerGo, the number of the program that is run next and the number of
// the rule that is found unless that one finds one with a smaller number, or 0.
// 0 alone is an answer of the loads: the packet is too short.
const (
	answerGo    = 1 << 31 // MBC_ANSWER_GO
	answerShift = 17      // MBC_ANSWER_SHIFT

	answerNone = answerGo | (1<<14-1)<<answerShift // no program has this number: the search is over
)

// Compile makes classic BPF programs of predicates, for IPv4. A program sees a
// packet from its IP header on. The first one is run, and then those that the
// answers name, as kmod/uapi/mbchain.h says; this finds the first of the
// predicates, numbered from 1, that holds for the packet. Each program has at
// most MaxInstructions instructions, and there are at most MaxPrograms of them.
// Where no predicate can hold for the family there is no program.
//
// The programs are a search tree over the fields of the five-tuple, so that
// of many predicates few are tested for one packet, as far as they differ.
//
// What is no IPv4 packet, is too short for its ports, or is a later fragment
// matches nothing.
func Compile(predicates []Predicate) ([][]bpf.RawInstruction, error) {
	programs, _, err := compile(chain.IPv4, predicates)
	return programs, err
}

// Compile6 does for IPv6 what [Compile] does for IPv4. Its programs see
// packets without extension headers: what follows the fixed header is that of
// TCP or UDP, or belongs to a protocol without ports.
func Compile6(predicates []Predicate) ([][]bpf.RawInstruction, error) {
	programs, _, err := compile(chain.IPv6, predicates)
	return programs, err
}

// compile returns programs, and the tree that they are.
func compile(family chain.Family, predicates []Predicate) ([][]bpf.RawInstruction, *node, error) {
	items := itemsOf(family, predicates)
	if len(items) == 0 {
		return nil, nil, nil
	}
	most := roomOf(family)
	for _, x := range items {
		if 1+x.weight > most {
			return nil, nil, fmt.Errorf("compile rule %d: more than %d instructions are needed", x.number, MaxInstructions)
		}
	}
	// Copies help to search fast. Where there is no room for many of them there
	// may be for some, half of the programs being empty, or for none.
	var (
		whole    = everywhere(family)
		programs [][]bpf.RawInstruction
		tree     *node
		err      error
	)
	for _, room := range []int{maxCopies * weigh(items), MaxPrograms * most / 2, 0} {
		tree = list(items, &whole, nil)
		if room > 0 {
			tree, _ = grow(items, &whole, nil, room, maxForks)
		}
		programs, err = assemble(family, tree)
		if err != nil || len(programs) <= MaxPrograms {
			break
		}
	}
	if err == nil && len(programs) > MaxPrograms {
		err = fmt.Errorf("more than %d programs are needed", MaxPrograms)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("compile rules: %w", err)
	}
	return programs, tree, nil
}

// routine is code in the making. It knows which word register A holds, so
// that it is not loaded twice.
type routine struct {
	family   chain.Family
	region   *region // of the packets that come by here
	steps    []step
	arrivals []arrival // of each label
	inA      word
}

// arrival is what the jumps that lead to a label agree on.
type arrival struct {
	reached bool
	inA     word
}

// predicate appends a test that ends with a jump to one of the two labels.
func (r *routine) predicate(p Predicate, holds, fails label) {
	switch p := p.(type) {
	case Any:
		r.jump(holds)
	case Not:
		r.predicate(p.X, fails, holds)
	case And:
		parts := slices.SortedStableFunc(slices.Values(p), func(a, b Predicate) int {
			return cmp.Compare(cost(a)/(1-likelihood(a, r.region)), cost(b)/(1-likelihood(b, r.region)))
		})
		for _, x := range parts[:len(parts)-1] {
			next := r.label()
			r.predicate(x, next, fails)
			r.place(next)
		}
		r.predicate(parts[len(parts)-1], holds, fails)
	case Or:
		parts := slices.SortedStableFunc(slices.Values(p), func(a, b Predicate) int {
			return cmp.Compare(cost(a)/likelihood(a, r.region), cost(b)/likelihood(b, r.region))
		})
		for _, x := range parts[:len(parts)-1] {
			next := r.label()
			r.predicate(x, holds, next)
			r.place(next)
		}
		r.predicate(parts[len(parts)-1], holds, fails)
	case term:
		r.term(p, holds, fails)
	}
}

// term appends the test of an interval, word by word. The last word that
// counts comes first: of addresses it is the one that differs most.
func (r *routine) term(t term, holds, fails label) {
	tests, n := wordsThatCount(t, r.region)
	for i, w := range tests[:n] {
		next := holds
		if i < n-1 {
			next = r.label()
		}
		r.word(w, next, fails)
		if next != holds {
			r.place(next)
		}
	}
	if n == 0 {
		r.jump(holds)
	}
}

// wordTest is a test that a word lies in an interval.
type wordTest struct {
	word      word
	low, high uint32
	min, max  uint32 // what the word can be at all
}

// wordsThatCount returns the tests of a term's words in a region, but for those
// that every tuple of it passes, from right to left, and how many they are.
func wordsThatCount(t term, in *region) (tests [4]wordTest, n int) {
	f, low, high := t.interval()
	largest := f.max(in.family)
	fixed := true // the words left of here are the same everywhere in the region
	for at := wordsOf(f, in.family) - 1; at >= 0; at-- {
		w := wordTest{wordOf(f, in.family, at), low.word(at), high.word(at), 0, largest.word(at)}
		if fixed {
			w.min, w.max = in.low[f].word(at), in.high[f].word(at)
			fixed = w.min == w.max
		}
		if w.low > w.min || w.high < w.max {
			tests[n] = w
			n++
		}
	}
	slices.Reverse(tests[:n])
	return tests, n
}

// word appends the test of one word, which it leaves in A.
func (r *routine) word(w wordTest, holds, fails label) {
	r.load(w.word)
	low, high := max(w.low, w.min), min(w.high, w.max)
	switch {
	case low == high:
		r.test(bpf.JumpEqual, low, holds, fails)
	case high == w.max:
		r.test(bpf.JumpGreaterOrEqual, low, holds, fails)
	case low == w.min:
		r.test(bpf.JumpGreaterThan, high, fails, holds)
	default:
		notBelow := r.label()
		r.test(bpf.JumpGreaterOrEqual, low, notBelow, fails)
		r.place(notBelow)
		r.test(bpf.JumpGreaterThan, high, fails, holds)
	}
}

// load puts a word into A, unless it is there.
func (r *routine) load(w word) {
	if r.inA != w {
		r.plain(bpf.LoadScratch{Dst: bpf.RegA, N: int(w)})
		r.inA = w
	}
}

func (r *routine) label() label {
	r.arrivals = append(r.arrivals, arrival{})
	return label(len(r.arrivals) - 1)
}

func (r *routine) plain(instructions ...bpf.Instruction) {
	for _, ins := range instructions {
		r.steps = append(r.steps, step{kind: stepPlain, ins: ins})
	}
}

func (r *routine) test(cond bpf.JumpTest, val uint32, yes, no label) {
	r.steps = append(r.steps, step{kind: stepTest, cond: cond, val: val, yes: yes, no: no})
	r.arrive(yes)
	r.arrive(no)
}

func (r *routine) jump(to label) {
	r.steps = append(r.steps, step{kind: stepJump, yes: to})
	r.arrive(to)
}

// place puts a label here. What comes before ends with a jump or a return.
func (r *routine) place(l label) {
	r.steps = append(r.steps, step{kind: stepLabel, here: l})
	r.inA = nothing
	if a := r.arrivals[l]; a.reached {
		r.inA = a.inA
	}
}

func (r *routine) arrive(l label) {
	a := &r.arrivals[l]
	if a.reached && a.inA != r.inA {
		a.inA = nothing
	} else {
		*a = arrival{reached: true, inA: r.inA}
	}
}
