// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"regexp"
	"slices"
	"testing"

	"mbchain/genl"
	"mbchain/monitor/monitortest"
)

// A counter that dashboard or alerts name is one that the module has.
func TestCountersInTheMonitoringDocumentsExist(t *testing.T) {
	var names []string
	for r := range genl.ReasonMax + 1 {
		names = append(names, r.String())
	}
	values := monitortest.MatchedValues(monitortest.Queries(t, "../../../docs"), "mbchain_agentd_module_events_total", "reason")
	if len(values) == 0 {
		t.Error("no query names a counter")
	}
	for _, v := range values {
		whole, err := regexp.Compile("^(?:" + v + ")$")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(names, whole.MatchString) {
			t.Errorf("no counter is called %s", v)
		}
	}
}
