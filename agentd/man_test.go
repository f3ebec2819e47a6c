// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestManPageHasEveryOption(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	if status := start(t.Context(), []string{"agentd", "--man", dir}, &out, &out, nil); status != 0 {
		t.Fatalf("status %d: %s", status, &out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "man8", "agentd.8"))
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(text), `\-`, "-")
	for _, f := range flags() {
		if !strings.Contains(page, "\n\\fB--"+f.Names()[0]) {
			t.Errorf("no --%s in agentd(8)", f.Names()[0])
		}
	}
	if strings.Contains(page, "--man") {
		t.Errorf("the option that makes it is in agentd(8)")
	}
}
