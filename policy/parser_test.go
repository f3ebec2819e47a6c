// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"mbchain/policy"
)

// sameMeaning compares policies but for what the layout of the text decides.
var sameMeaning = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreFields(policy.Policy{}, "Warnings"),
	cmpopts.IgnoreFields(policy.Group{}, "Line", "Document"),
	cmpopts.IgnoreFields(policy.Type{}, "Line", "Document"),
	cmpopts.IgnoreFields(policy.Rule{}, "Line", "Document"),
}

func mustParse(t testing.TB, source string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse(source)
	if err != nil {
		var errs policy.Errors
		errors.As(err, &errs)
		t.Fatalf("parse policy:\n%s", errs.Render("test.conf"))
	}
	return p
}

func mustParsePredicate(t testing.TB, source string) policy.Predicate {
	t.Helper()
	x, err := policy.ParsePredicate(source)
	if err != nil {
		t.Fatalf("parse predicate %q: %v", source, err)
	}
	return x
}

func TestParse(t *testing.T) {
	firewall := &policy.Type{Name: "firewall", Line: 2, Instances: []policy.Instance{
		{Name: "mb1", Address: netip.MustParseAddr("10.0.0.2"), Weight: 2},
		{Name: "mb3", Address: netip.MustParseAddr("10.0.0.4"), Weight: 1},
	}}
	ids := &policy.Type{Name: "ids", Line: 9, Instances: []policy.Instance{
		{Address: netip.MustParseAddr("10.0.0.3"), Weight: 1},
	}}
	prefix := policy.Address{Field: policy.SrcIP, Prefix: netip.MustParsePrefix("10.0.0.0/24")}
	host := policy.Address{Field: policy.DstIP, Prefix: netip.MustParsePrefix("192.0.2.1/32")}
	web := policy.Port{Field: policy.DstPort, Low: 80, High: 80}
	want := &policy.Policy{
		Types: []*policy.Type{firewall, ids},
		Rules: []*policy.Rule{
			{Number: 1, Line: 3, Predicate: policy.And{web, prefix}, Chain: []*policy.Type{firewall, ids}},
			{Number: 2, Line: 4, OnFailure: policy.Bypass, Chain: []*policy.Type{firewall},
				Predicate: policy.Or{
					policy.And{policy.Protocol(6), policy.Port{Field: policy.SrcPort, Low: 5000, High: 5999}},
					policy.Not{X: host},
				}},
			{Number: 3, Line: 8, Predicate: prefix},
			{Number: 4, Line: 8, Predicate: policy.Any{}, Chain: []*policy.Type{ids}},
		},
	}
	got := mustParse(t, `# a comment
type firewall { mb1 10.0.0.2 weight 2, mb3 10.0.0.4 }   # and another
match(dstport=80 & srcip=10.0.0.0/24) >> {firewall -> ids}
match(proto=tcp & srcport=5000-5999 |
	~(dstip=192.0.2.1)) >> { # a statement may span lines inside brackets
	firewall
} on-failure bypass
match(srcip=10.0.0.0/24)>>{}; match(*) >> {ids} on-failure block;
type ids {
	10.0.0.3,
}`)
	options := cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.IgnoreFields(policy.Policy{}, "Warnings")}
	if diff := cmp.Diff(want, got, options); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
}

func TestArrowsOfAChain(t *testing.T) {
	const types = "type a-b { 10.0.0.2 }\ntype c { 10.0.0.3 }\n"
	const want = types + "match(any) >> {a-b -> c}\n"
	for _, chain := range []string{"a-b -> c", "a-b->c", "a-b → c", "a-b→c", " a-b\n\t->\n\tc\n"} {
		if got := mustParse(t, types+"match(any)>>{"+chain+"}").String(); got != want {
			t.Errorf("{%s} reads as\n%s", chain, got)
		}
	}
}

