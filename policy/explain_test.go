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

const explainPolicy = `
type firewall { mb1 10.0.0.2 weight 2, mb3 10.0.0.4 }
type ids { 10.0.0.3 }
type proxy { 10.0.0.9 }
type lost { 10.0.0.77 }
match(srcip=10.9.0.0/16 | srcip=10.8.0.0/16) >> {firewall}
match(~dstport=1-9999) >> {firewall}
match(dstport=80 & srcip=10.0.0.0/24) >> {firewall -> ids}
match(dstport=81) >> {ids -> proxy}
match(dstport=82) >> {}
match(dstport=83) >> {lost} on-failure bypass
match(dstport=84 & proto=udp) >> {ids}
match(dstport=85) >> {proxy -> ids}
match(dstport=86) >> {ids -> ids}
`

const explainPolicy6 = `
type firewall { mb1 10.0.0.2 fd00::2 weight 2, mb3 fd00::4 }
type ids { 10.0.0.3, mb2 fd00::3 weight 7 }
type proxy { server fd00::9 10.0.0.9 }
type old { 10.0.0.2 }
match(srcip=10.0.0.0/8 & dstport=1-100) >> {}
match(~dstip=fd00::/64) >> {old}
match(dstport=80 & srcip=fd00::/64) >> {firewall -> ids}
match(dstport=81) >> {ids -> proxy}
match(dstport=82) >> {ids -> old}
match(dstport=83) >> {firewall -> old} on-failure bypass
match(dstport=84) >> {proxy -> ids}
`

// TestExplain holds the whole answer for each of some sessions in
// testdata/explain*.golden.
func TestExplain(t *testing.T) {
	tests := []struct {
		file   string
		policy string
		tuples []string
	}{
		{"explain", explainPolicy, []string{
			"10.0.0.1:40000 > 10.0.0.9:80 tcp",
			"10.0.0.1:40003 > 10.0.0.9:80 tcp", // the other firewall
			"10.0.0.1:40000 > 10.0.0.9:81 tcp", // proxy on the server
			"10.0.0.1:40000 > 10.0.0.9:82 tcp", // left alone
			"10.0.0.1:40000 > 10.0.0.9:83 tcp", // no agent at an instance
			"10.0.0.1:40000 > 10.0.0.9:84 udp",
			"10.0.0.1:40000 > 10.0.0.9:84 132", // a protocol that is not chained
			"10.0.0.1:40000 > 10.0.0.9:85 tcp", // loop
			"10.0.0.3:40000 > 10.0.0.9:86 tcp", // an instance is the client
			"10.0.0.1:40000 > 10.0.0.9:87 tcp", // no rule
			"10.0.0.1:40000 > 10.0.0.8:80 tcp", // no agent at the server
			"10.8.0.1:40000 > 10.0.0.9:80 tcp", // no agent at the client
		}},
		{"explain6", explainPolicy6, []string{
			"[fd00::1]:40000 > [fd00::9]:80 tcp",
			"[fd00::1]:40007 > [fd00::9]:80 tcp", // the other firewall
			"[fd00::1]:40000 > [fd00::9]:81 tcp", // proxy on the server
			"[fd00::1]:40000 > [fd00::9]:82 tcp", // a type without the family
			"[fd00::1]:40000 > [fd00::9]:83 tcp", // the same, bypassed
			"[fd00::1]:40000 > [fd00::9]:84 tcp", // loop
			"[fd00::1]:40000 > [fd00:1::9]:80 tcp",
			"[fe80::1]:40000 > [fe80::9]:80 tcp",
			"[::1]:40000 > [::1]:80 tcp",
			"10.0.0.1:40000 > 10.0.0.9:80 tcp",
			"10.0.0.1:40000 > 10.0.0.9:800 tcp", // no address of a prefix of the other family
		}},
	}
	hosts := map[netip.Addr]string{}
	for name, k := range map[string]string{"client": "1", "mb1": "2", "mb2": "3", "mb3": "4", "server": "9"} {
		hosts[netip.MustParseAddr("10.0.0."+k)] = name
		hosts[netip.MustParseAddr("fd00::"+k)] = name
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			p := mustParse(t, tt.policy)
			var b strings.Builder
			for _, text := range tt.tuples {
				tuple := mustTuple(t, text)
				fmt.Fprintf(&b, "== %s\n", tuple)
				describe(&b, p.Explain(policy.Seed{1, 2, 3}, tuple, hosts))
			}
			compareGolden(t, "testdata/"+tt.file+".golden", b.String())
		})
	}
}

// describe writes an explanation.
func describe(b *strings.Builder, e policy.Explanation) {
	if e.Rule != nil {
		fmt.Fprintf(b, "rule %d, line %d: %s\n", e.Rule.Number, e.Rule.Line, e.Rule)
	}
	for _, c := range e.Choices {
		fmt.Fprintf(b, "choice %q %q %s %d in [0, %d)\n", c.Type, c.Host, c.Address, c.Point, c.Total)
	}
	fmt.Fprintf(b, "path %v\n", e.Path)
	for _, line := range e.Why {
		fmt.Fprintf(b, "why %s\n", line)
	}
	if e.Problem != "" {
		fmt.Fprintf(b, "problem %s\n", e.Problem)
	}
}

func TestExplainOfTwoFamilies(t *testing.T) {
	e := mustParse(t, "match(any) >> {}").Explain(policy.Seed{}, chain.FiveTuple{
		Source:      netip.MustParseAddrPort("10.0.0.1:1"),
		Destination: netip.MustParseAddrPort("[fd00::9]:80"),
		Protocol:    chain.ProtocolTCP,
	}, nil)
	if e.Rule != nil || len(e.Why) != 1 || !strings.HasPrefix(e.Why[0], "addresses of two families are no session's") {
		t.Errorf("explanation %+v", e)
	}
}

// However many rules fail, and however long they are, the explanation of it
// stays short enough to read.
func TestExplainOfManyRulesIsShort(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "match(dstport=%d%s) >> {}\n", 1000+i, strings.Repeat(" | dstport=9", 200))
	}
	b.WriteString("match(dstport=80) >> {}\n")
	e := mustParse(t, b.String()).Explain(policy.Seed{}, mustTuple(t, "10.0.0.1:40000 > 10.0.0.9:80"), nil)
	if got, want := len(e.Why), 10+1+10+1+1; got != want {
		t.Errorf("%d lines, want %d", got, want)
	}
	if got, want := e.Why[10], "rules 11 to 990 do not match either"; got != want {
		t.Errorf("line %q, want %q", got, want)
	}
	for _, line := range e.Why {
		if len(line) > 200 {
			t.Errorf("line of %d bytes: %s", len(line), line)
		}
	}
}
