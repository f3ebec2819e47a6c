// SPDX-License-Identifier: Apache-2.0

package monitortest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"
)

// Query is an expression of PromQL in a document.
type Query struct {
	Where string // file, and what the query is for
	Expr  string
}

// Dashboard is what is checked of docs/monitoring/dashboard.json.
type Dashboard struct {
	UID           string  `json:"uid"`
	Title         string  `json:"title"`
	SchemaVersion int     `json:"schemaVersion"`
	Panels        []Panel `json:"panels"`
	Templating    struct {
		List []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Query any    `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

// Panel is one of a dashboard.
type Panel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct {
		RefID string `json:"refId"`
		Expr  string `json:"expr"`
	} `json:"targets"`
}

// ReadDashboard reads the dashboard below docs.
func ReadDashboard(t *testing.T, docs string) Dashboard {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(docs, "monitoring", "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d Dashboard
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// Rules is docs/monitoring/alerts.yml.
type Rules struct {
	Groups []Group `yaml:"groups"`
}

// Group is one of the groups of rules.
type Group struct {
	Name  string  `yaml:"name"`
	Rules []Alert `yaml:"rules"`
}

// Alert is one rule.
type Alert struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// ReadAlerts reads the alert rules below docs; what Prometheus would not know is an
// error.
func ReadAlerts(t *testing.T, docs string) Rules {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(docs, "monitoring", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var r Rules
	if err := yaml.UnmarshalStrict(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// Queries returns all that dashboard and alerts ask.
func Queries(t *testing.T, docs string) []Query {
	t.Helper()
	var all []Query
	d := ReadDashboard(t, docs)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all = append(all, Query{fmt.Sprintf("dashboard, panel %q", p.Title), target.Expr})
		}
	}
	for _, v := range d.Templating.List {
		if q, ok := v.Query.(string); ok && v.Type == "query" {
			all = append(all, Query{fmt.Sprintf("dashboard, variable %q", v.Name), q})
		}
	}
	for _, g := range ReadAlerts(t, docs).Groups {
		for _, a := range g.Rules {
			all = append(all, Query{"alert " + a.Alert, a.Expr})
			for _, text := range a.Annotations {
				for _, m := range regexp.MustCompile(`query "([^"]+)"`).FindAllStringSubmatch(text, -1) {
					all = append(all, Query{"alert " + a.Alert, m[1]})
				}
			}
		}
	}
	return all
}

var (
	selector = regexp.MustCompile(`\b([a-zA-Z_][a-zA-Z0-9_]*_[a-zA-Z0-9_]*|up)\b(?:\s*\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	literal  = regexp.MustCompile(`"[^"]*"`)
	inside   = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]`)
)

// given are the labels that a scraper adds, and that of a histogram's buckets.
var given = []string{"instance", "job", "le"}

// functions have an underscore in their names, as metrics do.
var functions = []string{"histogram_quantile", "label_replace", "label_values"}

// Problems says what is wrong with the queries about a program's metrics, those that
// begin with prefix.
func Problems(queries []Query, prefix string, families map[string]Family) []string {
	var found []string
	for _, q := range queries {
		about := false
		for _, m := range selector.FindAllStringSubmatch(bare(q.Expr), -1) {
			name := m[1]
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			about = true
			if _, known := familyOf(name, families); !known {
				found = append(found, fmt.Sprintf("%s: %s is not exported", q.Where, name))
			}
		}
		if about {
			found = append(found, labelProblems(q, prefix, families)...)
		}
	}
	return found
}

// labelProblems looks at the labels that a query names.
func labelProblems(q Query, prefix string, families map[string]Family) []string {
	var found []string
	known := slices.Clone(given)
	for _, m := range selector.FindAllStringSubmatch(q.Expr, -1) {
		family, ours := familyOf(m[1], families)
		if !ours {
			if strings.HasPrefix(m[1], "mbchain_") {
				return found // of another program as well: its test sees the groupings
			}
			continue
		}
		known = append(known, family.Labels...)
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(family.Labels, l[1]) && !slices.Contains(given, l[1]) {
				found = append(found, fmt.Sprintf("%s: %s has no label %s", q.Where, m[1], l[1]))
			}
		}
	}
	for _, m := range grouping.FindAllStringSubmatch(q.Expr, -1) {
		for label := range strings.SplitSeq(m[1], ",") {
			if label = strings.TrimSpace(label); label != "" && !slices.Contains(known, label) {
				found = append(found, fmt.Sprintf("%s: grouped by %s, which no metric of %s* there has", q.Where, label, prefix))
			}
		}
	}
	return found
}

// MatchedValues returns the values that queries want a label of a family to be, with
// the alternatives of a pattern one by one.
func MatchedValues(queries []Query, family, label string) []string {
	var values []string
	for _, q := range queries {
		for _, m := range selector.FindAllStringSubmatch(q.Expr, -1) {
			if m[1] != family {
				continue
			}
			for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
				if l[1] == label {
					values = append(values, strings.Split(l[3], "|")...)
				}
			}
		}
	}
	return values
}

// Strangers returns the metrics that queries name and that are neither a program's of
// ours, nor Go's, nor Prometheus' own.
func Strangers(queries []Query) []string {
	var found []string
	for _, q := range queries {
		named := false
		for _, m := range selector.FindAllStringSubmatch(bare(q.Expr), -1) {
			switch name := m[1]; {
			case slices.Contains(functions, name):
			case strings.HasPrefix(name, "mbchain_agentd_"), strings.HasPrefix(name, "mbchain_policyd_"),
				strings.HasPrefix(name, "process_"), strings.HasPrefix(name, "go_"), name == "up":
				named = true
			default:
				found = append(found, fmt.Sprintf("%s: %s", q.Where, name))
			}
		}
		if !named {
			found = append(found, q.Where+": names no metric")
		}
	}
	return found
}

// bare takes out of an expression what are no names of metrics: texts, labels and
// times.
func bare(expr string) string {
	for _, r := range []*regexp.Regexp{literal, grouping, inside} {
		expr = r.ReplaceAllString(expr, "")
	}
	return expr
}

// familyOf finds the family of a series' name.
func familyOf(name string, families map[string]Family) (Family, bool) {
	if f, ok := families[name]; ok {
		return f, true
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, cut := strings.CutSuffix(name, suffix); cut && families[base].Type == "histogram" {
			return families[base], true
		}
	}
	return Family{}, false
}
