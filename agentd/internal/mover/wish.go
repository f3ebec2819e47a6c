// SPDX-License-Identifier: Apache-2.0

package mover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
)

// maxQueued bounds how many migrations may wait.
const maxQueued = 100_000

// What [Mover.Start] may refuse.
var (
	ErrTooMany = errors.New("too many migrations wait already")
	ErrKnown   = errors.New("a migration of this id is known already")
)

// Start takes wishes of one job, all or none: plans of which this host is the left
// anchor. The ids are random, and their lowest four bits 0. [Mover.List] tells what
// becomes of them.
func (m *Mover) Start(job uint64, plans []*lock.Plan) error {
	if err := m.readAddresses(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.queue)+len(plans) > maxQueued {
		return fmt.Errorf("%w: %d", ErrTooMany, len(m.queue))
	}
	for i, p := range plans {
		known := slices.ContainsFunc(plans[:i], func(o *lock.Plan) bool { return o.ID == p.ID })
		switch {
		case known || m.history.of(p.ID) != nil:
			return fmt.Errorf("%w: %v", ErrKnown, p.ID)
		case p.ID != p.ID.Try(0):
			return fmt.Errorf("id %v: its lowest four bits are not 0", p.ID)
		}
	}
	now := time.Now()
	for _, p := range plans {
		e := &entry{id: p.ID, job: job, plan: *p, state: stateQueued, began: now}
		m.history.add(e)
		m.observeBegin(e)
		m.queue = append(m.queue, e)
	}
	m.advance()
	return nil
}

// advance begins what may begin; mu held.
func (m *Mover) advance() {
	for m.pace.room(m.running) && len(m.queue) > 0 && !m.stopped {
		e := m.queue[0]
		m.queue = m.queue[1:]
		m.running++
		e.state, e.began, e.tries = stateLocking, time.Now(), 1
		ctx := m.ctx
		m.wg.Go(func() { m.begin(ctx, e) })
	}
}

// begin asks the module what the plan lacks, and has the host want it.
func (m *Mover) begin(ctx context.Context, e *entry) {
	ctx, cancel := within(ctx)
	defer cancel()
	plan := e.plan
	s, err := m.module.LiveSession(ctx, plan.Session)
	reason := lock.ModuleFailed
	switch {
	case errors.Is(err, kernel.ErrNoSession):
		reason = lock.NoSession
	case err != nil:
		m.log.Warn("session not read", "session", plan.Session, "error", err)
	case s.Super != plan.Super:
		reason = lock.NoSession
	default:
		reason = ""
		if i := slices.Index(s.Hops, plan.Right); i >= 0 {
			plan.Beyond = slices.Clone(s.Hops[i+1:])
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.cancelled {
		reason = lock.Cancelled
	}
	if reason == "" {
		var orders []migrate.Order
		if orders, err = m.host.Want(plan, time.Now()); err == nil {
			e.plan = plan
			m.dispatch(orders)
			m.reach(&plan)
			return
		}
		m.log.Warn("migration not begun", "session", plan.Session, "migration", plan.ID, "error", err)
		reason = lock.PathChanged
	}
	m.finish(e.id, migrate.Report{Step: migrate.StepFailed, Why: lock.Why{Reason: reason, Host: plan.Left}})
}

// finish takes a step down, and lets the next one begin if it was the last; mu held.
func (m *Mover) finish(id lock.ID, r migrate.Report) {
	e, over := m.history.note(id, r, time.Now())
	if e == nil {
		return
	}
	m.observe(e)
	e.tries = max(e.tries, int(id^id.Try(0))+1)
	switch r.Step {
	case migrate.StepDone:
		m.pace.done()
	case migrate.StepAborted, migrate.StepFailed:
		m.pace.failed(r.Why.Reason, time.Now())
	}
	if over && !e.restored {
		m.running--
		m.advance()
	}
}

// report takes note of a step.
func (m *Mover) report(o migrate.Order, r migrate.Report) {
	m.log.Debug("migration", "session", o.Session, "migration", o.ID, "step", r.Step, "role", o.Role())
	if r.Step == migrate.StepReleased {
		m.observeRelease(o.Plan.Guarantee)
		m.log.Warn("packets went by the old path: order is not promised", "session", o.Session, "migration", o.ID)
	}
	if o.Role() != lock.LeftAnchor {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.finish(o.ID, r)
}

// count notes that a message goes out.
func (m *Mover) count(id lock.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.history.count(id)
}

// Abort gives up all migrations of a job, or one. It returns how many, and how many
// cannot be given up any more.
func (m *Mover) Abort(job uint64, id lock.ID) (aborted, late int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range slices.Clone(m.history.entries) {
		switch {
		case job != 0 && e.job != job, id != 0 && e.id != id.Try(0):
		case e.over() || e.committed():
			late++
		default:
			aborted++
			m.withdraw(e)
		}
	}
	return aborted, late
}

// withdraw gives up one that is not committed; mu held.
func (m *Mover) withdraw(e *entry) {
	if i := slices.Index(m.queue, e); i >= 0 {
		m.queue = slices.Delete(m.queue, i, i+1)
		e.steps = append(e.steps, stepAt{step: migrate.StepFailed, why: lock.Why{Reason: lock.Cancelled, Host: e.plan.Left}})
		e.why = lock.Why{Reason: lock.Cancelled, Host: e.plan.Left}
		e.end(stateFailed, time.Now())
		m.observe(e)
		return
	}
	e.cancelled = true // for begin, if it has not come so far
	m.dispatch(m.host.Withdraw(e.id, time.Now()))
}