func TestParseOfNothing(t *testing.T) {
	for _, source := range []string{"", "\n\n", ";;", "# only a comment", "\uFEFF", "\uFEFF# with a byte order mark\r\n"} {
		if diff := cmp.Diff(&policy.Policy{}, mustParse(t, source)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", source, diff)
		}
	}
}

func TestCanonicalPredicate(t *testing.T) {
	tests := []struct{ name, source, want string }{
		{"operators by how they bind", "dstport=1|dstport=2&~srcport=3", "dstport=1 | dstport=2 & ~srcport=3"},
		{"needed parentheses stay", "(dstport=1|dstport=2)&~(srcport=3&proto=tcp)", "(dstport=1 | dstport=2) & ~(srcport=3 & proto=tcp)"},
		{"others go", "((dstport=1)&((dstport=2)&dstport=3))", "dstport=1 & dstport=2 & dstport=3"},
		{"single address", "srcip=10.0.0.1/32", "srcip=10.0.0.1"},
		{"IPv6 address", "srcip=FD00:0:0::1/128", "srcip=fd00::1"},
		{"IPv6 prefix", "dstip=2001:DB8:0:0::/32", "dstip=2001:db8::/32"},
		{"single port", "dstport=80-80", "dstport=80"},
		{"protocol by name", "proto=6 | proto=17 | proto=1", "proto=tcp | proto=udp | proto=1"},
		{"any", "*", "any"},
		{"not not", "~~any", "~~any"},
		{"newlines", "\n(any\n|any)", "any | any"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustParsePredicate(t, strings.TrimSpace(tt.source)).String()
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestParsePredicateSaysWhatIsWrong(t *testing.T) {
	tests := []struct{ name, source, want string }{
		{"empty", "", "1:1: expected a term"},
		{"unfinished", "dstport=80 &", `1:13: expected a term as dstport=80, "any", "~" or "(", found the end of the text`},
		{"more behind it", "any any", `1:5: expected "&", "|" or the end of the predicate, found "any"`},
		{"closed too often", "any)", `1:4: expected "&", "|" or the end of the predicate, found ")"`},
		{"never closed", "(any", `1:1: "(" is never closed`},
		{"wrong value", "dstport=x", `1:9: "x" is not a port`},
		{"too long", strings.Repeat(" ", policy.MaxSource+1), "the text has 4194305 bytes; at most 4194304 are allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x, err := policy.ParsePredicate(tt.source)
			if err == nil {
				t.Fatalf("got %s, want an error", x)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not contain %q", err, tt.want)
			}
		})
	}
}

func TestErrorsInOneLine(t *testing.T) {
	for n, want := range map[int]string{
		1: `1:1: unknown statement "x"; a statement begins with "document", "group", "match", "rule", "type"`,
		2: `1:1: unknown statement "x"; a statement begins with "document", "group", "match", "rule", "type" (and 1 more error)`,
		3: `1:1: unknown statement "x"; a statement begins with "document", "group", "match", "rule", "type" (and 2 more errors)`,
	} {
		if _, err := policy.Parse(strings.Repeat("x\n", n)); err == nil || err.Error() != want {
			t.Errorf("error of %d: %v, want %s", n, err, want)
		}
	}
}

func TestLimitsAreReached(t *testing.T) {
	t.Run("rules", func(t *testing.T) {
		var b strings.Builder
		for i := range policy.MaxRules {
			fmt.Fprintf(&b, "match(srcport=%d) >> {}\n", i)
		}
		if p := mustParse(t, b.String()); len(p.Rules) != policy.MaxRules {
			t.Errorf("%d rules", len(p.Rules))
		}
		b.WriteString("match(any) >> {}\n")
		if _, err := policy.Parse(b.String()); err == nil || !strings.Contains(err.Error(), "65537:1: more than 65536 rules") {
			t.Errorf("one rule more: %v", err)
		}
	})
	t.Run("source", func(t *testing.T) {
		comment := "#" + strings.Repeat("x", policy.MaxSource-1)
		mustParse(t, comment)
		if _, err := policy.Parse(comment + "x"); err == nil {
			t.Error("no error for one byte more")
		}
	})
	t.Run("depth and terms", func(t *testing.T) {
		deep := strings.Repeat("(", policy.MaxDepth) + "any" + strings.Repeat(")", policy.MaxDepth)
		mustParsePredicate(t, deep)
		mustParsePredicate(t, strings.Repeat("any & ", policy.MaxTerms-1)+"any")
	})
	t.Run("chain", func(t *testing.T) {
		mustParse(t, "type a { 10.0.0.1, 10.0.0.2 }\nmatch(any) >> {"+strings.Repeat("a -> ", policy.MaxChain-1)+"a}")
	})
	t.Run("brackets in what is skipped", func(t *testing.T) {
		if _, err := policy.Parse(strings.Repeat("({", 1<<20)); err == nil {
			t.Error("no error")
		}
	})
}

// A policy that would not fit into the kernel is refused where it is written.
func TestPolicyMustFitIntoTheKernel(t *testing.T) {
	// Many different hosts of IPv6, which take most instructions for their text.
	var source strings.Builder
	for host := 0; source.Len() < policy.MaxSource/3; {
		terms := make([]string, policy.MaxTerms/4)
		for i := range terms {
			terms[i] = fmt.Sprintf("srcip=%x:1:%x::1", 0x1000+host&0x3fff, host>>14)
			host++
		}
		fmt.Fprintf(&source, "match(%s)>>{}\n", strings.Join(terms, "|"))
	}
	_, err := policy.Parse(source.String())
	want := "1:1: compile rules: more than 256 programs are needed; use fewer terms"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestTextReadsBackAsTheSamePolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawPolicy(t)
		text := want.String()
		got, err := policy.Parse(text)
		if err != nil {
			t.Fatalf("parse policy: %v\n%s", err, text)
		}
		if diff := cmp.Diff(want, got, sameMeaning); diff != "" {
			t.Fatalf("%s\n(-want +got):\n%s", text, diff)
		}
	})
}

