// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"
	"pgregory.net/rapid"
)

// layout is tested from inside the package: the lengths at which conditional
// jumps stop reaching their labels seldom come about in rules.

// drawSteps draws a routine of tests and jumps at lengths around maxSkip. Its
// plain steps change A, so that the result tells which way it was left.
func drawSteps(t *rapid.T) ([]step, int) {
	var (
		steps  []step
		labels int
		ahead  []label // used and not placed yet
	)
	target := func() label {
		if len(ahead) == 0 || rapid.Bool().Draw(t, "new label") {
			ahead = append(ahead, label(labels))
			labels++
		}
		return rapid.SampledFrom(ahead).Draw(t, "label")
	}
	place := func(i int) {
		steps = append(steps, step{kind: stepLabel, here: ahead[i]})
		ahead = append(ahead[:i], ahead[i+1:]...)
	}
	pad := func(n int) {
		for range n {
			steps = append(steps, step{ins: bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 0x9e3779b9}})
		}
	}
	for range rapid.IntRange(1, 6).Draw(t, "tests") {
		for range rapid.IntRange(1, 4).Draw(t, "tests in a row") {
			test := step{kind: stepTest, cond: bpf.JumpBitsSet, val: 1 << rapid.IntRange(0, 31).Draw(t, "bit"), yes: target(), no: target()}
			next := label(labels)
			labels++
			if rapid.Bool().Draw(t, "yes goes on") {
				test.yes = next
			} else if rapid.Bool().Draw(t, "no goes on") {
				test.no = next
			}
			steps = append(steps, test, step{kind: stepLabel, here: next})
		}
		pad(rapid.SampledFrom([]int{0, 1, 2, 120, 251, 252, 253, 254, 255, 256, 257}).Draw(t, "padding"))
		if len(ahead) > 0 && rapid.Bool().Draw(t, "jump") {
			steps = append(steps, step{kind: stepJump, yes: target()})
		}
		if len(ahead) > 0 {
			place(rapid.IntRange(0, len(ahead)-1).Draw(t, "placed"))
		}
	}
	for len(ahead) > 0 {
		place(0)
		pad(1)
	}
	return append(steps, step{ins: bpf.RetA{}}), labels
}

// interpret runs a routine by its labels.
func interpret(steps []step, a uint32) uint32 {
	at := map[label]int{}
	for i, s := range steps {
		if s.kind == stepLabel {
			at[s.here] = i
		}
	}
	for i := 0; ; i++ {
		switch s := steps[i]; s.kind {
		case stepTest:
			if a&s.val != 0 {
				i = at[s.yes]
			} else {
				i = at[s.no]
			}
		case stepJump:
			i = at[s.yes]
		case stepPlain:
			if add, ok := s.ins.(bpf.ALUOpConstant); ok {
				a += add.Val
			} else {
				return a
			}
		}
	}
}

func TestLayoutKeepsJumps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps, labels := drawSteps(t)
		program := append([]bpf.Instruction{bpf.LoadAbsolute{Off: 0, Size: 4}}, layout(steps, labels)...)
		vm, err := bpf.NewVM(program)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			a := rapid.Uint32().Draw(t, "A")
			got, err := vm.Run(binary.BigEndian.AppendUint32(nil, a))
			if err != nil {
				t.Fatal(err)
			}
			if want := interpret(steps, a); uint32(got) != want {
				t.Fatalf("A = %#x: result %#x, want %#x", a, got, want)
			}
		}
	})
}

// At every distance both jumps of a test lead where they should.
func TestLayoutAtEveryDistance(t *testing.T) {
	for toYes := maxSkip - 4; toYes < maxSkip+4; toYes++ {
		for toNo := maxSkip - 4; toNo < maxSkip+4; toNo++ {
			steps := []step{{kind: stepTest, cond: bpf.JumpEqual, val: 1, yes: 0, no: 1}}
			for i := range maxSkip + 4 {
				if i == toYes {
					steps = append(steps, step{kind: stepLabel, here: 0})
				}
				if i == toNo {
					steps = append(steps, step{kind: stepLabel, here: 1})
				}
				steps = append(steps, step{ins: bpf.RetConstant{Val: uint32(i)}})
			}
			vm, err := bpf.NewVM(append([]bpf.Instruction{bpf.LoadAbsolute{Off: 0, Size: 1}}, layout(steps, 2)...))
			if err != nil {
				t.Fatal(err)
			}
			yes, errYes := vm.Run([]byte{1})
			no, errNo := vm.Run([]byte{0})
			if yes != toYes || no != toNo || errYes != nil || errNo != nil {
				t.Errorf("distances %d and %d lead to %d (%v) and %d (%v)", toYes, toNo, yes, errYes, no, errNo)
			}
		}
	}
}
