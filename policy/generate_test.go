// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"net/netip"
	"slices"

	"pgregory.net/rapid"

	"mbchain/chain"
	"mbchain/policy"
)

// The generators draw from few values, so that tuples often hit predicates,
// and from the edges of the ranges.

func drawFamily(t *rapid.T) chain.Family {
	return rapid.SampledFrom([]chain.Family{chain.IPv4, chain.IPv6}).Draw(t, "family")
}

func drawAddr(t *rapid.T, f chain.Family, label string) netip.Addr {
	anywhere := rapid.IntRange(0, 3).Draw(t, label+" anywhere") == 0
	if f == chain.IPv6 {
		return drawAddr6(t, anywhere, label)
	}
	if !anywhere {
		return netip.AddrFrom4([4]byte{10, 0, 0, rapid.SampledFrom([]byte{1, 2, 3}).Draw(t, label)})
	}
	return netip.AddrFrom4([4]byte{
		rapid.SampledFrom([]byte{10, 11, 192, 0, 255}).Draw(t, label+" byte 0"),
		rapid.SampledFrom([]byte{0, 1, 255}).Draw(t, label+" byte 1"),
		rapid.SampledFrom([]byte{0, 1, 128, 255}).Draw(t, label+" byte 2"),
		rapid.SampledFrom([]byte{0, 1, 254, 255}).Draw(t, label+" byte 3"),
	})
}

// drawAddr6 draws addresses that differ in any of the four words that programs
// test. None is mapped or link-local.
func drawAddr6(t *rapid.T, anywhere bool, label string) netip.Addr {
	b := [16]byte{0: 0xfd}
	b[15] = rapid.SampledFrom([]byte{1, 2, 3}).Draw(t, label)
	if anywhere {
		b[0] = rapid.SampledFrom([]byte{0xfd, 0xfc, 0x20, 0x7f, 0x80}).Draw(t, label+" byte 0")
		for _, i := range []int{3, 4, 7, 8, 11, 12, 15} {
			b[i] = rapid.SampledFrom([]byte{0, 0, 1, 128, 255}).Draw(t, fmt.Sprint(label, " byte ", i))
		}
	}
	return netip.AddrFrom16(b)
}

func drawPort(t *rapid.T, label string) uint16 {
	return rapid.SampledFrom([]uint16{0, 79, 80, 80, 81, 443, 65534, 65535}).Draw(t, label)
}

func drawProtocol(t *rapid.T, label string) uint8 {
	return rapid.SampledFrom([]uint8{6, 6, 6, 17, 17, 0, 1, 132, 255}).Draw(t, label)
}

// drawTuple draws any tuple of either family. What has no ports has port 0.
func drawTuple(t *rapid.T) chain.FiveTuple {
	f := drawFamily(t)
	tuple := chain.FiveTuple{Protocol: drawProtocol(t, "protocol")}
	var source, destination uint16
	if tuple.Protocol == chain.ProtocolTCP || tuple.Protocol == chain.ProtocolUDP {
		source, destination = drawPort(t, "source port"), drawPort(t, "destination port")
	}
	tuple.Source = netip.AddrPortFrom(drawAddr(t, f, "source"), source)
	tuple.Destination = netip.AddrPortFrom(drawAddr(t, f, "destination"), destination)
	return tuple
}

func drawPrefix(t *rapid.T) netip.Prefix {
	family := drawFamily(t)
	bits := []int{32, 32, 31, 24, 16, 8, 1, 0}
	if family == chain.IPv6 {
		bits = []int{128, 128, 127, 97, 96, 95, 65, 64, 64, 48, 33, 32, 7, 1, 0}
	}
	prefix, err := drawAddr(t, family, "prefix").Prefix(rapid.SampledFrom(bits).Draw(t, "bits"))
	if err != nil {
		t.Fatal(err)
	}
	return prefix
}

func drawTerm(t *rapid.T) policy.Predicate {
	switch f := policy.Field(rapid.IntRange(-1, int(policy.Proto)).Draw(t, "field")); f {
	case policy.SrcIP, policy.DstIP:
		return policy.Address{Field: f, Prefix: drawPrefix(t)}
	case policy.SrcPort, policy.DstPort:
		low, high := drawPort(t, "low"), drawPort(t, "high")
		return policy.Port{Field: f, Low: min(low, high), High: max(low, high)}
	case policy.Proto:
		return policy.Protocol(drawProtocol(t, "proto"))
	}
	return policy.Any{}
}

