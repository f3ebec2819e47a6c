// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"mbchain/chain"
	"mbchain/policy"
)

// TestExpectationErrors holds what is said about each wrong text in
// testdata/expect.
func TestExpectationErrors(t *testing.T) {
	golden(t, "expect", func(t *testing.T, file, source string) string {
		_, err := policy.ParseExpectations(source)
		var errs policy.Errors
		if !errors.As(err, &errs) {
			t.Fatalf("error %v; want policy.Errors", err)
		}
		return errs.Render(file)
	})
}

func TestMeets(t *testing.T) {
	p := mustParse(t, "type firewall { 10.0.0.2 }\ntype ids { 10.0.0.3 }\n"+
		"rule web match(dstport=80) >> {firewall -> ids} on-failure bypass\nmatch(dstport=22) >> {}\n")
	const web, ssh, other = "10.0.0.1:1 > 10.0.0.9:80 >> ", "10.0.0.1:1 -> 10.0.0.9:22 tcp >>", "[fd00::1]:1 > [fd00::9]:9 >>"
	tests := []struct{ name, line, want string }{
		{"chain", web + "{firewall->ids}", ""},
		{"rule by name", web + "{firewall → ids} rule web on-failure bypass # all of it", ""},
		{"rule by number", web + "{firewall -> ids} on-failure bypass rule 1", ""},
		{"empty chain", ssh + "{}", ""},
		{"no rule", other + "none", ""},
		{"another chain", web + "{ids -> firewall}", `rule 1 "web" (line 3) gives it {firewall -> ids}`},
		{"a shorter chain", web + "{firewall}", `rule 1 "web" (line 3) gives it {firewall -> ids}`},
		{"another rule", web + "{firewall -> ids} rule ssh", `rule 1 "web" (line 3) matches`},
		{"another on-failure", web + "{firewall -> ids} on-failure block", `rule 1 "web" (line 3) has on-failure bypass`},
		{"no rule after all", web + "none", `rule 1 "web" (line 3) matches`},
		{"a rule after all", other + "{}", "no rule matches"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := policy.ParseExpectations("\n" + tt.line + "\n")
			if err != nil || len(list) != 1 || list[0].Line != 2 {
				t.Fatalf("expectations %+v, %v", list, err)
			}
			if got := p.Meets(list[0]); got != tt.want {
				t.Errorf("says %q, want %q", got, tt.want)
			}
		})
	}
}

// A policy meets what it is seen to do, and nothing else.
func TestAPolicyMeetsWhatItDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, tuple := drawPolicy(t), drawTuple(t)
		if tuple.Check() != nil {
			return
		}
		does := "none"
		if i := reference(p.Predicates(), tuple); i > 0 {
			r := p.Rules[i-1]
			var names []string
			for _, nf := range r.Chain {
				names = append(names, nf.Name)
			}
			does = fmt.Sprintf("{%s} rule %d on-failure %s", strings.Join(names, " -> "), i, r.OnFailure)
		}
		for _, tt := range []struct {
			outcome string
			meets   bool
		}{{does, true}, {"{no-such-type}", false}, {"none", does == "none"}} {
			list, err := policy.ParseExpectations(fmt.Sprintf("%s >> %s", tuple, tt.outcome))
			if err != nil {
				t.Fatal(err)
			}
			if said := p.Meets(list[0]); (said == "") != tt.meets {
				t.Fatalf("%s: says %q of %s", list[0].Text, said, does)
			}
		}
	})
}

func FuzzParseExpectations(f *testing.F) {
	for _, source := range []string{
		"10.0.0.1:1 > 10.0.0.9:80 tcp >> {a -> b} rule web on-failure bypass # c\n\n",
		"[fd00::1]:1 -> [fd00::9]:80 >> none\r\n", ">>", "10.0.0.1:1 > 10.0.0.2:2 >> {", "a >> b >> {c}", "10.0.0.1:1 > 10.0.0.2:2 >> {a} rule",
	} {
		f.Add(source)
	}
	p := policy.Policy{}
	f.Fuzz(func(t *testing.T, source string) {
		list, err := policy.ParseExpectations(source)
		var errs policy.Errors
		if errors.As(err, &errs) {
			for _, d := range errs {
				if d.Line < 1 || d.Column < 1 || d.Width < 1 || d.Message == "" {
					t.Errorf("odd diagnostic %#v", d)
				}
			}
			return
		}
		for _, e := range list {
			again, err := policy.ParseExpectations(e.Text)
			if err != nil || len(again) != 1 {
				t.Fatalf("%q alone: %v", e.Text, err)
			}
			again[0].Line = e.Line
			if diff := cmp.Diff(e, again[0], cmpopts.EquateComparable(chain.FiveTuple{})); diff != "" {
				t.Errorf("line %d alone reads otherwise (-first +second):\n%s", e.Line, diff)
			}
			if (p.Meets(e) == "") != e.None {
				t.Errorf("a policy without rules: %q of %s", p.Meets(e), e.Text)
			}
		}
	})
}
