// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"
	"pgregory.net/rapid"

	"mbchain/chain"
	"mbchain/policy"
)

func mustTuple(t testing.TB, text string) chain.FiveTuple {
	t.Helper()
	tuple, err := chain.ParseFiveTuple(text)
	if err != nil {
		t.Fatal(err)
	}
	return tuple
}

func TestCompiledMatchesLikeReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		predicates := drawPredicates(t, 8)
		m := newMachine(t, predicates)
		for range 60 {
			tuple := drawTuple(t)
			l := layout{
				optionWords: rapid.IntRange(0, 10).Draw(t, "option words"),
				optionByte:  rapid.Byte().Draw(t, "option byte"),
			}
			want := reference(predicates, tuple)
			if got := m.match(t, tuple.Family(), packet(tuple, l)); got != want {
				t.Fatalf("%v matches rule %d, want %d", tuple, got, want)
			}
		}
	})
}

func TestPacketsThatMatchNothing(t *testing.T) {
	tuple := mustTuple(t, "10.0.0.1:40000 > 10.0.0.4:80 tcp")
	m := newMachine(t, []policy.Predicate{mustParsePredicate(t, "dstport=80 | any")})
	good := packet(tuple, layout{})
	change := func(f func(p []byte)) []byte {
		p := append([]byte(nil), good...)
		f(p)
		return p
	}
	tests := []struct {
		name   string
		packet []byte
		want   int
	}{
		{"whole", good, 1},
		{"first fragment", packet(tuple, layout{fragment: 0x2000}), 1},
		{"may not be fragmented", packet(tuple, layout{fragment: 0x4000}), 1},
		{"most options", packet(tuple, layout{optionWords: 10, optionByte: 0xff}), 1},
		{"later fragment", packet(tuple, layout{fragment: 0x0001}), 0},
		{"middle fragment", packet(tuple, layout{fragment: 0x2000 | 185}), 0},
		{"last fragment, highest offset", packet(tuple, layout{fragment: 0x1fff}), 0},
		{"ends behind the ports", packet(tuple, layout{short: 16}), 1},
		{"ends within the ports", packet(tuple, layout{short: 17}), 0},
		{"options that reach beyond it", change(func(p []byte) { p[0] = 0x4f }), 0},
		{"version 6", change(func(p []byte) { p[0] = 0x65 }), 0},
		{"version 5", change(func(p []byte) { p[0] = 0x50 }), 0},
		{"version 3", change(func(p []byte) { p[0] = 0x35 }), 0},
		{"header too short to be one", change(func(p []byte) { p[0] = 0x44 }), 0},
		{"one byte", good[:1], 0},
		{"empty", nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := m.match(t, chain.IPv4, tt.packet); got != tt.want {
				t.Errorf("matches rule %d, want %d", got, tt.want)
			}
		})
	}
}

func TestProtocolsWithoutPortsHavePortZero(t *testing.T) {
	icmp := chain.FiveTuple{
		Source:      netip.MustParseAddrPort("10.0.0.1:0"),
		Destination: netip.MustParseAddrPort("10.0.0.4:0"),
		Protocol:    1,
	}
	p := packet(icmp, layout{})
	p[20], p[21], p[22], p[23] = 0, 80, 0, 80 // no ports, whatever they look like
	for text, want := range map[string]int{
		"proto=1": 1, "any": 1, "dstport=80": 0, "~dstport=80": 1, "dstport=0": 1, "srcport=0-1023": 1, "proto=tcp": 0,
	} {
		predicates := []policy.Predicate{mustParsePredicate(t, text)}
		if got := newMachine(t, predicates).match(t, chain.IPv4, p); got != want {
			t.Errorf("%s: compiled: %d, want %d", text, got, want)
		}
		if got := reference(predicates, icmp); got != want {
			t.Errorf("%s: reference: %d, want %d", text, got, want)
		}
	}
}

