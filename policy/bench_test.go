// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"mbchain/policy"
)

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			predicates := manyRules(b, n)
			instructions := 0
			for b.Loop() {
				programs, err := policy.Compile(predicates)
				if err != nil {
					b.Fatal(err)
				}
				instructions = 0
				for _, p := range programs {
					instructions += len(p)
				}
			}
			b.ReportMetric(float64(instructions)/float64(n), "instructions/rule")
		})
	}
}

func BenchmarkSplit(b *testing.B) {
	p := &policy.Policy{}
	for i, x := range manyRules(b, 10_000) {
		p.Rules = append(p.Rules, &policy.Rule{Number: i + 1, Predicate: x})
	}
	addresses := []netip.Addr{netip.MustParseAddr("10.3.4.5")}
	for b.Loop() {
		p.Split(addresses)
	}
}

// BenchmarkPolicy10000 is what policyd does with a policy of 10,000 rules: it checks
// and compiles it, cuts out a host's part, and explains what becomes of a session
// that only the last rule matches.
func BenchmarkPolicy10000(b *testing.B) {
	var text strings.Builder
	text.WriteString("type firewall { mb1 10.255.0.2 fd00::2 weight 2, mb3 10.255.0.4 fd00::4 }\ntype ids { 10.255.0.3 fd00::3 }\n")
	text.WriteString("group office { 10.0.0.0/8, 192.168.0.0/16 }\n")
	for i, x := range manyRules(b, 10_000)[:9_999] {
		fmt.Fprintf(&text, "rule r%d match(%s) >> {firewall -> ids} on-failure bypass\n", i, x)
	}
	text.WriteString("match(srcip=192.168.7.7 & dstip=office) >> {firewall} priority -1\n")
	p := mustParse(b, text.String())
	addresses := []netip.Addr{netip.MustParseAddr("10.3.4.5"), netip.MustParseAddr("fd00:3::5")}
	b.Run("check, compile and split", func(b *testing.B) {
		for b.Loop() {
			p, err := policy.Parse(text.String()) // compiles, too
			if err != nil {
				b.Fatal(err)
			}
			part := p.Split(addresses)
			for _, compile := range []func([]policy.Predicate) ([][]bpf.RawInstruction, error){policy.Compile, policy.Compile6} {
				if _, err := compile(part.Predicates()); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("explain", func(b *testing.B) {
		session := mustTuple(b, "192.168.7.7:40000 > 192.168.7.8:80")
		if r := p.Match(session); r == nil || r.Number != 10_000 {
			b.Fatalf("it matches %v", r)
		}
		for b.Loop() {
			p.Explain(policy.Seed{}, session, nil)
		}
	})
}
