// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"net/netip"
	"strings"
	"testing"

	"mbchain/chain"
	"mbchain/policy"
)

const standingPolicy = `type fw { a 10.0.0.1 fd00::1, b 10.0.0.2, c 10.0.0.3 fd00::3 }
type ids { d 10.0.0.4 }
type lb { e 10.0.0.5, f 10.0.0.6 weight 2 } choose least-loaded
match(dstport=80) >> {fw -> ids} may-leave ids may-insert lb
match(dstport=81) >> {lb}
`

func TestChoosing(t *testing.T) {
	tests := []struct {
		name string
		now  map[string]policy.Standing // by instance; not in it: fit
		want string                     // types, and those left out
	}{
		{
			name: "all are fit",
			want: "fw: a 10.0.0.1 fd00::1, b 10.0.0.2, c 10.0.0.3 fd00::3; lb: e 10.0.0.5 weight 16, f 10.0.0.6 weight 32",
		}, {
			name: "unfit ones get none",
			now:  map[string]policy.Standing{"a": {Rank: policy.Unfit}},
			want: "fw: b 10.0.0.2, c 10.0.0.3 fd00::3 without a 10.0.0.1 fd00::1",
		}, {
			name: "the strained and doubtful get none beside fit ones",
			now:  map[string]policy.Standing{"a": {Rank: policy.Strained}, "b": {Rank: policy.Doubtful}},
			want: "fw: c 10.0.0.3 fd00::3 without a 10.0.0.1 fd00::1, b 10.0.0.2",
		}, {
			name: "the best of what is left",
			now:  map[string]policy.Standing{"a": {Rank: policy.Doubtful}, "b": {Rank: policy.Strained}, "c": {Rank: policy.Unfit}},
			want: "fw: a fd00::1, b 10.0.0.2 without a 10.0.0.1, c 10.0.0.3 fd00::3",
		}, {
			name: "silence alone takes nobody out where nobody is heard of",
			now:  map[string]policy.Standing{"d": {Rank: policy.Doubtful}},
			want: "ids: d 10.0.0.4",
		}, {
			name: "nobody is left",
			now:  map[string]policy.Standing{"d": {Rank: policy.Unfit}},
			want: "ids:  without d 10.0.0.4",
		}, {
			name: "of each family for itself",
			now:  map[string]policy.Standing{"c": {Rank: policy.Unfit}, "a": {Rank: policy.Doubtful}},
			want: "fw: a fd00::1, b 10.0.0.2 without a 10.0.0.1, c 10.0.0.3 fd00::3",
		}, {
			name: "weights after the load",
			now:  map[string]policy.Standing{"e": {Load: 12}, "f": {Load: 16}},
			want: "lb: e 10.0.0.5 weight 4, f 10.0.0.6",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mustParse(t, standingPolicy)
			before := p.String()
			c := p.Choosing(func(_ *policy.Type, in policy.Instance) policy.Standing { return tt.now[in.Name] })
			var got []string
			for _, nf := range c.Types {
				var in, out []string
				for _, i := range nf.Instances {
					in = append(in, i.String())
				}
				for _, o := range nf.Out {
					out = append(out, o.Instance.String())
				}
				line := nf.Name + ": " + strings.Join(in, ", ")
				if len(out) > 0 {
					line += " without " + strings.Join(out, ", ")
				}
				got = append(got, line)
			}
			all := strings.Join(got, "; ")
			for _, want := range strings.Split(tt.want, "; ") {
				if !strings.Contains("; "+all+";", "; "+want+";") {
					t.Errorf("types %s, want among them %s", all, want)
				}
			}
			if p.String() != before {
				t.Errorf("the policy has become:\n%s", p)
			}
			for i, r := range c.Rules {
				for k, nf := range r.Chain {
					if nf.Name != p.Rules[i].Chain[k].Name || !contains(c.Types, nf) {
						t.Errorf("rule %d has type %s of another policy", r.Number, nf.Name)
					}
				}
			}
			if r := c.Rules[0]; !contains(c.Types, r.MayLeave[0]) || !contains(c.Types, r.MayInsert[0]) || !contains(r.Chain, r.MayLeave[0]) {
				t.Error("may-leave and may-insert name types of another policy")
			}
			again := p.Choosing(func(_ *policy.Type, in policy.Instance) policy.Standing { return tt.now[in.Name] })
			if !policy.SameChoice(c, again) {
				t.Error("the same standings choose otherwise")
			}
			if len(tt.now) > 0 && tt.now["d"].Rank != policy.Doubtful && policy.SameChoice(c, p.Choosing(fit)) {
				t.Error("other standings choose alike")
			}
		})
	}
}

func fit(*policy.Type, policy.Instance) policy.Standing { return policy.Standing{} }

func contains(types []*policy.Type, t *policy.Type) bool {
	for _, other := range types {
		if other == t {
			return true
		}
	}
	return false
}

func TestChoosingIsThePolicyWhereAllAreFit(t *testing.T) {
	p := mustParse(t, "type fw { 10.0.0.1, 10.0.0.2 }\nmatch(any) >> {fw}")
	if got := p.Choosing(fit); got != p {
		t.Errorf("another policy:\n%s", got)
	}
}