func FuzzParse(f *testing.F) {
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
		first, err := policy.Parse(source)
		var errs policy.Errors
		if errors.As(err, &errs) {
			if len(errs) == 0 || len(errs) > policy.MaxErrors+1 {
				t.Errorf("%d errors", len(errs))
			}
			for _, d := range errs {
				if d.Line < 1 || d.Column < 1 || d.Width < 1 || d.Message == "" {
					t.Errorf("odd diagnostic %#v", d)
				}
				_ = d.Render("fuzz.conf")
			}
			return
		}
		if err != nil {
			t.Fatalf("error is a %T", err)
		}
		second, err := policy.Parse(first.String())
		if err != nil {
			t.Fatalf("canonical text is refused: %v\n%s", err, first)
		}
		if diff := cmp.Diff(first, second, sameMeaning); diff != "" {
			t.Errorf("canonical text reads otherwise (-first +second):\n%s", diff)
		}
	})
}

func FuzzParsePredicate(f *testing.F) {
	for _, source := range []string{
		"any", "*", "~~any", "dstport=80 & srcip=10.0.0.0/24", "(proto=tcp | proto=17) & ~(dstip=192.0.2.1)",
		"srcport=1-65535", "((((any))))", "dstport=80,443", "srcip=::1",
		"srcip=fd00::/64 & ~dstip=::/0", "srcip=fe80::1%eth0", "srcip=::ffff:10.0.0.1", "srcip=1:2:3:4:5:6:7:8/128", "srcip=%:%",
	} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		x, err := policy.ParsePredicate(source)
		if err != nil {
			return
		}
		again, err := policy.ParsePredicate(x.String())
		if err != nil {
			t.Fatalf("canonical text %s is refused: %v", x, err)
		}
		if diff := cmp.Diff(x, again, sameMeaning); diff != "" {
			t.Errorf("canonical text %s reads otherwise (-first +second):\n%s", x, diff)
		}
	})
}
