// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/net/bpf"

	"mbchain/chain"
	"mbchain/policy"
)

// layout says how a packet carries its tuple.
type layout struct {
	optionWords int  // of 4 bytes, in the IPv4 header
	optionByte  byte // each byte of them, and what nobody asks for in an IPv6 header
	fragment    uint16
	short       int // bytes missing behind the ports
}

// packet returns a packet of the tuple.
func packet(tuple chain.FiveTuple, l layout) []byte {
	var p []byte
	header := 40
	if tuple.Family() == chain.IPv6 {
		p = packet6(tuple, l.optionByte)
	} else {
		header = 20 + 4*l.optionWords
		p = packet4(tuple, l, header)
	}
	if tuple.Protocol == chain.ProtocolTCP || tuple.Protocol == chain.ProtocolUDP {
		binary.BigEndian.PutUint16(p[header:], tuple.Source.Port())
		binary.BigEndian.PutUint16(p[header+2:], tuple.Destination.Port())
	}
	return p[:len(p)-l.short]
}

func packet4(tuple chain.FiveTuple, l layout, header int) []byte {
	p := bytes.Repeat([]byte{l.optionByte}, header+20)
	p[0] = 0x40 | byte(header/4)
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	binary.BigEndian.PutUint16(p[6:], l.fragment)
	p[9] = tuple.Protocol
	copy(p[12:16], tuple.Source.Addr().AsSlice())
	copy(p[16:20], tuple.Destination.Addr().AsSlice())
	return p
}

func packet6(tuple chain.FiveTuple, filler byte) []byte {
	p := bytes.Repeat([]byte{filler}, 40+20)
	p[0] = 0x60 | filler&0x0f
	binary.BigEndian.PutUint16(p[4:], 20)
	p[6] = tuple.Protocol
	copy(p[8:24], tuple.Source.Addr().AsSlice())
	copy(p[24:40], tuple.Destination.Addr().AsSlice())
	return p
}

// machine runs compiled programs as the kernel module does: those of one
// family.
type machine map[chain.Family][]*bpf.VM

func newMachine(t fataler, predicates []policy.Predicate) machine {
	t.Helper()
	m := machine{}
	for family, compile := range compilers {
		programs, err := compile(predicates)
		if err != nil {
			t.Fatalf("compile for %v: %v", family, err)
		}
		if len(programs) > policy.MaxPrograms {
			t.Fatalf("%d programs for %v", len(programs), family)
		}
		for i, raw := range programs {
			if len(raw) > policy.MaxInstructions {
				t.Fatalf("program %d for %v has %d instructions", i, family, len(raw))
			}
			checkLikeKernel(t, raw)
			instructions, ok := bpf.Disassemble(raw)
			if !ok {
				t.Fatalf("program %d for %v has an unknown instruction", i, family)
			}
			vm, err := bpf.NewVM(instructions)
			if err != nil {
				t.Fatalf("program %d for %v: %v", i, family, err)
			}
			m[family] = append(m[family], vm)
		}
	}
	return m
}

var compilers = map[chain.Family]func([]policy.Predicate) ([][]bpf.RawInstruction, error){
	chain.IPv4: policy.Compile,
	chain.IPv6: policy.Compile6,
}

// match returns the number of the rule for a packet of a family, 0 for none. It
// does what mbc_ruleset_match() in kmod/ruleset.c does.
func (m machine) match(t fataler, family chain.Family, p []byte) int {
	t.Helper()
	rule, _ := m.run(t, family, p)
	return rule
}

// run is match, and returns how many programs it took.
func (m machine) run(t fataler, family chain.Family, p []byte) (rule, programs int) {
	t.Helper()
	for i := 0; i < len(m[family]); programs++ {
		answer, err := m[family][i].Run(p)
		if err != nil {
			t.Fatalf("run program: %v", err)
		}
		found, next := answer, i+1
		if answer>>31 != 0 {
			found, next = answer&0x1ffff, answer>>17&0x3fff
		}
		if found != 0 && (rule == 0 || found < rule) {
			rule = found
		}
		if next <= i {
			t.Fatalf("program %d leads back to %d", i, next)
		}
		if answer>>31 == 0 && answer != 0 {
			break
		}
		i = next
	}
	return rule, programs
}

// fataler is what testing.TB and rapid.T share.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkLikeKernel refuses what bpf_check_classic() and
// check_load_and_stores() in the kernel's net/core/filter.c refuse.
func checkLikeKernel(t fataler, program []bpf.RawInstruction) {
	t.Helper()
	const (
		classMask, classLD, classLDX, classST, classSTX, classJMP, classRET = 0x07, 0x00, 0x01, 0x02, 0x03, 0x05, 0x06
		modeMask, modeMEM                                                   = 0xe0, 0x60
		opMask, opJA                                                        = 0xf0, 0x00
		words                                                               = 16
	)
	if n := len(program); n == 0 || program[n-1].Op&classMask != classRET {
		t.Fatalf("the program does not end with a return")
	}
	stored := make([]uint16, len(program)) // scratch words that are set on each way here
	for i := range stored {
		stored[i] = 0xffff
	}
	var valid uint16
	jump := func(pc int, skip uint32) {
		if int(skip) >= len(program)-pc-1 {
			t.Fatalf("instruction %d jumps out of the program", pc)
		}
		stored[pc+1+int(skip)] &= valid
	}
	for pc, ins := range program {
		valid &= stored[pc]
		switch class := ins.Op & classMask; {
		case class == classST, class == classSTX:
			if ins.K >= words {
				t.Fatalf("instruction %d stores outside the scratch memory", pc)
			}
			valid |= 1 << ins.K
		case (class == classLD || class == classLDX) && ins.Op&modeMask == modeMEM:
			if ins.K >= words || valid&(1<<ins.K) == 0 {
				t.Fatalf("instruction %d loads scratch word %d, which is not set", pc, ins.K)
			}
		case class == classJMP && ins.Op&opMask == opJA:
			jump(pc, ins.K)
			valid = 0xffff
		case class == classJMP:
			jump(pc, uint32(ins.Jt))
			jump(pc, uint32(ins.Jf))
			valid = 0xffff
		}
	}
}
