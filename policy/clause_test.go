// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"strings"
	"testing"
)

func TestClausesStandInAnyOrderAndArePrintedInOne(t *testing.T) {
	const types = "type firewall { 10.0.0.2 }\ntype ids { 10.0.0.3 }\ntype dpi { 10.0.0.4 }\n"
	tests := []struct{ name, written, want string }{
		{"all", "may-insert dpi may-leave ids,firewall live-sessions migrate on-failure bypass",
			" on-failure bypass live-sessions migrate may-leave ids, firewall may-insert dpi"},
		{"what holds anyway", "live-sessions new-only on-failure block", ""},
		{"one", "live-sessions reset", " live-sessions reset"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mustParse(t, types+"match(any) >> {firewall -> ids} "+tt.written)
			if got, want := p.Rules[0].String(), "match(any) >> {firewall -> ids}"+tt.want; got != want {
				t.Errorf("rule %q, want %q", got, want)
			}
			if len(p.Warnings) > 0 {
				t.Errorf("warned: %s", strings.TrimSpace(p.RenderWarnings("")))
			}
		})
	}
}
