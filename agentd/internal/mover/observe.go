// SPDX-License-Identifier: Apache-2.0

package mover

import (
	"time"

	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
)

// An Observer is told of the migrations that this host leads, and of packets that it
// held for any. It must not block.
type Observer interface {
	// Began: one was taken on, and may have to wait.
	Began(g lock.Guarantee)
	// Stepped: one has come so far, so long after the step before, or after it
	// left the queue.
	Stepped(g lock.Guarantee, step migrate.Step, took time.Duration)
	// Done: one has changed its session's chain, so long after it left the queue; 0:
	// nobody knows, for an agent before this one began it.
	Done(g lock.Guarantee, took time.Duration)
	// Failed: one has not, and all is as it was.
	Failed(g lock.Guarantee, why lock.Reason)
	// Released: packets held here, for a migration that this host need not lead, went
	// by the old path: their order is not promised.
	Released(g lock.Guarantee)
}

// observeBegin tells the observer of a new entry; mu held.
func (m *Mover) observeBegin(e *entry) {
	if m.config.Observer != nil {
		m.config.Observer.Began(e.plan.Guarantee)
	}
}

// observe tells the observer what is new of an entry; mu held. Of one that an agent
// before this one began only the end is told: nobody knows how long its steps took.
func (m *Mover) observe(e *entry) {
	o, g := m.config.Observer, e.plan.Guarantee
	if o == nil {
		return
	}
	for ; e.told < len(e.steps); e.told++ {
		var before time.Duration
		if e.told > 0 {
			before = e.steps[e.told-1].at
		}
		if s := e.steps[e.told]; !e.restored {
			o.Stepped(g, s.step, max(s.at-before, 0))
		}
	}
	if !e.over() || e.toldEnd {
		return
	}
	e.toldEnd = true
	switch {
	case e.state != stateDone:
		o.Failed(g, e.why.Reason)
	case e.restored:
		o.Done(g, 0)
	default:
		o.Done(g, e.took(e.ended))
	}
}

// observeRelease tells the observer that packets went by the old path.
func (m *Mover) observeRelease(g lock.Guarantee) {
	if m.config.Observer != nil {
		m.config.Observer.Released(g)
	}
}

// Load returns how many migrations wait here, how many are under way, and how many
// may be.
func (m *Mover) Load() (queued, running, window int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue), m.running, m.pace.size()
}
