// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"mbchain/proto/delta"
)

// Misfits counts changes of the subpolicy that were refused.
type Misfits struct{ total *prometheus.CounterVec }

func newMisfits() *Misfits {
	m := &Misfits{prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "policy_changes_refused_total",
		Help: "Changes of this host's part of the policy that did not fit what it has, so that policyd had to send the whole.",
	}, []string{"reason"})}
	for _, reason := range delta.Reasons() {
		m.total.WithLabelValues(reason)
	}
	return m
}

// Count counts one, for push.Config.
func (m *Misfits) Count(reason string) { m.total.WithLabelValues(reason).Inc() }
