// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func reference(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/MBCTL.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReferenceHasEveryExitStatus(t *testing.T) {
	doc := reference(t)
	for code := exitOK; code <= exitUnreachable; code++ {
		if !strings.Contains(doc, fmt.Sprintf("\n| %d | ", code)) {
			t.Errorf("no exit status %d in docs/MBCTL.md", code)
		}
	}
	if got, want := len(exitMeanings), int(exitUnreachable)+1; got != want {
		t.Errorf("%d meanings of %d exit statuses", got, want)
	}
}

func TestReferenceHasEveryJSONKey(t *testing.T) {
	doc := reference(t)
	paths, err := filepath.Glob("testdata/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	keys := make(map[string]bool)
	for _, path := range paths {
		transcript, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, output, _ := strings.Cut(string(transcript), "\n")
		output, _, _ = strings.Cut(output, "--- stderr\n")
		var v any
		if json.Unmarshal([]byte(output), &v) == nil {
			collectKeys(v, keys)
		}
	}
	if len(keys) < 50 {
		t.Fatalf("only %d keys in the golden files", len(keys))
	}
	for key := range keys {
		if !strings.Contains(doc, "`"+key+"`") {
			t.Errorf("no `%s` in docs/MBCTL.md", key)
		}
	}
}

// collectKeys skips counters, whose keys are the module's.
func collectKeys(v any, keys map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			keys[key] = true
			if key != "counters" {
				collectKeys(value, keys)
			}
		}
	case []any:
		for _, value := range v {
			collectKeys(value, keys)
		}
	}
}

// Every command has help with examples, a golden transcript, one in JSON, and
// a place in the reference.
func TestEveryCommandIsDocumentedAndTested(t *testing.T) {
	doc := reference(t)
	textOnly := []string{"completion"}
	var visit func(path string, cmds []*cli.Command)
	visit = func(path string, cmds []*cli.Command) {
		for _, cmd := range cmds {
			name := strings.TrimSpace(path + " " + cmd.Name)
			switch {
			case cmd.Hidden:
				continue
			case !strings.Contains(cmd.Description, "\nExamples:\n  "):
				t.Errorf("mbctl %s: help without examples", name)
			}
			if len(cmd.Subcommands) > 0 {
				visit(name, cmd.Subcommands)
				continue
			}
			if !strings.Contains(doc, "`"+name) {
				t.Errorf("no `%s` in docs/MBCTL.md", name)
			}
			file := "testdata/" + strings.ReplaceAll(name, " ", "_")
			if found, _ := filepath.Glob(file + "*.golden"); len(found) == 0 {
				t.Errorf("mbctl %s: no golden file", name)
			}
			if _, err := os.Stat(file + "_json.golden"); err != nil && !slices.Contains(textOnly, name) {
				t.Errorf("mbctl %s --json: %v", name, err)
			}
		}
	}
	visit("", testApp().app().Commands)
}
