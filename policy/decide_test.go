// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"mbchain/chain"
	"mbchain/policy"
)

const decidedPolicy = `type fw { a 10.0.0.1 fd00::1 weight 3, b 10.0.0.2 fd00::2 } choose sticky-source decide policyd
type ids { c 10.0.0.3, d 10.0.0.4 } decide agent
type six { e fd00::5, f 10.0.0.6 } decide policyd
match(any) >> {fw -> ids}
`

func TestDecideIsReadAndWritten(t *testing.T) {
	p := mustParse(t, decidedPolicy)
	for i, want := range []string{
		"type fw { a 10.0.0.1 fd00::1 weight 3, b 10.0.0.2 fd00::2 } choose sticky-source decide policyd",
		"type ids { c 10.0.0.3, d 10.0.0.4 }",
		"type six { e fd00::5, f 10.0.0.6 } decide policyd",
	} {
		if got := p.Types[i].String(); got != want {
			t.Errorf("type reads %s, want %s", got, want)
		}
	}
	again := mustParse(t, p.String())
	if diff := policy.Diff(p, again); len(diff) > 0 {
		t.Errorf("printed and parsed again it differs: %v", diff)
	}
	if diff := policy.Diff(p, mustParse(t, strings.ReplaceAll(decidedPolicy, "decide policyd", "decide agent"))); len(diff) != 2 {
		t.Errorf("differences %v, want two", diff)
	}
	for text, want := range map[string]string{
		"type a { 10.0.0.2 } decide":              `1:27: expected "agent" or "policyd" after "decide", found the end of the text`,
		"type a { 10.0.0.2 } decide policy":       `1:28: expected "agent" or "policyd" after "decide", found "policy"; did you mean "policyd"?`,
		"type decide { 10.0.0.2 }":                `1:6: "decide" is a word of the language`,
		"type a { 10.0.0.2 } decide agent choose": `1:34: `,
	} {
		if _, err := policy.Parse(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
}

func TestDecidedFor(t *testing.T) {
	p := mustParse(t, decidedPolicy)
	first, both := 0, 0
	for i := range 2000 {
		types := policy.DecidedFor(p.Types, policy.Seed{1}, fmt.Sprintf("host%d", i))
		for _, nf := range types {
			families := map[chain.Family]int{}
			for _, in := range nf.Instances {
				if in.Address.IsValid() {
					families[chain.IPv4]++
				}
				if in.Address6.IsValid() {
					families[chain.IPv6]++
				}
			}
			if nf.Name != "ids" && (families[chain.IPv4] != 1 || families[chain.IPv6] != 1) || nf.Name == "ids" && families[chain.IPv4] != 2 {
				t.Fatalf("host%d has %s", i, nf)
			}
		}
		if types[0].Instances[0].Name == "a" && types[0].Instances[0].Address.IsValid() {
			first++
		}
		if types[1] == p.Types[1] {
			both++
		}
	}
	if first < 1400 || first > 1600 || both != 2000 {
		t.Errorf("%d of 2000 hosts have the instance of weight 3 out of 4; %d have ids as it is", first, both)
	}
}

// When an instance goes, only the hosts that had it get another one.
func TestDecidedForMovesFew(t *testing.T) {
	const text = "type fw { a 10.0.0.1, b 10.0.0.2, c 10.0.0.3 } decide policyd\nmatch(any) >> {fw}"
	p := mustParse(t, text)
	without := p.Choosing(func(_ *policy.Type, in policy.Instance) policy.Standing {
		if in.Name == "b" {
			return policy.Standing{Rank: policy.Unfit}
		}
		return policy.Standing{}
	})
	for i := range 500 {
		host := fmt.Sprintf("host%d", i)
		before := policy.DecidedFor(p.Types, policy.Seed{1}, host)[0].Instances[0].Name
		after := policy.DecidedFor(without.Types, policy.Seed{1}, host)[0].Instances[0].Name
		if after == "b" || before != "b" && before != after {
			t.Errorf("%s had %s and has %s without b", host, before, after)
		}
	}
}

// All sessions of a host get what was decided for it, and explain says so; of a client
// that nobody knows it cannot.
func TestExplainWhatWasDecided(t *testing.T) {
	p := mustParse(t, decidedPolicy)
	hosts := map[netip.Addr]string{}
	for i, a := range []string{"10.1.0.1", "10.1.0.9", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"} {
		hosts[netip.MustParseAddr(a)] = fmt.Sprintf("host%d", i)
	}
	want := policy.DecidedFor(p.Types, policy.Seed{1}, "host0")[0].Instances[0].Address
	for port := range uint16(50) {
		super := chain.FiveTuple{Source: netip.AddrPortFrom(netip.MustParseAddr("10.1.0.1"), 1000+port),
			Destination: netip.MustParseAddrPort("10.1.0.9:80"), Protocol: chain.ProtocolTCP}
		e := p.Explain(policy.Seed{1}, super, hosts)
		if e.Problem != "" || e.Path[0] != want || !strings.Contains(strings.Join(e.Why, "\n"), "which policyd has decided for host host0") {
			t.Fatalf("path %v, problem %q, because\n%s", e.Path, e.Problem, strings.Join(e.Why, "\n"))
		}
		path, err := policy.BuildPathBeside(policy.Seed{1}, p.Rules[0].Chain, super, true, "host0", nil)
		if err != nil || path[0] != want {
			t.Fatalf("path %v, error %v", path, err)
		}
	}
	stranger := chain.FiveTuple{Source: netip.MustParseAddrPort("10.2.0.1:1000"), Destination: netip.MustParseAddrPort("10.1.0.9:80"), Protocol: chain.ProtocolTCP}
	if why := strings.Join(p.Explain(policy.Seed{1}, stranger, hosts).Why, "\n"); !strings.Contains(why, "stands in for the client") {
		t.Errorf("of a stranger:\n%s", why)
	}
}
