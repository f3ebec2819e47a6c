// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mbchain/policy"
)

// A group means its addresses, wherever it is declared and however groups are made
// of groups.
func TestGroupsMeanTheirAddresses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Group i may contain those after it; the text declares them in any order.
		n := rapid.IntRange(1, 4).Draw(t, "groups")
		means := make([]policy.Or, n)
		statements := make([]string, n)
		for i := n - 1; i >= 0; i-- {
			var members []string
			seen := map[string]bool{}
			add := func(text string) bool {
				fresh := !seen[text]
				seen[text] = true
				if fresh {
					members = append(members, text)
				}
				return fresh
			}
			for range rapid.IntRange(1, 3).Draw(t, "members") {
				prefix := drawPrefix(t)
				text := strings.TrimPrefix(policy.Address{Field: policy.SrcIP, Prefix: prefix}.String(), "srcip=")
				if add(text) {
					means[i] = append(means[i], policy.Address{Field: policy.SrcIP, Prefix: prefix})
				}
			}
			if i < n-1 && rapid.Bool().Draw(t, "nested") {
				inner := rapid.IntRange(i+1, n-1).Draw(t, "inner")
				add(fmt.Sprintf("g%d", inner))
				means[i] = append(means[i], means[inner]...)
			}
			statements[i] = fmt.Sprintf("group g%d { %s }", i, strings.Join(members, ", "))
		}
		rule := "match(~srcip=g0 & dstport=80 | srcip=g0 & ~dstport=80) >> {}"
		text := strings.Join(rapid.Permutation(append(statements, rule)).Draw(t, "order"), "\n")
		p, err := policy.Parse(text)
		if err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		if got := p.Rules[0].String(); got != rule {
			t.Errorf("the rule reads %s, want %s", got, rule)
		}
		for range 20 {
			tuple := drawTuple(t)
			want := evaluate(means[0], tuple) != (tuple.Destination.Port() == 80)
			if got := p.Match(tuple) != nil; got != want {
				t.Fatalf("%v matches: %t, want %t, in:\n%s", tuple, got, want, text)
			}
		}
		again, err := policy.Parse(p.String())
		if err != nil {
			t.Fatalf("canonical text is refused: %v\n%s", err, p)
		}
		if diff := cmp.Diff(p, again, sameMeaning); diff != "" {
			t.Fatalf("canonical text reads otherwise (-first +second):\n%s", diff)
		}
	})
}

func TestLimitsOfGroups(t *testing.T) {
	addresses := func(third, n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("10.%d.%d.%d", third, i/256, i%256))
		}
		return strings.Join(list, ", ")
	}
	full := "group a { " + addresses(0, policy.MaxMembers) + " }\n"
	deep := strings.Repeat("(", policy.MaxDepth-1) + "dstport=1 & ~%s=g" + strings.Repeat(")", policy.MaxDepth-1)
	tests := []struct{ name, text, want string }{
		{"full", full + "match(srcip=a) >> {}", ""},
		{"one more", "group a { " + addresses(0, policy.MaxMembers+1) + " }", `address group "a" has more than 512 members`},
		{"one more by way of another", full + "group b { a, 10.9.9.9 }", `address group "b" has more than 512 addresses`},
		{"a term more", full + "match(srcip=a & dstport=1) >> {}", "the predicate has more than 512 terms with those of its address groups"},
		{"twice", "group a { " + addresses(0, 256) + " }\nmatch(srcip=a | dstip=a) >> {}", ""},
		{"deep", "group g { 10.0.0.1, 10.0.0.2 }\nmatch(" + strings.ReplaceAll(fmt.Sprintf(deep, "srcip"), "& ~", "& ") + ") >> {}", ""},
		{"too deep", "group g { 10.0.0.1, 10.0.0.2 }\nmatch(" + strings.Repeat("~", policy.MaxDepth) + "srcip=g) >> {}", "nest deeper than 64 with those around address groups"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := policy.Parse(tt.text)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want == "":
				// Hosts are sent the predicate without names.
				if _, err := policy.ParsePredicate(p.Rules[0].Predicate.String()); err != nil {
					t.Errorf("its predicate is refused: %v", err)
				}
			case err == nil || !strings.Contains(err.Error(), tt.want):
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// Rules of greater priority come first, and those of the same in the order of the
// text; it is for that order that rules are numbered.
func TestRulesAreTriedByPriority(t *testing.T) {
	p := mustParse(t, `
rule last match(any) >> {} priority -1
rule a match(dstport=1-3) >> {}
document more
rule b match(dstport=1-2) >> {}
rule first match(dstport=1) >> {} priority 10
`)
	var got []string
	for i, r := range p.Rules {
		if r.Number != i+1 {
			t.Errorf("rule %s has number %d, want %d", r.Name, r.Number, i+1)
		}
		got = append(got, fmt.Sprintf("%s of %s:%d", r.Name, r.Document, r.Line))
	}
	want := []string{"first of more:2", "a of :3", "b of more:1", "last of :2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	for port, want := range map[string]string{"1": "first", "2": "a", "3": "a", "4": "last"} {
		if got := p.Match(mustTuple(t, "10.0.0.1:1 > 10.0.0.2:"+port)); got.Name != want {
			t.Errorf("port %s matches rule %s, want %s", port, got.Name, want)
		}
	}
}
