// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Setups counts set-ups out-of-band; it is a setup.Observer.
type Setups struct{ duration *prometheus.HistogramVec }

func newSetups() *Setups {
	s := &Setups{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "setup_duration_seconds", Buckets: durations,
		Help: "Set-ups out-of-band that are over, by the time until all hosts of the chain had agreed, or one had refused.",
	}, []string{"origin", "outcome"})}
	for _, own := range []bool{true, false} {
		for _, agreed := range []bool{true, false} {
			s.duration.WithLabelValues(origin(own), outcome(agreed))
		}
	}
	return s
}

// Over implements setup.Observer.
func (s *Setups) Over(own, agreed bool, took time.Duration) {
	s.duration.WithLabelValues(origin(own), outcome(agreed)).Observe(took.Seconds())
}

// origin says who wanted a set-up: this host's module, or a neighbour.
func origin(own bool) string {
	if own {
		return "own"
	}
	return "asked"
}

func outcome(agreed bool) string {
	if agreed {
		return "done"
	}
	return "failed"
}
