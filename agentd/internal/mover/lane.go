// SPDX-License-Identifier: Apache-2.0

package mover

import (
	"context"

	"mbchain/agentd/internal/migrate"
	"mbchain/chain"
)

// A lane is the orders about one session, which are carried out one after the other.
type lane struct {
	orders []migrate.Order
}

// dispatch has orders carried out; mu held.
func (m *Mover) dispatch(orders []migrate.Order) {
	if m.stopped {
		return
	}
	m.rearm()
	for _, o := range orders {
		if o.Plan == nil { // an answer, about no session that is known here
			m.perform(m.ctx, o)
			continue
		}
		m.enqueue(o)
	}
}

// enqueue puts an order into its session's lane; mu held.
func (m *Mover) enqueue(o migrate.Order) {
	l := m.lanes[o.Session]
	if l == nil {
		l = new(lane)
		m.lanes[o.Session] = l
		m.wg.Go(func() { m.drive(o.Session, l) })
	}
	l.orders = append(l.orders, o)
}

// confirm is an order of the mover's own: see whether the session is over.
type confirm struct{}

func (confirm) String() string { return "confirm the end" }

// ended is told by the module that a session is over. A host that it has left a moment ago
// may be on its path again, or about to be, and what is over is what was there before. So
// the module is asked, behind all that it was ordered before.
func (m *Mover) ended(session chain.SessionID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.stopped && m.host.Has(session) {
		m.enqueue(migrate.Order{Session: session, Action: confirm{}})
	}
}

// drive carries out what is in a lane until it is empty.
func (m *Mover) drive(session chain.SessionID, l *lane) {
	for {
		m.mu.Lock()
		if len(l.orders) == 0 {
			delete(m.lanes, session)
			m.mu.Unlock()
			return
		}
		o, ctx := l.orders[0], m.ctx
		l.orders = l.orders[1:]
		m.mu.Unlock()
		m.perform(ctx, o)
	}
}

// within gives an order time even when the agent is to stop: half a migration would
// wait for the next agent.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), moduleTime)
}