// The largest rules need trampolines: conditional jumps reach 255
// instructions, these rules have thousands.
func TestCompileOfTheLargestRules(t *testing.T) {
	var ranges, hosts, pairs []string
	for i := range policy.MaxTerms {
		ranges = append(ranges, fmt.Sprintf("dstport=%d-%d", 100*i+1, 100*i+50))
		hosts = append(hosts, fmt.Sprintf("srcip=10.%d.%d.0/25", i/256, i%256))
	}
	for i := range policy.MaxTerms / 2 {
		pairs = append(pairs, "("+ranges[i]+" | "+hosts[i]+")", "~("+ranges[i]+" & "+hosts[i]+")")
	}
	pairs = pairs[:policy.MaxTerms/2]
	tests := []struct{ name, predicate string }{
		{"or of ranges", strings.Join(ranges, " | ")},
		{"and of not ranges", "~" + strings.Join(ranges, " & ~")},
		{"not of or", "~(" + strings.Join(ranges, " | ") + ")"},
		{"two fields", strings.Join(pairs, " & ")},
		{"either of two fields", "(" + strings.Join(pairs, ") | (") + ")"},
		{"half and half", "(" + strings.Join(ranges[:256], " | ") + ") & (" + strings.Join(hosts[:256], " | ") + ")"},
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := mustParsePredicate(t, tt.predicate)
			predicates := []policy.Predicate{x, policy.Port{Field: policy.DstPort, Low: 7, High: 7}, x, policy.Any{}}
			m := newMachine(t, predicates)
			for range 2000 {
				tuple := chain.FiveTuple{
					Source: netip.AddrPortFrom(netip.AddrFrom4([4]byte{
						10, byte(random.IntN(3)), byte(random.IntN(256)), byte(random.IntN(256))}), 1),
					Destination: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.4"), uint16(random.IntN(65536))),
					Protocol:    chain.ProtocolTCP,
				}
				want := reference(predicates, tuple)
				if got := m.match(t, chain.IPv4, packet(tuple, layout{})); got != want {
					t.Fatalf("%v matches rule %d, want %d", tuple, got, want)
				}
			}
		})
	}
}

// manyRules returns a policy of n rules of the usual kind, the last of which
// matches everything.
func manyRules(t testing.TB, n int) []policy.Predicate {
	var predicates []policy.Predicate
	for i := range n - 1 {
		predicates = append(predicates, mustParsePredicate(t, fmt.Sprintf(
			"proto=tcp & srcip=10.%d.%d.0/24 & dstport=%d-%d", i/250%250, i%250, 1000+i%1000, 3000+i%1000)))
	}
	return append(predicates, policy.Any{})
}

func TestCompileOfManyRules(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 10, 1000, 10_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			predicates := manyRules(t, n)
			m := newMachine(t, predicates)
			for i := range 300 {
				rule := random.IntN(n)
				tuple := mustTuple(t, fmt.Sprintf("10.%d.%d.9:40000 > 10.0.0.4:%d tcp", rule/250%250, rule%250, 1000+7*i))
				want := reference(predicates, tuple)
				if got := m.match(t, chain.IPv4, packet(tuple, layout{optionWords: i % 11})); got != want {
					t.Fatalf("%v matches rule %d, want %d", tuple, got, want)
				}
			}
		})
	}
}

func TestCompileOfNoRules(t *testing.T) {
	programs, err := policy.Compile(nil)
	if err != nil || len(programs) != 0 {
		t.Errorf("%d programs, %v", len(programs), err)
	}
}

// What follows a rule that always matches is not compiled, and neither is a
// rule that never does.
func TestCompileLeavesOutWhatCannotMatch(t *testing.T) {
	size := func(texts ...string) int {
		var predicates []policy.Predicate
		for _, text := range texts {
			predicates = append(predicates, mustParsePredicate(t, text))
		}
		programs, err := policy.Compile(predicates)
		if err != nil || len(programs) != 1 {
			t.Fatalf("%d programs, %v", len(programs), err)
		}
		return len(programs[0])
	}
	if with, without := size("any", "dstport=80"), size("any"); with != without {
		t.Errorf("%d instructions with a rule that is never reached, %d without", with, without)
	}
	if with, without := size("~any", "dstport=80"), size("dstport=80"); with != without {
		t.Errorf("%d instructions with a rule that never matches, %d without", with, without)
	}
}

