// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"net/netip"
	"testing"

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
