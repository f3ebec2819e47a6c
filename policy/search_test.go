// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
	"pgregory.net/rapid"

	"mbchain/chain"
	"mbchain/policy"
)

// ruleSets are policies of many rules, of the kinds that are easy for a search
// tree and of those that are not.
var ruleSets = []struct {
	name string
	rule func(r *rand.Rand, f chain.Family, i, n int) policy.Predicate
}{
	{"networks and ports", func(r *rand.Rand, f chain.Family, i, _ int) policy.Predicate {
		if i%4 == 3 {
			return policy.And{network(f, policy.DstIP, i, 24), network(f, policy.SrcIP, i%100, 24)}
		}
		return policy.And{network(f, policy.DstIP, i, 24), ports(policy.DstPort, 80*(i%5), 0)}
	}},
	{"sources or destinations", func(r *rand.Rand, f chain.Family, i, _ int) policy.Predicate {
		return network(f, policy.Field(i%2), r.IntN(5000), 24+r.IntN(9))
	}},
	{"sources, destinations or ports", func(r *rand.Rand, f chain.Family, i, n int) policy.Predicate {
		if i%3 == 2 {
			return ports(policy.DstPort, 65535*i/n, 65535/n)
		}
		return network(f, policy.Field(i%3), i, 24)
	}},
	{"destinations, then sources, then all sources", func(r *rand.Rand, f chain.Family, i, n int) policy.Predicate {
		switch {
		case i < n/6:
			return network(f, policy.DstIP, r.IntN(300), 32)
		case i < 2*n/3:
			return network(f, policy.SrcIP, r.IntN(300), 24)
		}
		return policy.And{network(f, policy.SrcIP, 0, 8), ports(policy.DstPort, 65535*(3*i-2*n)/n, 65535/n)}
	}},
	{"an access list", func(r *rand.Rand, f chain.Family, i, _ int) policy.Predicate {
		p := policy.And{policy.Any{}}
		for _, field := range []policy.Field{policy.SrcIP, policy.DstIP} {
			if r.IntN(3) > 0 {
				p = append(p, network(f, field, r.IntN(300), []int{8, 16, 20, 24, 24, 28, 32, 32}[r.IntN(8)]))
			}
		}
		if r.IntN(3) > 0 {
			p = append(p, ports(policy.DstPort, []int{22, 80, 80, 443, 1024, 5000}[r.IntN(6)], []int{0, 0, 0, 100, 60000}[r.IntN(5)]))
		}
		if len(p) == 1 || r.IntN(2) > 0 {
			p = append(p, network(f, policy.Field(r.IntN(2)), r.IntN(300), 32))
		}
		if r.IntN(2) > 0 {
			p = append(p, policy.Protocol([]uint8{6, 17, 1}[r.IntN(3)]))
		}
		return p
	}},
	{"nested ranges, inner first", func(_ *rand.Rand, _ chain.Family, i, n int) policy.Predicate {
		at := 32767 * (n - i) / n
		return ports(policy.SrcPort, at, 65535-2*at)
	}},
	{"nested ranges, outer first", func(_ *rand.Rand, _ chain.Family, i, n int) policy.Predicate {
		at := 32767 * i / n
		return ports(policy.SrcPort, at, 65535-2*at)
	}},
	{"ranges that overlap", func(r *rand.Rand, _ chain.Family, _, _ int) policy.Predicate {
		return policy.And{ports(policy.SrcPort, r.IntN(63000), r.IntN(2500)), ports(policy.DstPort, r.IntN(60000), r.IntN(25000))}
	}},
	{"the same again and again", func(_ *rand.Rand, f chain.Family, _, _ int) policy.Predicate {
		return policy.And{network(f, policy.SrcIP, 1, 24), ports(policy.DstPort, 80, 0)}
	}},
	{"nearly all", func(r *rand.Rand, f chain.Family, i, n int) policy.Predicate {
		return policy.And{policy.Not{X: network(f, policy.DstIP, i, 32)}, ports(policy.DstPort, 65535*i/n, 10)}
	}},
	{"lists of hosts", func(r *rand.Rand, f chain.Family, i, _ int) policy.Predicate {
		var or policy.Or
		for range 2 + r.IntN(6) {
			or = append(or, network(f, policy.SrcIP, r.IntN(4000), 32))
		}
		return policy.And{or, policy.Not{X: policy.Or{ports(policy.DstPort, 22, 0), network(f, policy.DstIP, i%7, 24)}}}
	}},
	{"all that there is", func(r *rand.Rand, f chain.Family, _, _ int) policy.Predicate { return randomPredicate(r, f, 3) }},
}

