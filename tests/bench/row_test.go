// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryRowCanBeCompared(t *testing.T) {
	rows := map[string]row{}
	for _, r := range allRows() {
		if _, ok := rows[r.name]; ok {
			t.Errorf("two rows are called %s", r.name)
		}
		rows[r.name] = r
	}
	for _, r := range rows {
		if _, ok := rows[r.base]; !ok {
			t.Errorf("row %s is compared to %s, which is none", r.name, r.base)
		}
	}
}

func TestChooseRows(t *testing.T) {
	all := []row{{name: "plain", base: "plain"}, {name: "nat", base: "plain"}, {name: "inline", base: "plain"}, {name: "syn", base: "syn"}}
	for _, tt := range []struct {
		name, patterns string
		want           []string
		wantErr        string
	}{
		{"all", "", []string{"plain", "nat", "inline", "syn"}, ""},
		{"one and what it is compared to", "inline", []string{"plain", "inline"}, ""},
		{"patterns, in the order of the rows", "s*,n?t", []string{"plain", "nat", "syn"}, ""},
		{"none such", "inline,typo", nil, `choose rows: no row is called "typo"; tests/bench/run --list names them`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows, err := choose(all, tt.patterns)
			var got []string
			for _, r := range rows {
				got = append(got, r.name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			text := ""
			if err != nil {
				text = err.Error()
			}
			if text != tt.wantErr {
				t.Errorf("error %q, want %q", text, tt.wantErr)
			}
		})
	}
}
