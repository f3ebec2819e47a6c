// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"mbchain/chain"
	"mbchain/policy"
)

// evaluate says whether a predicate holds, by its words and nothing of the
// package: it knows neither points nor intervals.
func evaluate(p policy.Predicate, t chain.FiveTuple) bool {
	switch p := p.(type) {
	case policy.Any:
		return true
	case policy.Address:
		end := t.Source
		if p.Field == policy.DstIP {
			end = t.Destination
		}
		return p.Prefix.Contains(end.Addr())
	case policy.Port:
		end := t.Source
		if p.Field == policy.DstPort {
			end = t.Destination
		}
		return p.Low <= end.Port() && end.Port() <= p.High
	case policy.Protocol:
		return uint8(p) == t.Protocol
	case policy.Not:
		return !evaluate(p.X, t)
	case policy.And:
		for _, x := range p {
			if !evaluate(x, t) {
				return false
			}
		}
		return true
	case policy.Or:
		for _, x := range p {
			if evaluate(x, t) {
				return true
			}
		}
	}
	return false
}

// reference returns the number of the first predicate that holds, 0 for none.
func reference(predicates []policy.Predicate, t chain.FiveTuple) int {
	for i, x := range predicates {
		if evaluate(x, t) {
			return i + 1
		}
	}
	return 0
}

func TestMatchIsWhatThePredicateSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPredicate(t, 4)
		for range 20 {
			tuple := drawTuple(t)
			if got, want := p.Match(tuple), evaluate(p, tuple); got != want {
				t.Fatalf("%s: Match(%v) = %t, want %t", p, tuple, got, want)
			}
		}
	})
}

// An address of one family is none of the other, however alike they look:
// 10.0.0.1 and ::a00:1 are the same number.
func TestFamiliesDoNotMeet(t *testing.T) {
	four := mustTuple(t, "10.0.0.1:1 > 10.0.0.2:2 tcp")
	six := chain.FiveTuple{
		Source:      netip.MustParseAddrPort("[::a00:1]:1"),
		Destination: netip.MustParseAddrPort("[::a00:2]:2"),
		Protocol:    chain.ProtocolTCP,
	}
	tests := []struct {
		predicate string
		four, six bool
	}{
		{"any", true, true},
		{"srcport=1", true, true},
		{"srcip=10.0.0.1", true, false},
		{"srcip=::a00:1", false, true},
		{"srcip=0.0.0.0/0", true, false},
		{"srcip=::/0", false, true},
		{"~srcip=0.0.0.0/0", false, true},
		{"~srcip=fd00::1", true, true},
		{"~dstip=::a00:2", true, false},
		{"srcip=10.0.0.1 & dstip=::/0", false, false},
		{"srcip=10.0.0.1 | srcip=::a00:1", true, true},
		{"~(srcip=10.0.0.0/8 | srcip=::/8)", false, false},
		{"~(srcip=10.0.0.0/8 & srcip=::/8)", true, true},
	}
	for _, tt := range tests {
		t.Run(tt.predicate, func(t *testing.T) {
			predicates := []policy.Predicate{mustParsePredicate(t, tt.predicate)}
			m := newMachine(t, predicates)
			for _, side := range []struct {
				tuple chain.FiveTuple
				want  bool
			}{{four, tt.four}, {six, tt.six}} {
				f := side.tuple.Family()
				if got := predicates[0].Match(side.tuple); got != side.want {
					t.Errorf("%v: Match = %t, want %t", f, got, side.want)
				}
				if got := reference(predicates, side.tuple) == 1; got != side.want {
					t.Errorf("%v: reference = %t, want %t", f, got, side.want)
				}
				if got := m.match(t, f, packet(side.tuple, layout{})) == 1; got != side.want {
					t.Errorf("%v: compiled = %t, want %t", f, got, side.want)
				}
			}
		})
	}
}
