// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"fmt"
	"slices"

	"golang.org/x/net/bpf"

	"mbchain/chain"
)

// Compile makes classic BPF programs of predicates, for IPv4. A program sees a
// packet from its IP header on and returns the number, from 1, of the first of
// the predicates that holds for it, 0 if none of its own does. The programs
// are to be run in order until one returns a number other than 0; each has at
// most MaxInstructions instructions, and there are at most MaxPrograms of
// them. Where no predicate can hold for the family there is no program.
//
// What is no IPv4 packet, is too short for its ports, or is a later fragment
// matches nothing.
func Compile(predicates []Predicate) ([][]bpf.RawInstruction, error) {
	return compile(chain.IPv4, predicates)
}

// Compile6 does for IPv6 what [Compile] does for IPv4. Its programs see
// packets without extension headers: what follows the fixed header is that of
// TCP or UDP, or belongs to a protocol without ports.
func Compile6(predicates []Predicate) ([][]bpf.RawInstruction, error) {
	return compile(chain.IPv6, predicates)
}

func compile(family chain.Family, predicates []Predicate) ([][]bpf.RawInstruction, error) {
	var programs [][]bpf.RawInstruction
	for next := 0; next < len(predicates); {
		program, n := compileProgram(family, predicates[next:], next)
		if n == 0 {
			return nil, fmt.Errorf("compile rule %d: more than %d instructions are needed", next+1, MaxInstructions)
		}
		next += n
		if program == nil {
			continue
		}
		if len(programs) == MaxPrograms {
			return nil, fmt.Errorf("compile rules: more than %d programs are needed", MaxPrograms)
		}
		raw, err := bpf.Assemble(program)
		if err != nil {
			return nil, fmt.Errorf("compile rules: %w", err)
		}
		programs = append(programs, raw)
	}
	return programs, nil
}

// compileProgram compiles as many predicates as fit into one program, and
// returns the program and how many they are. The program is nil if none of
// them can hold. First is how many precede them.
func compileProgram(family chain.Family, predicates []Predicate, first int) ([]bpf.Instruction, int) {
	program := prologue(family)
	empty := len(program)
	inA := nothing
	n := len(predicates)
	for i, p := range predicates {
		r := routine{family: family, inA: inA}
		code, always := r.rule(within(family, p), uint32(first+i+1))
		if len(program)+len(code)+1 > MaxInstructions {
			n = i
			break
		}
		program = append(program, code...)
		if always {
			break // no packet comes by here: what follows never matches
		}
		inA = r.inA
	}
	if len(program) == empty {
		return nil, n
	}
	return append(program, bpf.RetConstant{}), n
}

// routine is code in the making. It knows which word register A holds, so
// that it is not loaded twice.
type routine struct {
	family   chain.Family
	steps    []step
	arrivals []arrival // of each label
	inA      word
}

// arrival is what the jumps that lead to a label agree on.
type arrival struct {
	reached bool
	inA     word
}

// rule appends the code of one rule: it returns the number where the
// predicate holds, and runs on to its end where it does not. It reports
// whether it never does the latter.
func (r *routine) rule(p Predicate, number uint32) (code []bpf.Instruction, always bool) {
	holds, fails := r.label(), r.label()
	r.predicate(p, holds, fails)
	if r.arrivals[holds].reached {
		r.place(holds)
		r.plain(bpf.RetConstant{Val: number})
	}
	always = !r.arrivals[fails].reached
	r.place(fails)
	return layout(r.steps, len(r.arrivals)), always
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
			return cmp.Compare(cost(a)/(1-likelihood(a)), cost(b)/(1-likelihood(b)))
		})
		for _, x := range parts[:len(parts)-1] {
			next := r.label()
			r.predicate(x, next, fails)
			r.place(next)
		}
		r.predicate(parts[len(parts)-1], holds, fails)
	case Or:
		parts := slices.SortedStableFunc(slices.Values(p), func(a, b Predicate) int {
			return cmp.Compare(cost(a)/likelihood(a), cost(b)/likelihood(b))
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
	f, low, high := t.interval()
	largest := f.max(r.family)
	var count []int // words that not every value passes, from the right
	for n := range wordsOf(f, r.family) {
		if low.word(n) != 0 || high.word(n) != largest.word(n) {
			count = append(count, n)
		}
	}
	if len(count) == 0 {
		r.jump(holds)
		return
	}
	for _, n := range count[:len(count)-1] {
		next := r.label()
		r.word(wordOf(f, r.family, n), low.word(n), high.word(n), largest.word(n), next, fails)
		r.place(next)
	}
	n := count[len(count)-1]
	r.word(wordOf(f, r.family, n), low.word(n), high.word(n), largest.word(n), holds, fails)
}

// word appends the test of one word, which it leaves in A.
func (r *routine) word(w word, low, high, largest uint32, holds, fails label) {
	if r.inA != w {
		r.plain(bpf.LoadScratch{Dst: bpf.RegA, N: int(w)})
		r.inA = w
	}
	switch {
	case low == high:
		r.test(bpf.JumpEqual, low, holds, fails)
	case high == largest:
		r.test(bpf.JumpGreaterOrEqual, low, holds, fails)
	case low == 0:
		r.test(bpf.JumpGreaterThan, high, fails, holds)
	default:
		notBelow := r.label()
		r.test(bpf.JumpGreaterOrEqual, low, notBelow, fails)
		r.place(notBelow)
		r.test(bpf.JumpGreaterThan, high, fails, holds)
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