// A field that is in the register already is not loaded again: three rules on
// one field take one load, three tests and three returns beside the rest.
func TestCompileLoadsAFieldOnce(t *testing.T) {
	sizes := map[int]int{}
	for _, n := range []int{1, 3} {
		var predicates []policy.Predicate
		for i := range n {
			predicates = append(predicates, policy.Port{Field: policy.DstPort, Low: uint16(80 + i), High: uint16(80 + i)})
		}
		programs, err := policy.Compile(predicates)
		if err != nil {
			t.Fatal(err)
		}
		sizes[n] = len(programs[0])
	}
	if got, want := sizes[3]-sizes[1], 4; got != want {
		t.Errorf("two more rules take %d instructions, want %d", got, want)
	}
}

// A rule is left by two tests of different fields: what is in the register
// then is not known, and the next rule loads its field anew.
func TestCompileReloadsAfterTwoWaysMeet(t *testing.T) {
	predicates := []policy.Predicate{
		mustParsePredicate(t, "srcip=10.0.0.1 & dstport=80"),
		mustParsePredicate(t, "srcip=10.0.0.1"),
		mustParsePredicate(t, "dstport=443"),
	}
	m := newMachine(t, predicates)
	for tuple, want := range map[string]int{
		"10.0.0.1:1 > 10.0.0.4:80":  1,
		"10.0.0.1:1 > 10.0.0.4:443": 2,
		"10.0.0.2:1 > 10.0.0.4:443": 3,
		"10.0.0.2:1 > 10.0.0.4:80":  0,
	} {
		if got := m.match(t, chain.IPv4, packet(mustTuple(t, tuple), layout{})); got != want {
			t.Errorf("%s matches rule %d, want %d", tuple, got, want)
		}
	}
}

// What rules most sessions out is tested first, however the rule is written.
func TestCompileTestsTheMostSelectiveFirst(t *testing.T) {
	for _, tt := range []struct{ good, bad string }{
		{"srcip=10.0.0.1 & dstport=80 & proto=tcp", "proto=tcp & dstport=80 & srcip=10.0.0.1"},
		{"proto=udp & srcport=0-60000", "srcport=0-60000 & proto=udp"},
		{"dstport=80 & (srcip=10.0.0.1 | srcip=10.0.0.3)", "(srcip=10.0.0.1 | srcip=10.0.0.3) & dstport=80"},
		{"srcport=0-30000 | dstport=0-60000 & srcport=0-60000", "dstport=0-60000 & srcport=0-60000 | srcport=0-30000"},
		{"~srcip=10.0.0.1 | dstport=80", "dstport=80 | ~srcip=10.0.0.1"},
	} {
		var programs [2][][]bpf.RawInstruction
		for i, text := range []string{tt.good, tt.bad} {
			var err error
			if programs[i], err = policy.Compile([]policy.Predicate{mustParsePredicate(t, text)}); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(programs[0], programs[1]); diff != "" {
			t.Errorf("%s (-as written +as %s):\n%s", tt.good, tt.bad, diff)
		}
		first := mustParsePredicate(t, tt.good)
		if parts, ok := first.(policy.And); ok {
			first = parts[0]
		} else {
			first = first.(policy.Or)[0]
		}
		alone, err := policy.Compile([]policy.Predicate{first})
		if err != nil {
			t.Fatal(err)
		}
		// The load that comes first is the same in both.
		if diff := cmp.Diff(loads(alone[0])[0], loads(programs[0][0])[0]); diff != "" {
			t.Errorf("%s: first field loaded (-want +got):\n%s", tt.good, diff)
		}
	}
}

// loads returns the scratch words that a program loads, in order.
func loads(program []bpf.RawInstruction) []uint32 {
	const loadScratch = 0x60 // BPF_LD | BPF_MEM
	var words []uint32
	for _, ins := range program {
		if ins.Op == loadScratch {
			words = append(words, ins.K)
		}
	}
	return words
}
