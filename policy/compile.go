// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"fmt"
	"slices"

	"golang.org/x/net/bpf"

	"mbchain/chain"
)

// Compile makes classic BPF programs of predicates. A program sees an IPv4
// packet from its IP header on and returns the number, from 1, of the first
// of the predicates that holds for it, 0 if none of its own does. The
// programs are to be run in order until one returns a number other than 0;
// each has at most MaxInstructions instructions, and there are at most
// MaxPrograms of them. Of no predicates it makes no program.
//
// What is no IPv4 packet, is too short for its ports, or is a later fragment
// matches nothing.
func Compile(predicates []Predicate) ([][]bpf.RawInstruction, error) {
	var programs [][]bpf.RawInstruction
	for next := 0; next < len(predicates); {
		if len(programs) == MaxPrograms {
			return nil, fmt.Errorf("compile rules: more than %d programs are needed", MaxPrograms)
		}
		program, n := compileProgram(predicates[next:], next)
		if n == 0 {
			return nil, fmt.Errorf("compile rule %d: more than %d instructions are needed", next+1, MaxInstructions)
		}
		raw, err := bpf.Assemble(program)
		if err != nil {
			return nil, fmt.Errorf("compile rules: %w", err)
		}
		programs = append(programs, raw)
		next += n
	}
	return programs, nil
}

// compileProgram compiles as many predicates as fit into one program, and
// returns the program and how many they are. First is how many precede them.
func compileProgram(predicates []Predicate, first int) ([]bpf.Instruction, int) {
	program := prologue()
	inA := nothing
	for i, p := range predicates {
		r := routine{inA: inA}
		code, always := r.rule(p, uint32(first+i+1))
		if len(program)+len(code)+1 > MaxInstructions {
			return append(program, bpf.RetConstant{}), i
		}
		program = append(program, code...)
		if always {
			// No packet comes by here: what follows never matches.
			return append(program, bpf.RetConstant{}), len(predicates)
		}
		inA = r.inA
	}
	return append(program, bpf.RetConstant{}), len(predicates)
}

// prologue refuses packets that no predicate is about and puts each field of
// the others into the scratch memory, at the field's number.
func prologue() []bpf.Instruction {
	var r routine
	next, first, other, ports, refuse, done := r.label(), r.label(), r.label(), r.label(), r.label(), r.label()
	load := func(off, size uint32, f Field) {
		r.plain(bpf.LoadAbsolute{Off: off, Size: int(size)}, bpf.StoreScratch{Src: bpf.RegA, N: int(f)})
	}
	// Version 4 and a header of 5 to 15 words: 0x45 to 0x4f.
	r.plain(bpf.LoadAbsolute{Off: 0, Size: 1})
	r.test(bpf.JumpGreaterOrEqual, 0x45, next, refuse)
	r.place(next)
	ok := r.label()
	r.test(bpf.JumpGreaterThan, 0x4f, refuse, ok)
	r.place(ok)
	// Of a fragment only the first has ports.
	r.plain(bpf.LoadAbsolute{Off: 6, Size: 2})
	r.test(bpf.JumpBitsSet, 0x1fff, refuse, first)
	r.place(refuse)
	r.plain(bpf.RetConstant{Val: 0})
	r.place(first)
	load(12, 4, SrcIP)
	load(16, 4, DstIP)
	load(9, 1, Proto)
	notTCP := r.label()
	r.test(bpf.JumpEqual, uint32(chain.ProtocolTCP), ports, notTCP)
	r.place(notTCP)
	r.test(bpf.JumpEqual, uint32(chain.ProtocolUDP), ports, other)
	r.place(other)
	r.plain(bpf.LoadConstant{Dst: bpf.RegA, Val: 0},
		bpf.StoreScratch{Src: bpf.RegA, N: int(SrcPort)},
		bpf.StoreScratch{Src: bpf.RegA, N: int(DstPort)})
	r.jump(done)
	r.place(ports)
	r.plain(bpf.LoadMemShift{Off: 0},
		bpf.LoadIndirect{Off: 0, Size: 2}, bpf.StoreScratch{Src: bpf.RegA, N: int(SrcPort)},
		bpf.LoadIndirect{Off: 2, Size: 2}, bpf.StoreScratch{Src: bpf.RegA, N: int(DstPort)})
	r.jump(done)
	r.place(done)
	return layout(r.steps, len(r.arrivals))
}

// nothing stands for the field in register A when it is not known.
const nothing = numFields

// routine is code in the making. It knows which field register A holds, so
// that it is not loaded twice.
type routine struct {
	steps    []step
	arrivals []arrival // of each label
	inA      Field
}

// arrival is what the jumps that lead to a label agree on.
type arrival struct {
	reached bool
	inA     Field
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

// term appends the test of an interval, which leaves the field in A.
func (r *routine) term(t term, holds, fails label) {
	f, low, high := t.interval()
	if low == 0 && high == f.max() {
		r.jump(holds)
		return
	}
	if r.inA != f {
		r.plain(bpf.LoadScratch{Dst: bpf.RegA, N: int(f)})
		r.inA = f
	}
	switch {
	case low == high:
		r.test(bpf.JumpEqual, low, holds, fails)
	case high == f.max():
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
