// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mbchain/policy"
)

// TestFormat holds what becomes of each policy in testdata/format.
func TestFormat(t *testing.T) {
	golden(t, "format", func(t *testing.T, _, source string) string {
		text, err := policy.Format(source)
		if err != nil {
			t.Fatal(err)
		}
		return text
	})
}

func TestFormatRefusesWhatIsNoPolicy(t *testing.T) {
	if text, err := policy.Format("match(dstprt=80) >> {}"); err == nil || !strings.Contains(err.Error(), "unknown field") {
		t.Errorf("%q, %v", text, err)
	}
}

// A file may name what another one declares.
func TestFormatOfOneDocumentOfSeveral(t *testing.T) {
	text, err := policy.Format("match( srcip=office )>>{firewall}")
	if want := "match(srcip=office) >> {firewall}\n"; err != nil || text != want {
		t.Errorf("%q, error %v, want %q", text, err, want)
	}
}

func TestFormatKeepsThePolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source := drawPolicy(t).String()
		// Comments, line breaks and blanks wherever they may be.
		mess := rapid.SampledFrom([]string{"", " ", "\t", " # a comment\n", "\n", "\r\n", "\n\n\n"})
		var b strings.Builder
		depth := 0
		for _, c := range source {
			b.WriteRune(c)
			switch c {
			case '(', '{':
				depth++
			case ')', '}':
				depth--
			}
			if depth > 0 && strings.ContainsRune("({,&|=", c) {
				b.WriteString(mess.Draw(t, "mess"))
			}
		}
		checkFormat(t, b.String())
	})
}

func checkFormat(t interface {
	Fatalf(string, ...any)
	Helper()
}, source string) {
	t.Helper()
	once, err := policy.Format(source)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, source)
	}
	twice, err := policy.Format(once)
	if err != nil {
		t.Fatalf("%v in what was formatted:\n%s", err, once)
	}
	if diff := cmp.Diff(once, twice); diff != "" {
		t.Fatalf("formatted again it is another text (-first +second):\n%s", diff)
	}
	before, err := policy.Parse(source)
	if err != nil {
		t.Fatalf("%v", err)
	}
	after, err := policy.Parse(once)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if diff := cmp.Diff(before, after, sameMeaning); diff != "" {
		t.Fatalf("it is another policy (-before +after):\n%s\n%s", once, diff)
	}
	if before, after := strings.Count(source, "#"), strings.Count(once, "#"); before != after {
		t.Fatalf("%d \"#\" became %d:\n%s", before, after, once)
	}
}

func FuzzFormat(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.conf")
	if err != nil || len(files) == 0 {
		f.Fatalf("no corpus: %v", err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(source))
	}
	f.Fuzz(func(t *testing.T, source string) {
		if _, err := policy.Parse(source); err == nil {
			checkFormat(t, source)
		}
	})
}
