// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mbchain/policy"
)

var update = flag.Bool("update", false, "write testdata/*/*.golden anew")

// TestErrors holds what is said about each wrong policy in testdata/errors.
func TestErrors(t *testing.T) {
	golden(t, "errors", func(t *testing.T, file, source string) string {
		p, err := policy.Parse(source)
		var errs policy.Errors
		if !errors.As(err, &errs) {
			t.Fatalf("Parse = %v, %v; want policy.Errors", p, err)
		}
		return errs.Render(file)
	})
}

// TestWarnings holds what is said about each odd policy in testdata/warnings.
func TestWarnings(t *testing.T) {
	golden(t, "warnings", func(t *testing.T, file, source string) string {
		p, err := policy.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		return p.RenderWarnings(file)
	})
}

func golden(t *testing.T, dir string, output func(t *testing.T, file, source string) string) {
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.conf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no policies in testdata/%s: %v", dir, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".conf")
		t.Run(name, func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, strings.TrimSuffix(file, ".conf")+".golden", output(t, filepath.Base(file), string(source)))
		})
	}
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; write it with: go test ./policy -run '%s$' -update", err, t.Name())
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}