// network is one of the networks of some bits that an address field can be in.
func network(f chain.Family, field policy.Field, number, bits int) policy.Predicate {
	addr := netip.AddrFrom4([4]byte{10, byte(number >> 8), byte(number), byte(number * 7)})
	if f == chain.IPv6 {
		// The bits beyond those of IPv4 are spread over the words.
		bits = map[int]int{8: 16, 16: 32, 20: 44, 24: 64, 28: 100, 32: 128}[bits&^3]
		addr = netip.AddrFrom16([16]byte{0: 0xfd, 3: byte(number >> 8), 6: byte(number), 11: byte(number), 15: byte(number * 7)})
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		panic(err)
	}
	return policy.Address{Field: field, Prefix: prefix}
}

func ports(field policy.Field, low, more int) policy.Predicate {
	return policy.Port{Field: field, Low: uint16(low), High: uint16(min(low+more, 65535))}
}

func randomPredicate(r *rand.Rand, f chain.Family, depth int) policy.Predicate {
	parts := func() []policy.Predicate {
		list := make([]policy.Predicate, 2+r.IntN(3))
		for i := range list {
			list[i] = randomPredicate(r, f, depth-1)
		}
		return list
	}
	shape := r.IntN(8)
	if depth == 0 {
		shape = 7
	}
	switch shape {
	case 0:
		return policy.Not{X: randomPredicate(r, f, depth-1)}
	case 1, 2, 3, 4:
		return policy.And(parts())
	case 5:
		return policy.Or(parts())
	}
	if r.IntN(10) == 0 {
		f = map[chain.Family]chain.Family{chain.IPv4: chain.IPv6, chain.IPv6: chain.IPv4}[f]
	}
	switch r.IntN(12) {
	case 0:
		return policy.Any{}
	case 1, 2:
		return policy.Protocol([]uint8{6, 6, 17, 1, 0, 255}[r.IntN(6)])
	case 3, 4, 5:
		return ports(policy.Field(2+r.IntN(2)), []int{0, 1, 80, 443, 32768, 65535}[r.IntN(6)], []int{0, 0, 1, 100, 65535}[r.IntN(5)])
	}
	return network(f, policy.Field(r.IntN(2)), r.IntN(300), []int{8, 16, 20, 24, 24, 28, 32, 32}[r.IntN(8)])
}

func makeRules(r *rand.Rand, f chain.Family, set, n int) []policy.Predicate {
	predicates := make([]policy.Predicate, n)
	for i := range predicates {
		predicates[i] = ruleSets[set].rule(r, f, i, n)
	}
	return predicates
}

// near changes a tuple so that it lies at an edge of each term of a predicate:
// the first or the last value that is inside, or that is outside.
func near(r *rand.Rand, p policy.Predicate, t *chain.FiveTuple) {
	switch p := p.(type) {
	case policy.Not:
		near(r, p.X, t)
	case policy.And:
		for _, x := range p {
			near(r, x, t)
		}
	case policy.Or:
		near(r, p[r.IntN(len(p))], t)
	case policy.Protocol:
		t.Protocol = uint8(p) + uint8(r.IntN(4)/3)
	case policy.Port:
		port := []uint16{p.Low, p.High, p.Low - 1, p.High + 1, p.Low + uint16(r.IntN(int(p.High-p.Low)+1))}[r.IntN(5)]
		if p.Field == policy.SrcPort {
			t.Source = netip.AddrPortFrom(t.Source.Addr(), port)
		} else {
			t.Destination = netip.AddrPortFrom(t.Destination.Addr(), port)
		}
	case policy.Address:
		if chain.FamilyOf(p.Prefix.Addr()) != t.Family() {
			return
		}
		first := p.Prefix.Addr()
		bytes := first.AsSlice()
		for i := p.Prefix.Bits(); i < 8*len(bytes); i++ {
			bytes[i/8] |= 0x80 >> (i % 8)
		}
		last, _ := netip.AddrFromSlice(bytes)
		addr := []netip.Addr{first, first, last, first.Prev(), last.Next()}[r.IntN(5)]
		switch {
		case !addr.IsValid():
		case p.Field == policy.SrcIP:
			t.Source = netip.AddrPortFrom(addr, t.Source.Port())
		default:
			t.Destination = netip.AddrPortFrom(addr, t.Destination.Port())
		}
	}
}

// tupleNear returns a tuple that several of the predicates may hold for.
func tupleNear(r *rand.Rand, f chain.Family, predicates []policy.Predicate) chain.FiveTuple {
	addr := network(f, policy.SrcIP, r.IntN(300), 32).(policy.Address).Prefix.Addr()
	t := chain.FiveTuple{
		Source:      netip.AddrPortFrom(addr, uint16(r.Uint32())),
		Destination: netip.AddrPortFrom(addr, uint16(r.Uint32())),
		Protocol:    chain.ProtocolTCP,
	}
	for range 1 + r.IntN(3) {
		near(r, predicates[r.IntN(len(predicates))], &t)
	}
	if t.Protocol != chain.ProtocolTCP && t.Protocol != chain.ProtocolUDP {
		t.Source, t.Destination = netip.AddrPortFrom(t.Source.Addr(), 0), netip.AddrPortFrom(t.Destination.Addr(), 0)
	}
	return t
}

