// SPDX-License-Identifier: Apache-2.0

package policy

import "golang.org/x/net/bpf"

// label is a place in a routine to which jumps lead, all of them forward.
type label int

// step is an instruction of a routine whose jumps still name labels.
type step struct {
	kind stepKind
	ins  bpf.Instruction // of stepPlain
	cond bpf.JumpTest    // of stepTest, which compares A with val
	val  uint32
	yes  label // of stepTest; of stepJump
	no   label
	here label // of stepLabel
}

type stepKind uint8

const (
	stepPlain stepKind = iota
	stepTest
	stepJump
	stepLabel
)

// maxSkip is how far a conditional jump of classic BPF reaches.
const maxSkip = 255

// layout turns steps into instructions. It works from the end to the front:
// all jumps lead forward, so that at each of them the distance is known. A
// conditional jump that does not reach its label is given a trampoline, an
// unconditional jump right behind it.
func layout(steps []step, labels int) []bpf.Instruction {
	var (
		reversed []bpf.Instruction
		behind   = make([]int, labels) // instructions behind each label
	)
	emit := func(ins bpf.Instruction) { reversed = append(reversed, ins) }
	skip := func(to label) int { return len(reversed) - behind[to] }
	jump := func(to label) { emit(bpf.Jump{Skip: uint32(skip(to))}) }

	for i := len(steps) - 1; i >= 0; i-- {
		switch s := steps[i]; s.kind {
		case stepPlain:
			emit(s.ins)
		case stepLabel:
			behind[s.here] = len(reversed)
		case stepJump:
			if skip(s.yes) > 0 {
				jump(s.yes)
			}
		case stepTest:
			// A trampoline moves the other label one further away.
			farNo := skip(s.no) > maxSkip
			farYes := skip(s.yes)+btoi(farNo) > maxSkip
			farNo = farNo || skip(s.no)+btoi(farYes) > maxSkip
			skipNo, skipYes := skip(s.no), skip(s.yes)
			if farNo {
				jump(s.no)
			}
			if farYes {
				jump(s.yes)
			}
			test := bpf.JumpIf{Cond: s.cond, Val: s.val}
			switch added := btoi(farNo) + btoi(farYes); {
			case farNo:
				test.SkipFalse = uint8(added - 1)
			default:
				test.SkipFalse = uint8(skipNo + added)
			}
			if !farYes {
				test.SkipTrue = uint8(skipYes + btoi(farNo))
			}
			emit(test)
		}
	}
	out := make([]bpf.Instruction, len(reversed))
	for i, ins := range reversed {
		out[len(out)-1-i] = ins
	}
	return out
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
