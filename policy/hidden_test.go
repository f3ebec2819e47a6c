// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mbchain/policy"
)

// Of a rule that a session matches nobody says that it never matches.
func TestRulesThatMatchAreNotCalledHidden(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		parsed, err := policy.Parse(p.String())
		if err != nil {
			t.Fatal(err)
		}
		never := map[int]bool{}
		for _, w := range parsed.Warnings {
			if strings.Contains(w.Message, "never matches") {
				never[w.Line-len(p.Types)] = true
			}
		}
		for range 50 {
			tuple := drawTuple(t)
			if i := reference(p.Predicates(), tuple); never[i] {
				t.Fatalf("%v matches rule %d, which never does it is said, in:\n%s", tuple, i, p)
			}
		}
	})
}

// Large policies are looked through as well, if not pair by pair.
func TestHiddenRulesOfALargePolicy(t *testing.T) {
	var text strings.Builder
	text.WriteString("type fw { 10.255.0.2 }\n")
	for i := range 9_998 {
		fmt.Fprintf(&text, "match(srcip=10.%d.%d.0/24 & dstport=80-90) >> {fw}\n", i/250, i%250)
	}
	text.WriteString("match(srcip=10.7.7.9 & dstport=85 & proto=tcp) >> {}\n") // line 10,000
	text.WriteString("match(srcip=10.7.7.9 & dstport=91) >> {}\n")
	p := mustParse(t, text.String())
	if len(p.Warnings) != 1 || p.Warnings[0].Line != 10_000 || !strings.Contains(p.Warnings[0].Message, "all its sessions match rules that come first") {
		t.Errorf("warnings: %v", p.Warnings)
	}
}
