// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mbchain/policy"
)

func TestDiff(t *testing.T) {
	const base = "group office { 10.0.0.0/24 }\ntype fw { 10.1.0.2 }\ntype ids { 10.1.0.3 }\n" +
		"rule web match(srcip=office) >> {fw}\nmatch(dstport=2) >> {ids}\nmatch(dstport=3) >> {fw -> ids}\n"
	tests := []struct {
		name, after string
		want        []string
	}{
		{"nothing", base, nil},
		{"layout, comments and documents", "document a # nothing else\n" + base, nil},
		{"order of types", "type ids { 10.1.0.3 }\ngroup office { 10.0.0.0/24 }\ntype fw { 10.1.0.2 }\n" +
			"rule web match(srcip=office) >> {fw}\nmatch(dstport=2) >> {ids}\nmatch(dstport=3) >> {fw -> ids}\n", nil},
		{"everything", "", []string{"- group office", "- type fw", "- type ids", "- rule web 1>0", "- rule  2>0", "- rule  3>0"}},
		{"each", "group office { 10.0.0.0/25 }\ntype fw { 10.1.0.2 weight 2 }\ntype ids { 10.1.0.3 }\ntype dpi { 10.1.0.4 }\n" +
			"match(dstport=1) >> {dpi}\nrule web match(dstport=80) >> {fw}\nmatch(dstport=2) >> {ids} on-failure bypass\nmatch(dstport=4) >> {}",
			[]string{"~ group office", "~ type fw", "+ type dpi", "+ rule  0>1", "~ rule web 1>2", "~ rule  2>3", "+ rule  0>4", "- rule  3>0"}},
		// The last one goes to the front: it moved, and not the two others.
		{"order of rules", "group office { 10.0.0.0/24 }\ntype fw { 10.1.0.2 }\ntype ids { 10.1.0.3 }\n" +
			"match(dstport=3) >> {fw -> ids}\nrule web match(srcip=office) >> {fw}\nmatch(dstport=2) >> {ids}\n", []string{"> rule  3>1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, c := range policy.Diff(mustParse(t, base), mustParse(t, tt.after)) {
				text := fmt.Sprintf("%c %s %s", "+-~>"[c.Kind], c.Noun, c.Name)
				if c.Noun == "rule" {
					text += fmt.Sprintf(" %d>%d", c.NumberBefore, c.NumberAfter)
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// Where no change is found, both policies decide alike; and what is said to be added,
// removed, changed and moved makes one policy of the other.
func TestDiffTellsAllThatMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawPolicy(t), drawPolicy(t)
		if rapid.Bool().Draw(t, "alike") {
			after = before
		}
		changes := policy.Diff(before, after)
		if before.String() == after.String() {
			if len(changes) != 0 {
				t.Fatalf("changes of the same policy: %v", changes)
			}
			return
		}
		if got, want := rebuild(before, changes), ruleTexts(after); !slices.Equal(got, want) {
			t.Fatalf("changes %v\nmake %q\nof %q\nwant %q", changes, got, ruleTexts(before), want)
		}
	})
}

func ruleTexts(p *policy.Policy) []string {
	var texts []string
	for _, r := range p.Rules {
		texts = append(texts, r.String())
	}
	return texts
}

// rebuild applies changes to the rules of a policy.
func rebuild(before *policy.Policy, changes []policy.Change) []string {
	rest := map[int]bool{}
	for _, r := range before.Rules {
		rest[r.Number] = true
	}
	placed := map[int]string{}
	for _, c := range changes {
		if c.Noun != "rule" {
			continue
		}
		delete(rest, c.NumberBefore)
		if c.NumberAfter > 0 {
			placed[c.NumberAfter] = c.After
		}
	}
	var texts []string
	for _, r := range before.Rules {
		for placed[len(texts)+1] != "" {
			texts = append(texts, placed[len(texts)+1])
		}
		if rest[r.Number] {
			texts = append(texts, r.String())
		}
	}
	for placed[len(texts)+1] != "" {
		texts = append(texts, placed[len(texts)+1])
	}
	return texts
}