// first returns the number of the first predicate that holds, 0 for none.
func first(predicates []policy.Predicate, t chain.FiveTuple) int {
	return 1 + slices.IndexFunc(predicates, func(p policy.Predicate) bool { return p.Match(t) })
}

// A search finds the first rule that matches, whatever the rules are.
func TestSearchFindsTheFirstRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFamily(t)
		set := rapid.IntRange(0, len(ruleSets)-1).Draw(t, "set")
		n := rapid.IntRange(1, 400).Draw(t, "rules")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		predicates := makeRules(r, f, set, n)
		m := newMachine(t, predicates)
		for range 200 {
			tuple := tupleNear(r, f, predicates)
			want := first(predicates, tuple)
			if got := m.match(t, f, packet(tuple, layout{})); got != want {
				t.Fatalf("%s: %v matches rule %d, want %d", ruleSets[set].name, tuple, got, want)
			}
		}
	})
}

// Two kinds of rules mixed: what separates the one does not the other.
func TestSearchOfMixedRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFamily(t)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		var predicates []policy.Predicate
		for range rapid.IntRange(2, 4).Draw(t, "kinds") {
			predicates = append(predicates, makeRules(r, f, r.IntN(len(ruleSets)), 1+r.IntN(150))...)
		}
		r.Shuffle(len(predicates), func(i, j int) { predicates[i], predicates[j] = predicates[j], predicates[i] })
		m := newMachine(t, predicates)
		for range 200 {
			tuple := tupleNear(r, f, predicates)
			want := first(predicates, tuple)
			if got := m.match(t, f, packet(tuple, layout{})); got != want {
				t.Fatalf("%v matches rule %d, want %d", tuple, got, want)
			}
		}
	})
}

// What a search takes, in instructions of classic BPF and in programs, for the
// tuples that it takes longest for. Rules that lie across one another in every
// field cannot be told apart; all others can. None takes more than five times the
// room of a list, nor much longer than a list.
func TestSearchIsShort(t *testing.T) {
	limits := map[string]struct{ rules, steps, programs int }{
		"networks and ports":                           {10_000, 150, 4},
		"sources or destinations":                      {10_000, 300, 8},
		"sources, destinations or ports":               {10_000, 400, 10},
		"destinations, then sources, then all sources": {10_000, 400, 10},
		"an access list":                               {10_000, 4000, 15},
		"nested ranges, inner first":                   {2000, 300, 10},
		"nested ranges, outer first":                   {10_000, 100, 1},
		"ranges that overlap":                          {2000, 200, 8},
		"the same again and again":                     {2000, 100, 1},
		"nearly all":                                   {2000, 200, 5},
		"lists of hosts":                               {2000, 400, 8},
		"all that there is":                            {10_000, 300, 8},
	}
	for set, rules := range ruleSets {
		for _, f := range []chain.Family{chain.IPv4, chain.IPv6} {
			t.Run(fmt.Sprintf("%s/%v", rules.name, f), func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, uint64(set)))
				limit := limits[rules.name]
				n := limit.rules
				predicates := makeRules(r, f, set, n)
				raw, err := compilers[f](predicates)
				if err != nil {
					t.Fatal(err)
				}
				// Instructions of a list, about: every hundredth rule by itself.
				empty, err := compilers[f]([]policy.Predicate{policy.Any{}})
				if err != nil {
					t.Fatal(err)
				}
				list := 0
				for i := 0; i < n; i += 100 {
					alone, err := compilers[f](predicates[i : i+1])
					if err != nil {
						t.Fatal(err)
					}
					for _, program := range alone {
						list += 100 * (len(program) - len(empty[0]))
					}
				}
				size, steps, programs := 0, 0, 0
				for _, program := range raw {
					size += len(program)
				}
				for range 300 {
					tuple := tupleNear(r, f, predicates)
					rule, s, p := search(t, raw, packet(tuple, layout{}))
					if want := first(predicates, tuple); rule != want {
						t.Fatalf("%v matches rule %d, want %d", tuple, rule, want)
					}
					steps, programs = max(steps, s), max(programs, p)
				}
				t.Logf("%d instructions instead of %d, in %d programs; a search takes %d in %d", size, list, len(raw), steps, programs)
				if steps > limit.steps || programs > limit.programs {
					t.Errorf("a search takes %d instructions in %d programs, want at most %d in %d", steps, programs, limit.steps, limit.programs)
				}
				if size > 5*list {
					t.Errorf("%d instructions, want at most 5 times the %d of a list", size, list)
				}
			})
		}
	}
}

