// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"os"
	"strings"
	"testing"

	"mbchain/policy"
)

// What the documents show as a policy is one, and nothing is odd about it.
func TestPoliciesInDocumentsAreRight(t *testing.T) {
	text, err := os.ReadFile("../docs/POLICY.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for i, block := range strings.Split(string(text), "```\n") {
		// Every other piece stands between fences; policies begin like this.
		if i%2 == 0 || !strings.HasPrefix(block, "# NF types") && !strings.HasPrefix(block, "type firewall {") {
			continue
		}
		checked++
		p, err := policy.Parse(block)
		if err != nil {
			t.Errorf("%v in:\n%s", err, block)
		} else if len(p.Warnings) > 0 {
			t.Errorf("%s in:\n%s", p.RenderWarnings(""), block)
		}
	}
	if checked != 8 {
		t.Errorf("%d policies checked, want 8", checked)
	}
}
