// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

// family returns one that is shown.
func family(t *testing.T, m *Metrics, name string) *dto.MetricFamily {
	t.Helper()
	all, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == name {
			return f
		}
	}
	t.Fatalf("%s is not shown", name)
	return nil
}

// counts returns how often each series of a histogram was observed, by the values of
// its labels.
func counts(t *testing.T, m *Metrics, name string, labels ...string) map[string]uint64 {
	t.Helper()
	all := map[string]uint64{}
	for _, metric := range family(t, m, name).GetMetric() {
		var values []string
		for i, l := range metric.GetLabel() { // sorted
			if l.GetName() != labels[i] {
				t.Fatalf("%s has label %s, want %s", name, l.GetName(), labels[i])
			}
			values = append(values, l.GetValue())
		}
		all[strings.Join(values, " ")] = metric.GetHistogram().GetSampleCount()
	}
	return all
}