// search runs programs, and counts the instructions and the programs.
func search(t fataler, programs [][]bpf.RawInstruction, p []byte) (rule, steps, run int) {
	for i := 0; i < len(programs); {
		answer, s := execute(t, programs[i], p)
		steps += s
		run++
		found, next := int(answer), i+1
		if answer>>31 != 0 {
			found, next = int(answer&0x1ffff), int(answer>>17&0x3fff)
		} else if answer != 0 {
			next = len(programs)
		}
		if found != 0 && (rule == 0 || found < rule) {
			rule = found
		}
		i = next
	}
	return rule, steps, run
}

// execute runs those instructions that Compile makes, and counts them.
func execute(t fataler, program []bpf.RawInstruction, p []byte) (answer uint32, steps int) {
	var a, x uint32
	var mem [16]uint32
	load := func(at, size uint32) uint32 {
		v := uint32(0)
		for _, b := range p[at : at+size] {
			v = v<<8 | uint32(b)
		}
		return v
	}
	jump := func(ins bpf.RawInstruction, yes bool) int {
		if yes {
			return int(ins.Jt)
		}
		return int(ins.Jf)
	}
	for pc := 0; ; pc++ {
		steps++
		switch ins := program[pc]; ins.Op {
		case 0x20:
			a = load(ins.K, 4)
		case 0x28:
			a = load(ins.K, 2)
		case 0x30:
			a = load(ins.K, 1)
		case 0x48:
			a = load(x+ins.K, 2)
		case 0xb1:
			x = 4 * (load(ins.K, 1) & 0xf)
		case 0x00:
			a = ins.K
		case 0x60:
			a = mem[ins.K]
		case 0x02:
			mem[ins.K] = a
		case 0x05:
			pc += int(ins.K)
		case 0x15:
			pc += jump(ins, a == ins.K)
		case 0x25:
			pc += jump(ins, a > ins.K)
		case 0x35:
			pc += jump(ins, a >= ins.K)
		case 0x45:
			pc += jump(ins, a&ins.K != 0)
		case 0x06:
			return ins.K, steps
		default:
			t.Fatalf("instruction %d: operation %#x", pc, ins.Op)
		}
	}
}

func BenchmarkCompileOfTenThousandRules(b *testing.B) {
	for set, rules := range ruleSets {
		for _, f := range []chain.Family{chain.IPv4, chain.IPv6} {
			b.Run(fmt.Sprintf("%s/%v", rules.name, f), func(b *testing.B) {
				predicates := makeRules(rand.New(rand.NewPCG(1, uint64(set))), f, set, 10_000)
				for b.Loop() {
					if _, err := compilers[f](predicates); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// FuzzSearch compiles a policy, a predicate a line, and asks it about tuples
// that lie where predicates begin and end.
func FuzzSearch(f *testing.F) {
	f.Add("dstport=80\nsrcip=10.0.0.0/24\nany", uint64(1))
	f.Add("dstport=1-3\ndstport=2-4\ndstport=3-5\ndstport=4-6\n~dstport=5\nsrcport=0", uint64(2))
	f.Add("srcip=fd00::/8 & dstport=1\nsrcip=fd00::/33\nsrcip=fd00::/97\nsrcip=fd00::1\nsrcip=fd00::2\n~srcip=fd00::3", uint64(3))
	f.Add("proto=tcp & (dstport=80 | dstport=443)\nproto=udp & ~dstport=53\nproto=1\nproto=0\n~(proto=tcp | proto=udp)", uint64(4))
	f.Add("srcport=0-65535\nsrcport=0\nsrcport=65535\nsrcip=0.0.0.0\nsrcip=255.255.255.255\ndstip=0.0.0.0/1", uint64(5))
	f.Fuzz(func(t *testing.T, source string, seed uint64) {
		var predicates []policy.Predicate
		for line := range strings.Lines(source) {
			if p, err := policy.ParsePredicate(line); err == nil && len(predicates) < 64 {
				predicates = append(predicates, p)
			}
		}
		if len(predicates) == 0 {
			return
		}
		m := newMachine(t, predicates)
		r := rand.New(rand.NewPCG(seed, 0))
		for _, family := range []chain.Family{chain.IPv4, chain.IPv6} {
			for range 20 {
				tuple := tupleNear(r, family, predicates)
				want := first(predicates, tuple)
				if got := m.match(t, family, packet(tuple, layout{})); got != want {
					t.Fatalf("%v matches rule %d, want %d", tuple, got, want)
				}
			}
		}
	})
}
