// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mbchain/monitor"
	"mbchain/policyd/internal/api"
	"mbchain/policyd/internal/push"
)

const namespace = "mbchain_policyd"

// spreads are the bounds of the time that a policy takes to all hosts, in seconds:
// from one host nearby to thousands of which some are slow.
var spreads = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// Metrics is all that policyd counts; it is a push.Observer.
type Metrics struct {
	registry *prometheus.Registry

	pushes  *prometheus.CounterVec // by kind
	acks    *prometheus.CounterVec // by outcome
	spread  prometheus.Histogram
	queries *prometheus.CounterVec // by outcome
	begun   *prometheus.CounterVec // by whom
}

// The kinds of pushes.
const (
	whole  = "whole"
	change = "change"
)

// The outcomes of a question.
const (
	answered     = "answered"
	notConnected = "not_connected"
	failed       = "failed"
)

// New returns the metrics of a policyd of this version, with nothing counted.
func New(version string) *Metrics {
	counter := func(name, help, label string, values ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, []string{label})
		for _, v := range values { // all series are there from the start, at 0
			c.WithLabelValues(v)
		}
		return c
	}
	m := &Metrics{
		registry: monitor.NewRegistry(namespace, version),
		pushes:   counter("pushes_total", "Subpolicies sent to hosts, whole or as what has changed.", "kind", whole, change),
		acks: counter("acknowledgements_total", "What hosts said of subpolicies that they were sent.", "outcome",
			string(push.Loaded), string(push.Refused), string(push.Misfit), string(push.Late)),
		spread: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "policy_spread_seconds", Buckets: spreads,
			Help: "Time from when a policy was applied until all hosts that were connected then had acknowledged it.",
		}),
		queries: counter("queries_total", "Questions to hosts, by what came of each.", "outcome", answered, notConnected, failed),
		begun: counter("migrations_begun_total", "Migrations that agents have taken on, by who wanted them.", "asked_by",
			api.ForOperator, api.ForHost, api.ForPolicy, api.ForHealth),
	}
	m.registry.MustRegister(m.pushes, m.acks, m.spread, m.queries, m.begun)
	return m
}

// Watch adds what is read when somebody asks. It is called once.
func (m *Metrics) Watch(s Sources) { m.registry.MustRegister(collector{s}) }

// Gatherer returns what a scraper gets.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Pushed implements push.Observer.
func (m *Metrics) Pushed(changed bool) {
	kind := whole
	if changed {
		kind = change
	}
	m.pushes.WithLabelValues(kind).Inc()
}

// Acknowledged implements push.Observer.
func (m *Metrics) Acknowledged(o push.Outcome) { m.acks.WithLabelValues(string(o)).Inc() }

// Spread implements push.Observer.
func (m *Metrics) Spread(took time.Duration) { m.spread.Observe(took.Seconds()) }

// Asked implements push.Observer.
func (m *Metrics) Asked(ok, absent, bad int) {
	m.queries.WithLabelValues(answered).Add(float64(ok))
	m.queries.WithLabelValues(notConnected).Add(float64(absent))
	m.queries.WithLabelValues(failed).Add(float64(bad))
}

// Begun is for api.Config.
func (m *Metrics) Begun(who string, n int) { m.begun.WithLabelValues(who).Add(float64(n)) }
