// SPDX-License-Identifier: Apache-2.0

package mover

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
	"mbchain/agentd/internal/peer"
	"mbchain/chain"
)

// holdSlack is how much longer than the plan's patience the module keeps packets: by
// then the agent has decided, unless it is gone.
const holdSlack = 500 * time.Millisecond

// markerShare is the part of a plan's patience for which a marker waits at a host for what
// should have gone before it. It waits in vain where the NF drops that, or the network.
const markerShare = 20

// perform carries one order out. It blocks for as long as the module needs.
func (m *Mover) perform(ctx context.Context, o migrate.Order) {
	switch a := o.Action.(type) {
	case migrate.Send:
		m.send(ctx, o.ID, a)
	case migrate.Report:
		m.report(o, a)
	case confirm:
		m.confirm(ctx, o.Session)
	case lock.Lock:
		m.answer(o, m.lock(ctx, o, a))
	case lock.Unlock:
		m.end(ctx, o, false)
		if o.Role() == lock.RightAnchor {
			m.spread(ctx, o.Session, o.ID)
		}
	case migrate.Install:
		m.answer(o, m.install(ctx, o, a))
	case migrate.Hold:
		m.hold(ctx, o, a)
	case migrate.SendMarker:
		m.order(ctx, o, func(ctx context.Context) error { return m.module.Mark(ctx, o.Session, o.ID) })
	case migrate.Switch:
		m.switchPath(ctx, o, a)
	case migrate.Remove:
		m.remove(ctx, o)
	case migrate.ExportState:
		m.beside(ctx, o, func(ctx context.Context) migrate.Event { return m.export(ctx, o, a) })
	case migrate.ImportState:
		m.beside(ctx, o, func(ctx context.Context) migrate.Event { return m.importState(ctx, o, a) })
	}
}

func (m *Mover) answer(o migrate.Order, e migrate.Event) { m.event(o.ID, e) }

// order is for what the module does unless the session is gone, and then the session
// is over.
func (m *Mover) order(ctx context.Context, o migrate.Order, call func(context.Context) error) {
	ctx, cancel := within(ctx)
	defer cancel()
	err := call(ctx)
	switch {
	case err == nil:
	case errors.Is(err, kernel.ErrAbsent):
		m.over(o.Session)
	case errors.Is(err, kernel.ErrNoSession):
		// Or its record alone: an order that comes twice finds none.
		m.confirm(ctx, o.Session)
	default:
		m.log.Warn("module not told", "session", o.Session, "migration", o.ID, "order", o.Action, "error", err)
	}
}

// end gives up the record, and with leave the session, too: see [Module].
func (m *Mover) end(ctx context.Context, o migrate.Order, leave bool) {
	m.order(ctx, o, func(ctx context.Context) error {
		return m.module.EndMigration(ctx, o.Session, o.ID, leave)
	})
}

// confirm asks the module whether a session is over, which all are that a module had
// which is gone.
func (m *Mover) confirm(ctx context.Context, session chain.SessionID) {
	ctx, cancel := within(ctx)
	defer cancel()
	if _, err := m.module.LiveSession(ctx, session); errors.Is(err, kernel.ErrNoSession) || errors.Is(err, kernel.ErrAbsent) {
		m.over(session)
	}
}

// switchPath has an anchor take a path. The left one's order to take the new one is
// repeated until the module says whether it did, for that decides the migration.
func (m *Mover) switchPath(ctx context.Context, o migrate.Order, a migrate.Switch) {
	call := func(ctx context.Context) error { return m.module.SwitchPath(ctx, o.Session, o.ID, a.Path) }
	if o.Role() != lock.LeftAnchor || a.Path != lock.NewPath {
		m.order(ctx, o, call)
		return
	}
	for ctx.Err() == nil {
		var err error
		m.order(ctx, o, func(ctx context.Context) error {
			if err = call(ctx); errors.Is(err, kernel.ErrBusy) {
				return nil // an answer like any other
			}
			return err
		})
		switch {
		case err == nil:
			m.answer(o, migrate.NewPathTaken{})
			return
		case errors.Is(err, kernel.ErrBusy):
			m.answer(o, migrate.Failed{Reason: lock.Overflowed})
			return
		case errors.Is(err, kernel.ErrNoSession), errors.Is(err, kernel.ErrAbsent):
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(migrate.RepeatTime):
		}
	}
}

// lock makes the record, and looks whether the session's neighbours are those of the
// plan once they cannot change any more.
func (m *Mover) lock(ctx context.Context, o migrate.Order, a lock.Lock) migrate.Event {
	ctx, cancel := within(ctx)
	defer cancel()
	plan, err := peer.MarshalPlan(a.Plan)
	if err == nil {
		err = m.module.LockSession(ctx, o.Session, o.ID, a.Role, plan, a.Plan.Patience/markerShare)
	}
	switch {
	case errors.Is(err, kernel.ErrNoSession):
		return lock.NotLocked{Reason: lock.NoSession}
	case errors.Is(err, kernel.ErrBusy):
		return lock.NotLocked{Reason: lock.Busy}
	case err != nil:
		m.log.Warn("session not locked", "session", o.Session, "migration", o.ID, "error", err)
		m.end(ctx, o, false) // nobody knows whether it was
		return lock.NotLocked{Reason: failure(err)}
	}
	s, err := m.module.LiveSession(ctx, o.Session)
	if err == nil && stands(s, a.Plan, o.Role()) {
		return lock.Locked{}
	}
	m.end(ctx, o, false)
	switch {
	case err == nil:
		return lock.NotLocked{Reason: lock.PathChanged}
	case errors.Is(err, kernel.ErrNoSession):
		return lock.NotLocked{Reason: lock.NoSession}
	}
	return lock.NotLocked{Reason: failure(err)}
}

// stands reports whether the session's neighbours are those that its plan has for a
// host in this role.
func stands(s kernel.LiveSession, plan *lock.Plan, role lock.Role) bool {
	if s.Super != plan.Super {
		return false
	}
	here := s.Here()
	left, right := plan.Beside(lock.OldPath, here)
	if plan.Role(here) != role {
		return false
	}
	return (!left.IsValid() || s.Left.Source.Addr() == left) &&
		(!right.IsValid() || s.Right.Destination.Addr() == right)
}

func (m *Mover) install(ctx context.Context, o migrate.Order, a migrate.Install) migrate.Event {
	var (
		wire chain.FiveTuple
		err  error
	)
	asking, cancel := within(ctx)
	defer cancel()
	switch a.Role {
	case lock.LeftAnchor:
		wire, err = m.module.OpenRight(asking, o.Session, o.ID, slices.Concat(a.Plan.New, rest(a.Plan)))
	case lock.RightAnchor:
		if !fits(a, a.Plan.Right) {
			return migrate.Failed{Reason: lock.PathChanged}
		}
		err = m.module.OpenLeft(asking, o.Session, o.ID, a.Wire)
	default:
		wire, err = m.join(asking, o, a)
	}
	switch {
	case err == nil:
		return migrate.Installed{Wire: wire}
	case errors.Is(err, kernel.ErrBusy):
		return migrate.Failed{Reason: lock.Busy}
	case errors.Is(err, kernel.ErrNoSession):
		return migrate.Failed{Reason: lock.NoSession}
	}
	m.log.Warn("new path not opened", "session", o.Session, "migration", o.ID, "error", err)
	if a.Role == lock.NewHost {
		// Nobody knows whether it was, and the machine has nothing to give up.
		m.end(ctx, o, true)
	}
	return migrate.Failed{Reason: failure(err)}
}

// failure is why a module that returned err, and did not do as it was told, failed. One that
// is slow may be quicker the next time.
func failure(err error) lock.Reason {
	if errors.Is(err, context.DeadlineExceeded) {
		return lock.NoAnswer
	}
	return lock.ModuleFailed
}

// rest are the right anchor and what is right of it.
func rest(plan *lock.Plan) []netip.Addr {
	return append([]netip.Addr{plan.Right}, plan.Beyond...)
}

// fits reports whether the subsession from the left comes from the plan's neighbour
// and to this host.
func fits(a migrate.Install, here netip.Addr) bool {
	left, _ := a.Plan.Beside(lock.NewPath, here)
	return a.Wire.Source.Addr() == left && a.Wire.Destination.Addr() == here
}

// join makes the session at a new host.
func (m *Mover) join(ctx context.Context, o migrate.Order, a migrate.Install) (chain.FiveTuple, error) {
	here := a.Wire.Destination.Addr()
	i := slices.Index(a.Plan.New, here)
	if i < 0 || !fits(a, here) {
		return chain.FiveTuple{}, kernel.ErrNoSession
	}
	plan, err := peer.MarshalPlan(a.Plan)
	if err != nil {
		return chain.FiveTuple{}, err
	}
	return m.module.JoinLive(ctx, kernel.LiveJoin{
		ID: o.Session, Migration: o.ID, Plan: plan, Super: a.Plan.Super, Left: a.Wire,
		Hops: slices.Concat(a.Plan.New[i+1:], rest(a.Plan)),
	})
}

func (m *Mover) hold(ctx context.Context, o migrate.Order, a migrate.Hold) {
	ctx, cancel := within(ctx)
	defer cancel()
	err := m.module.Pause(ctx, o.Session, o.ID, kernel.Pause{
		Time: o.Plan.Patience + holdSlack, Checkpoint: a.Checkpoint, Drop: o.Plan.Drop,
	})
	if err == nil {
		return
	}
	m.log.Warn("packets not held", "session", o.Session, "migration", o.ID, "error", err)
	m.answer(o, migrate.Failed{Reason: failure(err)})
}

// remove gives up a path. An anchor's module does that with the record; a host that was
// on that path alone has the session for a second more.
func (m *Mover) remove(ctx context.Context, o migrate.Order) {
	if o.Role() != lock.OldHost && o.Role() != lock.NewHost {
		return
	}
	m.dropState(ctx, o)
	m.end(ctx, o, true)
}
