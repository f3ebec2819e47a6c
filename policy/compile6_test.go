// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"

	"mbchain/chain"
	"mbchain/policy"
)

func TestIPv6PacketsThatMatchNothing(t *testing.T) {
	tuple := mustTuple(t, "[fd00::1]:40000 > [fd00::4]:80 tcp")
	m := newMachine(t, []policy.Predicate{mustParsePredicate(t, "dstport=80 | any")})
	good := packet(tuple, layout{})
	change := func(f func(p []byte)) []byte {
		p := slices.Clone(good)
		f(p)
		return p
	}
	tests := []struct {
		name   string
		packet []byte
		want   int
	}{
		{"whole", good, 1},
		{"traffic class and flow label", change(func(p []byte) { p[0], p[1], p[2], p[3] = 0x6f, 0xff, 0xff, 0xff }), 1},
		{"ends behind the ports", packet(tuple, layout{short: 16}), 1},
		{"ends within the ports", packet(tuple, layout{short: 17}), 0},
		{"ends within the header", good[:39], 0},
		{"another protocol, nothing behind the header", change(func(p []byte) { p[6] = 58 })[:40], 1},
		{"version 4", change(func(p []byte) { p[0] = 0x45 }), 0},
		{"version 5", change(func(p []byte) { p[0] = 0x5f }), 0},
		{"version 7", change(func(p []byte) { p[0] = 0x70 }), 0},
		{"one byte", good[:1], 0},
		{"empty", nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := m.match(t, chain.IPv6, tt.packet); got != tt.want {
				t.Errorf("matches rule %d, want %d", got, tt.want)
			}
		})
	}
}

// What is said of one family costs the other nothing.
func TestCompileMakesNoProgramForTheOtherFamily(t *testing.T) {
	tests := []struct {
		predicates []string
		four, six  int // programs
	}{
		{[]string{"srcip=10.0.0.1", "dstip=192.0.2.0/24 & dstport=80"}, 1, 0},
		{[]string{"srcip=fd00::1", "dstip=2001:db8::/32 & dstport=80"}, 0, 1},
		{[]string{"srcip=fd00::1", "srcip=10.0.0.1"}, 1, 1},
		{[]string{"dstport=80"}, 1, 1},
		{[]string{"~any"}, 0, 0},
		{[]string{"srcip=10.0.0.1 & srcip=fd00::1"}, 0, 0},
	}
	for _, tt := range tests {
		var predicates []policy.Predicate
		for _, text := range tt.predicates {
			predicates = append(predicates, mustParsePredicate(t, text))
		}
		four, err := policy.Compile(predicates)
		if err != nil {
			t.Fatal(err)
		}
		six, err := policy.Compile6(predicates)
		if err != nil {
			t.Fatal(err)
		}
		if len(four) != tt.four || len(six) != tt.six {
			t.Errorf("%q: %d and %d programs, want %d and %d", tt.predicates, len(four), len(six), tt.four, tt.six)
		}
	}
}

