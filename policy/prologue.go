// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"golang.org/x/net/bpf"

	"mbchain/chain"
)

// word is a place in the scratch memory: a program keeps each field there, an
// IPv6 address as four words from left to right.
type word uint8

// nothing stands for the word in register A when it is not known.
const nothing word = 16 // BPF_MEMWORDS: one past the last

// wordsOf returns how many words a field takes.
func wordsOf(f Field, family chain.Family) int {
	if family == chain.IPv6 && (f == SrcIP || f == DstIP) {
		return 4
	}
	return 1
}

// wordOf returns word n of a field, from the right.
func wordOf(f Field, family chain.Family, n int) word {
	last := -1
	for g := range f + 1 {
		last += wordsOf(g, family)
	}
	return word(last - n)
}

// prologue refuses packets that no predicate is about and puts each field of
// the others into the scratch memory.
func prologue(family chain.Family) []bpf.Instruction {
	if family == chain.IPv6 {
		return prologue6()
	}
	return prologue4()
}

func prologue4() []bpf.Instruction {
	r := routine{family: chain.IPv4}
	next, first, refuse := r.label(), r.label(), r.label()
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
	r.answer(answerNone)
	r.place(first)
	r.store(SrcIP, bpf.LoadAbsolute{Off: 12, Size: 4})
	r.store(DstIP, bpf.LoadAbsolute{Off: 16, Size: 4})
	r.store(Proto, bpf.LoadAbsolute{Off: 9, Size: 1})
	r.ports(func() {
		r.plain(bpf.LoadMemShift{Off: 0})
		r.store(SrcPort, bpf.LoadIndirect{Off: 0, Size: 2})
		r.store(DstPort, bpf.LoadIndirect{Off: 2, Size: 2})
	})
	return layout(r.steps, len(r.arrivals))
}

func prologue6() []bpf.Instruction {
	r := routine{family: chain.IPv6}
	next, refuse := r.label(), r.label()
	// Version 6, and the first half of the traffic class: 0x60 to 0x6f.
	r.plain(bpf.LoadAbsolute{Off: 0, Size: 1})
	r.test(bpf.JumpGreaterOrEqual, 0x60, next, refuse)
	r.place(next)
	ok := r.label()
	r.test(bpf.JumpGreaterThan, 0x6f, refuse, ok)
	r.place(refuse)
	r.answer(answerNone)
	r.place(ok)
	// Both addresses stand in the memory as they do in the packet.
	for w := range word(wordsOf(SrcIP, chain.IPv6) + wordsOf(DstIP, chain.IPv6)) {
		r.keep(w, bpf.LoadAbsolute{Off: 8 + 4*uint32(w), Size: 4})
	}
	r.store(Proto, bpf.LoadAbsolute{Off: 6, Size: 1})
	r.ports(func() {
		r.store(SrcPort, bpf.LoadAbsolute{Off: 40, Size: 2})
		r.store(DstPort, bpf.LoadAbsolute{Off: 42, Size: 2})
	})
	return layout(r.steps, len(r.arrivals))
}

// ports stores the ports, which only TCP and UDP have. The protocol is in A.
func (r *routine) ports(load func()) {
	notTCP, other, ports, done := r.label(), r.label(), r.label(), r.label()
	r.test(bpf.JumpEqual, uint32(chain.ProtocolTCP), ports, notTCP)
	r.place(notTCP)
	r.test(bpf.JumpEqual, uint32(chain.ProtocolUDP), ports, other)
	r.place(other)
	r.store(SrcPort, bpf.LoadConstant{Dst: bpf.RegA, Val: 0})
	r.plain(bpf.StoreScratch{Src: bpf.RegA, N: int(wordOf(DstPort, r.family, 0))})
	r.jump(done)
	r.place(ports)
	load()
	r.jump(done)
	r.place(done)
}

// store loads a field of one word and stores it.
func (r *routine) store(f Field, load bpf.Instruction) { r.keep(wordOf(f, r.family, 0), load) }

func (r *routine) keep(w word, load bpf.Instruction) {
	r.plain(load, bpf.StoreScratch{Src: bpf.RegA, N: int(w)})
}
