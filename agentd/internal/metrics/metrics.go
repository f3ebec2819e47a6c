// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"mbchain/monitor"
)

const namespace = "mbchain_agentd"

// durations are the bounds of histograms, in seconds: from less than a round trip to
// the longest that a set-up takes, or a migration by default.
var durations = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

// Metrics is all that agentd counts.
type Metrics struct {
	Setups     *Setups
	Migrations *Migrations
	Misfits    *Misfits

	registry *prometheus.Registry
}

// New returns the metrics of an agentd of this version, with nothing counted.
func New(version string) *Metrics {
	m := &Metrics{
		Setups: newSetups(), Migrations: newMigrations(), Misfits: newMisfits(),
		registry: monitor.NewRegistry(namespace, version),
	}
	m.registry.MustRegister(m.Setups.duration, m.Misfits.total)
	m.Migrations.register(m.registry)
	return m
}

// Watch adds what is read when somebody asks. It is called once.
func (m *Metrics) Watch(s Sources) { m.registry.MustRegister(newCollector(s)) }

// Gatherer returns what a scraper gets.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }
