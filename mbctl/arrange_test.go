// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func testApp() *world { return &world{getenv: func(string) string { return "" }} }

func TestOptionsMayStandAnywhere(t *testing.T) {
	tests := []struct {
		name, line, want string
	}{
		{"nothing", "", ""},
		{"in the cli package's order", "--json policy apply --wait f", "--json policy apply --wait -- f"},
		{"all at the end", "policy apply f --wait --if-version 3 --policyd h:1 --json",
			"--policyd h:1 --json policy apply --wait --if-version 3 -- f"},
		{"all at the beginning", "--wait --json policy apply f", "--wait --json policy apply -- f"},
		{"value with equals sign", "session list --host=mb1 --timeout=1s", "--timeout=1s session list --host=mb1"},
		{"one dash", "session list -host mb1 -json", "-json session list -host mb1"},
		{"value that looks like an option", "session list --host --json", "session list --host --json"},
		{"standard input", "policy check -", "policy check -- -"},
		{"arrow", "policy explain a:1 -> b:2 tcp", "policy explain -- a:1 -> b:2 tcp"},
		{"operand named like a verb", "policy check apply", "policy check -- apply"},
		{"after two dashes all are operands", "policy check -- --json", "policy check -- --json"},
		{"unknown option is the command's", "policy check --no f", "policy check --no -- f"},
		{"unknown verb", "policy drop it", "policy -- drop it"},
		{"help", "help policy apply", "policy apply --help"},
		{"help alone", "help", "--help"},
		{"a line to complete stays as it is", "__complete policy --json ", "__complete policy --json "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := arrange(testApp().app(), split(tt.line))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(split(tt.want), got); diff != "" {
				t.Errorf("arrange (-want +got):\n%s", diff)
			}
		})
	}
}

func split(line string) []string {
	if line == "" {
		return nil
	}
	return strings.Split(line, " ")
}

func FuzzArrange(f *testing.F) {
	for _, line := range []string{"", "policy apply f --wait", "help help", "-- -- --", "--agent", "session list --host --json -", "__complete x"} {
		f.Add(line)
	}
	app := testApp().app()
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		once, err := arrange(app, args)
		if err != nil {
			return
		}
		for _, word := range once {
			if word != "--" && word != "--help" && !slices.Contains(args, word) {
				t.Errorf("arrange %q made up %q", args, word)
			}
		}
		if len(once) > 0 && once[0] == "help" {
			return // the noun "help" of "help help" asks for help again
		}
		twice, err := arrange(app, once)
		if err != nil {
			t.Errorf("arrange %q: %v", once, err)
		}
		if diff := cmp.Diff(once, twice); diff != "" {
			t.Errorf("arranged again (-once +twice):\n%s", diff)
		}
	})
}

func TestCandidatesAreWhatMayStandNext(t *testing.T) {
	tests := []struct {
		name, line, want string
	}{
		{"nouns", "", "status policy session migrate host nf stats watch doctor cluster token member key identity version completion"},
		{"nouns that fit", "s", "status session stats"},
		{"verbs", "policy ", "check fmt test diff apply show history rollback explain"},
		{"verbs behind an option with a value", "--policyd h:1 session s", "show"},
		{"options", "policy apply --", "--if-version --dry-run --wait --policyd --agent --timeout --json --help"},
		{"options of mbctl", "--j", "--json"},
		{"value of an option", "session list --state c", "closing closed"},
		{"value that is not known", "session list --host ", ""},
		{"guarantees", "migrate replace --guarantee ", "loss-free ordered substream"},
		{"methods, not states", "migrate replace --state ", "none conntrack exec"},
		{"verbs of migrations", "migrate ", "insert remove replace list show abort leave request"},
		{"files", "policy apply ", ""},
		{"shells", "completion ", "bash zsh fish"},
		{"after two dashes", "policy apply -- --", ""},
		{"operand given already", "completion bash ", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := candidates(testApp().app(), strings.Split(tt.line, " "))
			if diff := cmp.Diff(split(tt.want), got); diff != "" {
				t.Errorf("candidates (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompletionScriptsAskTheHiddenCommand(t *testing.T) {
	w := newTestWorld(t, lab())
	if code := w.run(t.Context(), []string{completeName, "policy", "a"}); code != exitOK {
		t.Fatalf("exit %d: %s", code, w.err.String())
	}
	if diff := cmp.Diff("apply\n", w.out.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	for _, script := range []string{bashScript, zshScript, fishScript} {
		if !strings.Contains(script, completeName) || !strings.Contains(script, "SPDX-License-Identifier") {
			t.Errorf("script lacks %s or its licence:\n%s", completeName, script)
		}
	}
}
