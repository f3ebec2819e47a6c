// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var reason = regexp.MustCompile(`(?m)^\tMBC_REASON_([A-Z0-9_]+)\b`)

func TestEveryCounterOfTheModuleIsExplainedInItsOrder(t *testing.T) {
	header, err := os.ReadFile("../kmod/uapi/mbchain_reason.h")
	if err != nil {
		t.Fatal(err)
	}
	_, enum, _ := strings.Cut(string(header), "enum mbc_reason {")
	enum, _, found := strings.Cut(enum, "};")
	if !found {
		t.Fatal("no enum mbc_reason in the header")
	}
	var want, got []string
	for _, m := range reason.FindAllStringSubmatch(enum, -1) {
		if m[1] != "NONE" {
			want = append(want, strings.ToLower(m[1]))
		}
	}
	for _, c := range counters {
		got = append(got, c.name)
		if c.meaning == "" || len(c.meaning) > 78 {
			t.Errorf("counter %s: meaning has %d characters, want 1 to 78", c.name, len(c.meaning))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}
