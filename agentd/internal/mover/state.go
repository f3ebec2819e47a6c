// SPDX-License-Identifier: Apache-2.0

package mover

import (
	"context"
	"time"

	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
)

// beside does what an NF may take its time for, and then answers. What is asked for again
// meanwhile is under way.
func (m *Mover) beside(ctx context.Context, o migrate.Order, do func(context.Context) migrate.Event) {
	m.mu.Lock()
	busy := m.beyond[o.ID]
	m.beyond[o.ID] = true
	m.mu.Unlock()
	if busy {
		return
	}
	m.wg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, o.Plan.Patience)
		defer cancel()
		e := do(ctx)
		m.mu.Lock()
		delete(m.beyond, o.ID)
		m.mu.Unlock()
		m.answer(o, e)
	})
}

func (m *Mover) export(ctx context.Context, o migrate.Order, a migrate.ExportState) migrate.Event {
	data, err := m.config.State.Export(ctx, a.Method, o.Plan.Super)
	if err != nil {
		m.log.Warn("state of the NF not exported", "session", o.Session, "migration", o.ID, "method", a.Method, "error", err)
		return migrate.Failed{Reason: lock.NFState}
	}
	return migrate.Exported{Data: data}
}

func (m *Mover) importState(ctx context.Context, o migrate.Order, a migrate.ImportState) migrate.Event {
	if err := m.config.State.Import(ctx, a.Method, o.Plan.Super, a.Data); err != nil {
		m.log.Warn("state of the NF not imported", "session", o.Session, "migration", o.ID, "method", a.Method, "error", err)
		return migrate.Failed{Reason: lock.NFState}
	}
	return migrate.Imported{}
}

// dropTime is how long the NF of a host that has left the path keeps its state, for what
// is late: a little less than the module has the session.
const dropTime = 900 * time.Millisecond

// dropState has the NF of a host that leaves the path forget its state soon, unless the
// session is back by then.
func (m *Mover) dropState(ctx context.Context, o migrate.Order) {
	if len(o.Plan.State) == 0 {
		return
	}
	m.wg.Go(func() {
		select {
		case <-time.After(dropTime):
		case <-ctx.Done():
		}
		m.mu.Lock()
		back := m.host.Has(o.Session)
		m.mu.Unlock()
		if !back {
			m.dropNow(ctx, o)
		}
	})
}

// dropNow gives the NF as much time as the migration had; less when the agent is to stop.
func (m *Mover) dropNow(ctx context.Context, o migrate.Order) {
	patience := max(o.Plan.Patience, moduleTime)
	if ctx.Err() != nil {
		patience = moduleTime
	}
	for _, pair := range o.Plan.State {
		mine := o.Role() == lock.OldHost && o.Here == pair.From || o.Role() == lock.NewHost && o.Here == pair.To
		if !mine {
			continue
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if err := m.config.State.Drop(ctx, pair.Method, o.Plan.Super); err != nil {
			m.log.Warn("state of the NF not dropped", "session", o.Session, "migration", o.ID, "method", pair.Method, "error", err)
		}
	}
}