// Terms about the other family change neither the program nor its order.
func TestCompileForgetsTheOtherFamily(t *testing.T) {
	tests := []struct{ mixed, four, six string }{
		{"dstport=80 & (srcip=10.0.0.1 | srcip=fd00::1)", "dstport=80 & srcip=10.0.0.1", "dstport=80 & srcip=fd00::1"},
		{"~srcip=fd00::1 & dstport=80", "dstport=80", "~srcip=fd00::1 & dstport=80"},
		{"~(srcip=10.0.0.0/8 & srcport=1) | dstport=80", "~(srcip=10.0.0.0/8 & srcport=1) | dstport=80", "any"},
		{"(dstport=1 | srcip=::/0) & (dstport=2 | srcip=0.0.0.0/0)", "dstport=1", "dstport=2"},
	}
	for _, tt := range tests {
		for family, want := range map[chain.Family]string{chain.IPv4: tt.four, chain.IPv6: tt.six} {
			var programs [2][][]bpf.RawInstruction
			for i, text := range []string{want, tt.mixed} {
				var err error
				if programs[i], err = compilers[family]([]policy.Predicate{mustParsePredicate(t, text)}); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(programs[0], programs[1]); diff != "" {
				t.Errorf("%s for %v (-as %s +got):\n%s", tt.mixed, family, want, diff)
			}
		}
	}
}

// Of an address the last word that counts is tested first, and it stays in
// the register for the next rule.
func TestCompileTestsTheLastWordFirst(t *testing.T) {
	tests := []struct {
		predicates string // one a line
		want       []uint32
	}{
		{"srcip=fd00::1", []uint32{3, 2, 1, 0}},
		{"dstip=fd00::/64", []uint32{5, 4}},
		{"dstip=fd00::/65", []uint32{6, 5, 4}},
		{"srcip=fd00::/20", []uint32{0}},
		{"srcip=::/0 & dstport=80", []uint32{9}},
		{"srcip=fd00::1\nsrcip=fd00::2\nsrcip=fd00::3", []uint32{3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1, 0}},
		{"srcip=fd00::/32\nsrcip=fd01::/32", []uint32{0}},
	}
	for _, tt := range tests {
		var predicates []policy.Predicate
		for _, text := range strings.Split(tt.predicates, "\n") {
			predicates = append(predicates, mustParsePredicate(t, text))
		}
		programs, err := policy.Compile6(predicates)
		if err != nil || len(programs) != 1 {
			t.Fatalf("%d programs, %v", len(programs), err)
		}
		if diff := cmp.Diff(tt.want, loads(programs[0])); diff != "" {
			t.Errorf("%q: words loaded (-want +got):\n%s", tt.predicates, diff)
		}
	}
}

// The largest rules on IPv6 addresses fit into a program and mean what they
// say.
func TestCompileOfTheLargestIPv6Rules(t *testing.T) {
	prefixes := func(n, bits int) []string {
		texts := make([]string, n)
		for i := range texts {
			b := [16]byte{0: 0xfd, 3: byte(i), 7: byte(i), 11: byte(i), 15: byte(i) << 1}
			prefix, err := netip.AddrFrom16(b).Prefix(bits)
			if err != nil {
				t.Fatal(err)
			}
			texts[i] = fmt.Sprintf("srcip=%s", prefix)
		}
		return texts
	}
	hosts, links, nets := prefixes(128, 127), prefixes(256, 63), prefixes(512, 31)
	tests := []struct{ name, predicate string }{
		{"or of hosts", strings.Join(hosts, " | ")},
		{"and of not hosts", "~" + strings.Join(hosts, " & ~")},
		{"or of links", strings.Join(links, " | ")},
		{"and of not nets", "~" + strings.Join(nets, " & ~")},
		{"two by two", "(" + strings.Join(hosts[:64], " | ") + ") & ~(" + strings.Join(links[:32], " | ") + ") | " + strings.Join(links[64:160], " | ")},
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := mustParsePredicate(t, tt.predicate)
			predicates := []policy.Predicate{x, policy.Port{Field: policy.DstPort, Low: 7, High: 7}, x, policy.Any{}}
			m := newMachine(t, predicates)
			for range 2000 {
				n := byte(random.IntN(256))
				b := [16]byte{0: 0xfd, 3: n, 7: n, 11: n, 15: n << 1}
				b[random.IntN(16)] ^= byte(random.IntN(3))
				tuple := chain.FiveTuple{
					Source:      netip.AddrPortFrom(netip.AddrFrom16(b), 1),
					Destination: netip.MustParseAddrPort("[fd00::4]:7"),
					Protocol:    chain.ProtocolTCP,
				}
				want := reference(predicates, tuple)
				if got := m.match(t, chain.IPv6, packet(tuple, layout{})); got != want {
					t.Fatalf("%v matches rule %d, want %d", tuple, got, want)
				}
			}
		})
	}
}
