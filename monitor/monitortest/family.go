// SPDX-License-Identifier: Apache-2.0

package monitortest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Family is one metric as documents know it.
type Family struct {
	Type   string   // "counter", "gauge" or "histogram"
	Labels []string // sorted
}

// Families returns what a program shows, by name, but for what Go's own collectors do.
func Families(t *testing.T, g prometheus.Gatherer) map[string]Family {
	t.Helper()
	gathered, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]Family{}
	for _, f := range gathered {
		if !strings.HasPrefix(f.GetName(), "mbchain_") {
			continue
		}
		labels := map[string]bool{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = true
			}
		}
		all[f.GetName()] = Family{
			Type: strings.ToLower(f.GetType().String()), Labels: slices.Sorted(maps.Keys(labels)),
		}
	}
	return all
}

// Values returns all values that a label has in a family, sorted.
func Values(t *testing.T, g prometheus.Gatherer, family, label string) []string {
	t.Helper()
	gathered, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]bool{}
	for _, f := range gathered {
		if f.GetName() != family {
			continue
		}
		for _, m := range f.GetMetric() {
			values[valueOf(m, label)] = true
		}
	}
	return slices.Sorted(maps.Keys(values))
}

func valueOf(m *dto.Metric, label string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == label {
			return l.GetValue()
		}
	}
	return ""
}
