// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
)

var (
	guarantees = []lock.Guarantee{lock.LossFree, lock.Ordered, lock.Substream}

	// steps are those of a left anchor that are worth a time: the others end a
	// migration, and have counters.
	steps = []migrate.Step{migrate.StepLocked, migrate.StepCommitted, migrate.StepDone, migrate.StepAborted}

	// reasons are all that package lock knows. One that it does not know came from
	// another host, and is counted as other.
	reasons = []lock.Reason{
		lock.Busy, lock.NoSession, lock.PathChanged, lock.Unlocked, lock.Policy, lock.Leaving, lock.NoAnswer,
		lock.Overflowed, lock.NFState, lock.ModuleFailed, lock.Cancelled, lock.SessionEnded,
	}
)

const otherReason = "other"

// Migrations counts the migrations that this host leads; it is a mover.Observer.
type Migrations struct {
	begun, done, released *prometheus.CounterVec // by guarantee
	failed                *prometheus.CounterVec // by guarantee and reason
	duration              *prometheus.HistogramVec
	step                  *prometheus.HistogramVec
}

func newMigrations() *Migrations {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: name, Help: help, Buckets: durations,
		}, labels)
	}
	m := &Migrations{
		begun:    counter("migrations_begun_total", "Migrations taken on that this host leads; some may wait yet.", "guarantee"),
		done:     counter("migrations_done_total", "Migrations that have changed the chain of their session.", "guarantee"),
		released: counter("migrations_released_total", "Migrations, led by this host or not, whose packets held here went by the old path: their order was not kept.", "guarantee"),
		failed:   counter("migrations_failed_total", "Migrations that were given up; all is as it was.", "guarantee", "reason"),
		duration: histogram("migration_duration_seconds", "Time that migrations took which are done, without that in the queue.", "guarantee"),
		step:     histogram("migration_step_duration_seconds", "Time from the step before to this one.", "guarantee", "step"),
	}
	for _, g := range guarantees { // all series are there from the start, at 0
		m.begun.WithLabelValues(g.String())
		m.done.WithLabelValues(g.String())
		m.released.WithLabelValues(g.String())
		m.duration.WithLabelValues(g.String())
		for _, r := range append(slices.Clone(reasons), otherReason) {
			m.failed.WithLabelValues(g.String(), string(r))
		}
		for _, s := range steps {
			m.step.WithLabelValues(g.String(), s.String())
		}
	}
	return m
}

func (m *Migrations) register(r *prometheus.Registry) {
	r.MustRegister(m.begun, m.done, m.released, m.failed, m.duration, m.step)
}

// Began implements mover.Observer.
func (m *Migrations) Began(g lock.Guarantee) { m.begun.WithLabelValues(known(g)).Inc() }

// Stepped implements mover.Observer.
func (m *Migrations) Stepped(g lock.Guarantee, step migrate.Step, took time.Duration) {
	if slices.Contains(steps, step) {
		m.step.WithLabelValues(known(g), step.String()).Observe(took.Seconds())
	}
}

// Done implements mover.Observer.
func (m *Migrations) Done(g lock.Guarantee, took time.Duration) {
	m.done.WithLabelValues(known(g)).Inc()
	if took > 0 {
		m.duration.WithLabelValues(known(g)).Observe(took.Seconds())
	}
}

// Failed implements mover.Observer.
func (m *Migrations) Failed(g lock.Guarantee, why lock.Reason) {
	if !slices.Contains(reasons, why) {
		why = otherReason
	}
	m.failed.WithLabelValues(known(g), string(why)).Inc()
}

// Released implements mover.Observer.
func (m *Migrations) Released(g lock.Guarantee) { m.released.WithLabelValues(known(g)).Inc() }

// known returns the name of a guarantee. No plan has a number beyond those that there
// are; one that had would promise the most.
func known(g lock.Guarantee) string { return min(g, lock.Substream).String() }