// A session keeps what it passes, of any method, as long as that gets sessions.
func TestBuildPathKeeping(t *testing.T) {
	addr := netip.MustParseAddr
	super := chain.FiveTuple{Source: netip.MustParseAddrPort("10.1.0.1:40000"), Destination: netip.MustParseAddrPort("10.1.0.9:80"), Protocol: chain.ProtocolTCP}
	p := mustParse(t, standingPolicy)
	for _, at := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
		got, err := policy.BuildPathKeeping(policy.Seed{1}, p.Rules[0].Chain, super, false, "h", []netip.Addr{addr(at), addr("10.0.0.4")})
		if err != nil || len(got) != 2 || got[0] != addr(at) || got[1] != addr("10.0.0.4") {
			t.Errorf("from %s: path %v, error %v", at, got, err)
		}
	}
	out := p.Choosing(func(_ *policy.Type, in policy.Instance) policy.Standing {
		if in.Name == "a" {
			return policy.Standing{Rank: policy.Unfit}
		}
		return policy.Standing{}
	})
	got, err := policy.BuildPathKeeping(policy.Seed{1}, out.Rules[0].Chain, super, false, "h", []netip.Addr{addr("10.0.0.1"), addr("10.0.0.4")})
	if err != nil || len(got) != 2 || got[0] == addr("10.0.0.1") || got[1] != addr("10.0.0.4") {
		t.Errorf("path %v, error %v, want another firewall and the same IDS", got, err)
	}
}

// What gets no sessions is explained, and so is a type of which nothing is left.
func TestExplainWithoutThoseLeftOut(t *testing.T) {
	super := chain.FiveTuple{Source: netip.MustParseAddrPort("10.1.0.1:40000"), Destination: netip.MustParseAddrPort("10.1.0.9:80"), Protocol: chain.ProtocolTCP}
	hosts := map[netip.Addr]string{}
	for _, a := range []string{"10.1.0.1", "10.1.0.9", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"} {
		hosts[netip.MustParseAddr(a)] = "h" + a
	}
	explain := func(out ...string) string {
		p := mustParse(t, standingPolicy).Choosing(func(_ *policy.Type, in policy.Instance) policy.Standing {
			for _, name := range out {
				if in.Name == name {
					return policy.Standing{Rank: policy.Unfit, Why: "drained by anna"}
				}
			}
			return policy.Standing{}
		})
		e := p.Explain(policy.Seed{1}, super, hosts)
		return strings.Join(e.Why, "\n") + "\n" + e.Problem
	}
	for _, tt := range []struct {
		name string
		out  []string
		want []string
	}{
		{"one left", []string{"a", "b"}, []string{"fw: a 10.0.0.1 gets no new sessions: drained by anna", "fw: c 10.0.0.3, the only one left"}},
		{"none left", []string{"d"}, []string{"ids: none of its instances gets new sessions", `no instance of NF type "ids" gets new sessions over IPv4`, "on-failure block"}},
	} {
		got := explain(tt.out...)
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: explained:\n%s\nwant %q", tt.name, got, want)
			}
		}
	}
}

// Weights by load are said to be those of the moment; a live session keeps what it got
// by those of before.
func TestLeastLoaded(t *testing.T) {
	super := chain.FiveTuple{Source: netip.MustParseAddrPort("10.1.0.1:40000"), Destination: netip.MustParseAddrPort("10.1.0.9:81"), Protocol: chain.ProtocolTCP}
	for _, at := range []string{"10.0.0.5", "10.0.0.6"} {
		p := mustParse(t, standingPolicy).Choosing(func(_ *policy.Type, in policy.Instance) policy.Standing {
			if in.Address.String() == at {
				return policy.Standing{Load: policy.FullLoad}
			}
			return policy.Standing{}
		})
		got, err := policy.BuildPathBeside(policy.Seed{1}, p.Rules[1].Chain, super, false, "h", []netip.Addr{netip.MustParseAddr(at)})
		if err != nil || len(got) != 1 || got[0].String() != at {
			t.Errorf("from %s: path %v, error %v", at, got, err)
		}
		why := strings.Join(p.Explain(policy.Seed{1}, super, nil).Why, "\n")
		if !strings.Contains(why, "lb: weights follow the load") || !strings.Contains(why, "e 10.0.0.5 [0, ") {
			t.Errorf("explained:\n%s", why)
		}
	}
	if text := mustParse(t, standingPolicy).Types[2].String(); text != "type lb { e 10.0.0.5, f 10.0.0.6 weight 2 } choose least-loaded" {
		t.Errorf("type reads %s", text)
	}
}

// Shares are what the weights say, for any loads.
func TestLeastLoadedShares(t *testing.T) {
	p := mustParse(t, standingPolicy).Choosing(func(_ *policy.Type, in policy.Instance) policy.Standing {
		return policy.Standing{Load: map[string]uint32{"e": 0, "f": 14}[in.Name]}
	})
	n := 0
	for i := range uint16(5000) {
		c := policy.Choose(policy.Seed{2}, p.Types[2], 0, chain.FiveTuple{Source: netip.AddrPortFrom(netip.MustParseAddr("10.1.0.1"), 1000+i),
			Destination: netip.MustParseAddrPort("10.1.0.9:81"), Protocol: chain.ProtocolTCP})
		if c.Instance.Name == "e" {
			n++
		}
	}
	if n < 3800 || n > 4200 { // 16 out of 16 + 2*2
		t.Errorf("%d of 5000 sessions, want some 4000", n)
	}
}