// drawPredicate draws what a parser can return: no And in an And, no Or in an
// Or, two parts at least.
func drawPredicate(t *rapid.T, depth int) policy.Predicate {
	shape := "term"
	if depth > 0 {
		shape = rapid.SampledFrom([]string{"term", "not", "and", "or"}).Draw(t, "shape")
	}
	switch shape {
	case "not":
		return policy.Not{X: drawPredicate(t, depth-1)}
	case "and":
		var parts policy.And
		for range rapid.IntRange(2, 4).Draw(t, "parts") {
			x := drawPredicate(t, depth-1)
			if inner, ok := x.(policy.And); ok {
				parts = append(parts, inner...)
			} else {
				parts = append(parts, x)
			}
		}
		return parts
	case "or":
		var parts policy.Or
		for range rapid.IntRange(2, 4).Draw(t, "parts") {
			x := drawPredicate(t, depth-1)
			if inner, ok := x.(policy.Or); ok {
				parts = append(parts, inner...)
			} else {
				parts = append(parts, x)
			}
		}
		return parts
	}
	return drawTerm(t)
}

func drawPredicates(t *rapid.T, most int) []policy.Predicate {
	predicates := make([]policy.Predicate, rapid.IntRange(1, most).Draw(t, "rules"))
	for i := range predicates {
		predicates[i] = drawPredicate(t, 3)
	}
	return predicates
}

// drawType draws a type whose first two instances serve a family.
func drawType(t *rapid.T, number byte, serves chain.Family) *policy.Type {
	nf := &policy.Type{Name: fmt.Sprintf("t%d", number)}
	nf.Choose = rapid.SampledFrom([]policy.Method{policy.ByHash, policy.BySource, policy.InTurn, policy.LeastLoaded}).Draw(t, "choose")
	nf.Decide = rapid.SampledFrom([]policy.Decide{policy.ByAgent, policy.ByServer}).Draw(t, "decide")
	for j := range rapid.IntRange(2, 5).Draw(t, "instances") {
		in := policy.Instance{Weight: rapid.Uint32Range(1, policy.MaxWeight).Draw(t, "weight")}
		only := drawFamily(t)
		if j < 2 {
			only = serves
		}
		both := rapid.Bool().Draw(t, "both families")
		if both || only == chain.IPv4 {
			in.Address = netip.AddrFrom4([4]byte{10, 0, number, byte(1 + j)})
		}
		if both || only == chain.IPv6 {
			in.Address6 = netip.AddrFrom16([16]byte{0: 0xfd, 14: number, 15: byte(1 + j)})
		}
		if rapid.Bool().Draw(t, "named") {
			in.Name = fmt.Sprintf("mb-%d.%d", number, j)
		}
		nf.Instances = append(nf.Instances, in)
	}
	return nf
}

// drawPolicy draws a policy that has passed all checks.
func drawPolicy(t *rapid.T) *policy.Policy {
	p := &policy.Policy{}
	serves := drawFamily(t)
	for i := range rapid.IntRange(0, 4).Draw(t, "types") {
		p.Types = append(p.Types, drawType(t, byte(i), serves))
	}
	for i, x := range drawPredicates(t, 6) {
		r := &policy.Rule{Number: i + 1, Predicate: x, Priority: rapid.SampledFrom([]int{0, 0, -32768, 1, 32767}).Draw(t, "priority")}
		if rapid.Bool().Draw(t, "named rule") {
			r.Name = fmt.Sprintf("r-%d", i)
		}
		if len(p.Types) > 0 {
			for range rapid.IntRange(0, policy.MaxChain).Draw(t, "chain") {
				r.Chain = append(r.Chain, rapid.SampledFrom(p.Types).Draw(t, "type"))
			}
		}
		if rapid.Bool().Draw(t, "bypass") {
			r.OnFailure = policy.Bypass
		}
		r.SetUp = rapid.SampledFrom([]policy.SetUp{policy.Auto, policy.InBand, policy.OutOfBand}).Draw(t, "set-up")
		r.Enforce = rapid.SampledFrom([]policy.Enforce{policy.BestEffort, policy.Required}).Draw(t, "enforce")
		r.LiveSessions = rapid.SampledFrom([]policy.LiveSessions{policy.NewOnly, policy.Migrate, policy.Reset}).Draw(t, "live sessions")
		for _, nf := range p.Types {
			switch may := rapid.Bool().Draw(t, "may"); {
			case may && slices.Contains(r.Chain, nf):
				r.MayLeave = append(r.MayLeave, nf)
			case may:
				r.MayInsert = append(r.MayInsert, nf)
			}
		}
		p.Rules = append(p.Rules, r)
	}
	slices.SortStableFunc(p.Rules, func(a, b *policy.Rule) int { return b.Priority - a.Priority })
	for i, r := range p.Rules {
		r.Number = i + 1
	}
	return p
}
