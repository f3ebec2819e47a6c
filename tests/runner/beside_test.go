// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"
)

func TestTiersRunBesideEachOther(t *testing.T) {
	r, out := newTestRunner(t)
	// Neither ends without the other.
	r.runTiers(t.Context(), []tier{
		{name: "a", beside: true, run: steps(step{name: "x", command: "mkfifo pipe && echo hello >pipe"}, step{name: "z", command: "false"})},
		{name: "b", beside: true, run: steps(step{name: "y", command: "until test -p pipe; do :; done; cat pipe"})},
		{name: "c", run: steps(step{name: "w", command: "true"})},
	})
	if r.report() {
		t.Error("a failure was lost")
	}
	text := out.String()
	for _, want := range []string{
		"a           ok    x ", "b           ok    y ", "\n   ok    w ", "a           FAIL  z\n", "   a            1 passed    1 failed",
		"   b            1 passed    0 failed", "\n3 passed, 1 failed\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("output does not say %q:\n%s", want, text)
		}
	}
	var tiers []string
	for _, res := range r.results {
		tiers = append(tiers, res.tier)
	}
	if !slices.Equal(tiers, []string{"a", "a", "b", "c"}) {
		t.Errorf("results are of tiers %v", tiers)
	}
}
