// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mbchain/policy"
)

func TestJoin(t *testing.T) {
	text, err := policy.Join([]policy.Document{
		{Name: "types.policy", Text: "\uFEFFtype fw { 10.0.0.2 }"},
		{Name: "web.policy", Text: "# web\nmatch(dstport=80) >> {fw}\n"},
		{Name: "empty", Text: ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "document types.policy\ntype fw { 10.0.0.2 }\ndocument web.policy\n# web\nmatch(dstport=80) >> {fw}\ndocument empty\n\n"
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	r := mustParse(t, text).Rules[0]
	if r.Document != "web.policy" || r.Line != 2 {
		t.Errorf("its rule is in line %d of %s", r.Line, r.Document)
	}
}

func TestJoinRefuses(t *testing.T) {
	tests := []struct {
		name      string
		documents []policy.Document
		want      string
	}{
		{"no name", []policy.Document{{}}, `"" cannot name a document`},
		{"a digit first", []policy.Document{{Name: "9web"}}, `"9web" cannot name a document`},
		{"a blank", []policy.Document{{Name: "my web"}}, `"my web" cannot name a document`},
		{"a new line", []policy.Document{{Name: "a\nmatch(any) >> {}"}}, "cannot name a document"},
		{"a keyword", []policy.Document{{Name: "match"}}, "is a word of the language"},
		{"too long", []policy.Document{{Name: strings.Repeat("x", 64)}}, "at most 63 characters"},
		{"twice", []policy.Document{{Name: "a"}, {Name: "b"}, {Name: "a"}}, `two are called "a"`},
		{"too many", make([]policy.Document, policy.MaxDocuments+1), "257, at most 256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, err := policy.Join(tt.documents)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q, error %v, want %q", text, err, tt.want)
			}
		})
	}
}
