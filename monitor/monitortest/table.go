// SPDX-License-Identifier: Apache-2.0

package monitortest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// row is a line of the table: name, type, labels, series, meaning.
var row = regexp.MustCompile("(?m)^\\| `(mbchain_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*) \\| ([^|]+) \\| ([^|]+) \\|$")

func rows(t *testing.T, docs, prefix string) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, "OPERATIONS.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := row.FindAllStringSubmatch(string(text), -1)
	return slices.DeleteFunc(all, func(m []string) bool { return !strings.HasPrefix(m[1], prefix) })
}

// Table returns what OPERATIONS.md says there is of the metrics whose names begin with
// prefix.
func Table(t *testing.T, docs, prefix string) map[string]Family {
	t.Helper()
	all := map[string]Family{}
	for _, m := range rows(t, docs, prefix) {
		f := Family{Type: m[2]}
		for label := range strings.SplitSeq(m[3], ",") {
			if label = strings.Trim(label, "` "); label != "" {
				f.Labels = append(f.Labels, label)
			}
		}
		slices.Sort(f.Labels)
		if _, twice := all[m[1]]; twice {
			t.Errorf("%s stands twice in the table", m[1])
		}
		all[m[1]] = f
	}
	return all
}

// WithinBounds fails the test for each metric that has more series than the table says
// it can have.
func WithinBounds(t *testing.T, g prometheus.Gatherer, docs, prefix string) {
	t.Helper()
	bounds := map[string]int{}
	for _, m := range rows(t, docs, prefix) {
		n, err := strconv.Atoi(m[4])
		if err != nil {
			t.Errorf("%s: %q is no number of series", m[1], m[4])
		}
		bounds[m[1]] = n
	}
	gathered, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range gathered {
		bound, known := bounds[f.GetName()]
		if n := len(f.GetMetric()); known && n > bound {
			t.Errorf("%s: %d series, %d are the bound", f.GetName(), n, bound)
		}
	}
}

// Check holds a program's metrics against the rules of Prometheus, and against all
// that docs says of them. Each metric must have a series.
func Check(t *testing.T, g prometheus.Gatherer, docs, prefix string) {
	t.Helper()
	problems, err := testutil.GatherAndLint(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families := Families(t, g)
	if diff := cmp.Diff(Table(t, docs, prefix), families, cmp.Comparer(func(a, b []string) bool { return slices.Equal(a, b) })); diff != "" {
		t.Errorf("metrics in docs/OPERATIONS.md and in the program (-docs +program):\n%s", diff)
	}
	WithinBounds(t, g, docs, prefix)
	for _, p := range Problems(Queries(t, docs), prefix, families) {
		t.Error(p)
	}
}
