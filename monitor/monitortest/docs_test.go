// SPDX-License-Identifier: Apache-2.0

package monitortest

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const docs = "../../docs"

func TestDashboardIsWhole(t *testing.T) {
	d := ReadDashboard(t, docs)
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 36 {
		t.Errorf("uid %q, title %q, schema %d", d.UID, d.Title, d.SchemaVersion)
	}
	ids := map[int]bool{}
	taken := map[[2]int]string{} // a grid of 24 columns
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("panel %q: id %d is taken", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.Title == "" || p.GridPos.W < 1 || p.GridPos.H < 1 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: at %+v", p.ID, p.Title, p.GridPos)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("panels %q and %q overlap", other, p.Title)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 || p.Description == "" {
			t.Errorf("panel %q: %d queries, description %q", p.Title, len(p.Targets), p.Description)
		}
		refs := map[string]bool{}
		for _, target := range p.Targets {
			if target.Expr == "" || target.RefID == "" || refs[target.RefID] {
				t.Errorf("panel %q: query %q is %q", p.Title, target.RefID, target.Expr)
			}
			refs[target.RefID] = true
		}
	}
}

// A description says what to look at or to type next.
func TestAlertsSayWhatToTypeNext(t *testing.T) {
	rules := ReadAlerts(t, docs)
	command := regexp.MustCompile("`[^`]+`")
	names := map[string]bool{}
	for _, g := range rules.Groups {
		if g.Name == "" || len(g.Rules) == 0 {
			t.Errorf("group %q has %d rules", g.Name, len(g.Rules))
		}
		for _, a := range g.Rules {
			if a.Alert == "" || names[a.Alert] {
				t.Errorf("alert %q: no name, or one that is taken", a.Alert)
			}
			names[a.Alert] = true
			if _, err := time.ParseDuration(a.For); err != nil {
				t.Errorf("alert %s: for: %v", a.Alert, err)
			}
			if s := a.Labels["severity"]; s != "critical" && s != "warning" {
				t.Errorf("alert %s: severity %q", a.Alert, s)
			}
			if a.Annotations["summary"] == "" {
				t.Errorf("alert %s: no summary", a.Alert)
			}
			if d := a.Annotations["description"]; !command.MatchString(d) {
				t.Errorf("alert %s: the description does not say what to type: %q", a.Alert, d)
			}
			for key, text := range a.Annotations {
				if strings.Count(text, "{{") != strings.Count(text, "}}") {
					t.Errorf("alert %s: %s: %q", a.Alert, key, text)
				}
			}
			if strings.Count(a.Expr, "(") != strings.Count(a.Expr, ")") || strings.Count(a.Expr, "{") != strings.Count(a.Expr, "}") {
				t.Errorf("alert %s: brackets of %q", a.Alert, a.Expr)
			}
		}
	}
	if len(names) == 0 {
		t.Error("no alerts")
	}
}

func TestQueriesNameMetricsOfOurs(t *testing.T) {
	for _, s := range Strangers(Queries(t, docs)) {
		t.Error(s)
	}
}

func TestProblems(t *testing.T) {
	families := map[string]Family{
		"mbchain_agentd_sessions":       {Type: "gauge"},
		"mbchain_agentd_events_total":   {Type: "counter", Labels: []string{"reason"}},
		"mbchain_agentd_setups_seconds": {Type: "histogram", Labels: []string{"origin"}},
	}
	tests := []struct {
		name string
		expr string
		want []string
	}{
		{"known", `mbchain_agentd_sessions{instance="a"} > 1`, nil},
		{"of another program", "mbchain_policyd_hosts", nil},
		{"labels", `sum by (instance, reason) (rate(mbchain_agentd_events_total{reason=~"a|b"}[5m]))`, nil},
		{"histogram", "histogram_quantile(0.9, sum by (le, origin) (rate(mbchain_agentd_setups_seconds_bucket[5m])))", nil},
		{"unknown metric", "mbchain_agentd_session", []string{"x: mbchain_agentd_session is not exported"}},
		{"suffix of no histogram", "mbchain_agentd_sessions_count", []string{"x: mbchain_agentd_sessions_count is not exported"}},
		{"unknown label", `mbchain_agentd_sessions{reason="a"}`, []string{"x: mbchain_agentd_sessions has no label reason"}},
		{
			"unknown grouping", "sum by (colour) (mbchain_agentd_sessions)",
			[]string{"x: grouped by colour, which no metric of mbchain_agentd_* there has"},
		},
		{"a name in a text", `label_replace(mbchain_agentd_sessions, "a", "mbchain_agentd_x", "b", "c")`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Problems([]Query{{"x", tt.expr}}, "mbchain_agentd_", families)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStrangers(t *testing.T) {
	for expr, want := range map[string]int{
		`up{job="mbchain_agentd"} == 0`: 0, "rate(mbchain_agentd_events_total[5m])": 0,
		"sum by (nf_type) (mbchain_agentd_nf_type_info)": 0,
		"node_load1": 2, "1 + 1": 1,
	} {
		if got := Strangers([]Query{{"x", expr}}); len(got) != want {
			t.Errorf("%s: %q, want %d", expr, got, want)
		}
	}
}
