// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"mbchain/chain"
	"mbchain/policy"
)

const methods = `type turn { mb1 10.0.0.2 weight 2, mb2 10.0.0.3 } choose round-robin
type source { mb1 10.0.0.2, mb2 10.0.0.3 } choose sticky-source
type hash { mb3 10.0.0.4 } choose hash
`

func TestMethodsAreReadAndWritten(t *testing.T) {
	p := mustParse(t, strings.ReplaceAll(methods, "type hash", "type h"))
	var got []policy.Method
	for _, nf := range p.Types {
		got = append(got, nf.Choose)
	}
	if want := []policy.Method{policy.InTurn, policy.BySource, policy.ByHash}; !slices.Equal(got, want) {
		t.Errorf("methods %v, want %v", got, want)
	}
	want := "type turn { mb1 10.0.0.2 weight 2, mb2 10.0.0.3 } choose round-robin"
	if got := p.Types[0].String(); got != want {
		t.Errorf("type reads %s, want %s", got, want)
	}
	for text, want := range map[string]string{
		"type a { 10.0.0.2 } choose":            `1:27: expected "hash", "round-robin", "sticky-source" or "least-loaded" after "choose", found the end of the text`,
		"type a { 10.0.0.2 } choose roundrobin": `1:28: expected "hash", "round-robin", "sticky-source" or "least-loaded" after "choose", found "roundrobin"; did you mean "round-robin"?`,
		"type hash { 10.0.0.2 }":                `1:6: "hash" is a word of the language`,
	} {
		if _, err := policy.Parse(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
}

// All sessions of a client get one instance, and many clients share by weight.
func TestSourceAloneDecides(t *testing.T) {
	nf := mustParse(t, "type nf { 10.0.0.2 weight 3, 10.0.0.3 } choose sticky-source").Types[0]
	first := 0
	for i := range 4000 {
		source := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		var got []policy.Choice
		for k := range uint16(3) {
			got = append(got, policy.Choose(policy.Seed{1}, nf, 0, chain.FiveTuple{
				Source:      netip.AddrPortFrom(source, 1000+k),
				Destination: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(k)}), 80+k),
				Protocol:    []uint8{6, 17, 6}[k],
			}))
		}
		if got[1] != got[0] || got[2] != got[0] {
			t.Fatalf("sessions of %s get %v", source, got)
		}
		if got[0].Instance.Weight == 3 {
			first++
		}
	}
	if first < 2850 || first > 3150 {
		t.Errorf("%d of 4000 clients get the instance of weight 3 of 4", first)
	}
}

// In turn, each instance of the family gets its weight of every round.
func TestTurnsAreShared(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFamily(t)
		nf := drawType(t, 1, f)
		total := uint32(0)
		for i := range nf.Instances {
			nf.Instances[i].Weight = rapid.Uint32Range(1, 5).Draw(t, "small weight")
			if f == chain.IPv4 && nf.Instances[i].Address.IsValid() || f == chain.IPv6 && nf.Instances[i].Address6.IsValid() {
				total += nf.Instances[i].Weight
			}
		}
		begin := rapid.Uint32Range(0, 1000).Draw(t, "turns before")
		got := map[netip.Addr]uint32{}
		for turn := range total {
			got[policy.ChooseInTurn(nf, begin+turn, f).Address]++
		}
		for _, in := range nf.Instances {
			a := in.Address
			if f == chain.IPv6 {
				a = in.Address6
			}
			if a.IsValid() && got[a] != in.Weight {
				t.Fatalf("%s gets %d of %d turns, want %d", a, got[a], total, in.Weight)
			}
		}
	})
}

// A session keeps the instances that it passes, where it might have got others.
func TestBuildPathBesideKeepsWhatIsPassed(t *testing.T) {
	p := mustParse(t, `type a { 10.0.0.2, 10.0.0.3, 10.0.0.4 } choose round-robin
type b { 10.0.0.2, 10.0.0.3, 10.0.0.5 } choose round-robin
type c { 10.0.0.7 }
`)
	a, b, c := p.Types[0], p.Types[1], p.Types[2]
	super := mustTuple(t, "10.0.0.1:1 > 10.0.0.9:80")
	tests := []struct {
		name   string
		chain  []*policy.Type
		passes string
		want   string
	}{
		{"each in its place", []*policy.Type{a, b}, "10.0.0.3 10.0.0.2 10.0.0.9", "10.0.0.3 10.0.0.2 10.0.0.9"},
		{"both on one host", []*policy.Type{a, b}, "10.0.0.3 10.0.0.9", "10.0.0.3 10.0.0.9"},
		{"another between them", []*policy.Type{a, c, b}, "10.0.0.4 10.0.0.7 10.0.0.5 10.0.0.9", "10.0.0.4 10.0.0.7 10.0.0.5 10.0.0.9"},
		{"what is passed and not asked for", []*policy.Type{b}, "10.0.0.4 10.0.0.7 10.0.0.5 10.0.0.9", "10.0.0.5 10.0.0.9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addresses := func(text string) (list []netip.Addr) {
				for _, a := range strings.Fields(text) {
					list = append(list, netip.MustParseAddr(a))
				}
				return list
			}
			got, err := policy.BuildPathBeside(policy.Seed{}, tt.chain, super, true, "client", addresses(tt.passes))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(addresses(tt.want), got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("path (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExplainOfMethods(t *testing.T) {
	p := mustParse(t, strings.ReplaceAll(methods, "type hash", "type h")+`match(dstport=80) >> {turn -> h}
match(dstport=81) >> {source -> h} set-up out-of-band
match(dstport=82) >> {turn -> h -> turn}
`)
	hosts := map[netip.Addr]string{}
	for i := range byte(9) {
		hosts[netip.AddrFrom4([4]byte{10, 0, 0, 1 + i})] = "host"
	}
	tests := []struct {
		port string
		want []string
	}{
		{"80", []string{
			"turn: in turn, as the client's host counts: one of mb1 10.0.0.2 [0, 2), mb2 10.0.0.3 [2, 3)",
			"h: mb3 10.0.0.4, its only instance",
			"which hosts it passes is decided when it begins",
		}},
		{"81", []string{
			"source: the client's hash is at 0 of [0, 2): mb1 10.0.0.2 out of mb1 10.0.0.2 [0, 1), mb2 10.0.0.3 [1, 2)",
			"h: mb3 10.0.0.4, its only instance",
			"the path is 10.0.0.1 -> 10.0.0.2 -> 10.0.0.4 -> 10.0.0.9",
			"the agents on it set it up out-of-band, and its packets wait for them",
		}},
	}
	for _, tt := range tests {
		e := p.Explain(policy.Seed{2}, mustTuple(t, "10.0.0.1:40000 > 10.0.0.9:"+tt.port), hosts)
		i := slices.IndexFunc(e.Why, func(s string) bool { return strings.Contains(s, ") matches:") })
		if diff := cmp.Diff(tt.want, e.Why[i+1:]); diff != "" || e.Problem != "" {
			t.Errorf("port %s: problem %q, why (-want +got):\n%s", tt.port, e.Problem, diff)
		}
	}
}
