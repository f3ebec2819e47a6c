// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// TestExplain holds the whole answer for each of some sessions in
// testdata/explain.golden.
func TestExplain(t *testing.T) {
	p := mustParse(t, explainPolicy)
	hosts := map[netip.Addr]string{}
	for name, a := range map[string]string{
		"client": "10.0.0.1", "mb1": "10.0.0.2", "mb2": "10.0.0.3", "mb3": "10.0.0.4", "server": "10.0.0.9",
	} {
		hosts[netip.MustParseAddr(a)] = name
	}
	var b strings.Builder
	for _, tuple := range []string{
		"10.0.0.1:40000 > 10.0.0.9:80 tcp",
		"10.0.0.1:40003 > 10.0.0.9:80 tcp", // the other firewall
		"10.0.0.1:40000 > 10.0.0.9:81 tcp", // proxy on the server
		"10.0.0.1:40000 > 10.0.0.9:82 tcp", // left alone
		"10.0.0.1:40000 > 10.0.0.9:83 tcp", // no agent at an instance
		"10.0.0.1:40000 > 10.0.0.9:84 udp", // not TCP
		"10.0.0.1:40000 > 10.0.0.9:85 tcp", // loop
		"10.0.0.3:40000 > 10.0.0.9:86 tcp", // an instance is the client
		"10.0.0.1:40000 > 10.0.0.9:87 tcp", // no rule
		"10.0.0.1:40000 > 10.0.0.8:80 tcp", // no agent at the server
		"10.8.0.1:40000 > 10.0.0.9:80 tcp", // no agent at the client
		"[2001:db8::1]:1 > [2001:db8::2]:2 tcp",
	} {
		e := p.Explain(policy.Seed{1, 2, 3}, mustTuple(t, tuple), hosts)
		fmt.Fprintf(&b, "== %s\n", tuple)
		if e.Rule != nil {
			fmt.Fprintf(&b, "rule %d, line %d: %s\n", e.Rule.Number, e.Rule.Line, e.Rule)
		}
		for _, c := range e.Choices {
			fmt.Fprintf(&b, "choice %q %q %s %d in [0, %d)\n", c.Type, c.Host, c.Instance.Address, c.Point, c.Total)
		}
		fmt.Fprintf(&b, "path %v\n", e.Path)
		for _, line := range e.Why {
			fmt.Fprintf(&b, "why %s\n", line)
		}
		if e.Problem != "" {
			fmt.Fprintf(&b, "problem %s\n", e.Problem)
		}
	}
	const file = "testdata/explain.golden"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; write it with: go test ./policy -run TestExplain -update", err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("explanations (-want +got):\n%s", diff)
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
