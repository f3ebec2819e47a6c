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
	"mbchain/chain"
)

const (
	// routeTime is how long a ROUTE may have been lost with the connection by which it
	// went: that to an agent which has crashed is lost once somebody speaks to the next.
	routeTime = 5 * time.Second
	// maxRoutes is how many to one host are kept for that.
	maxRoutes = 512
)

// route is one that has gone.
type route struct {
	session chain.SessionID
	id      lock.ID
	at      time.Time
}

// keepRoute has a ROUTE said again if the connection to the host turns out to be lost.
func (m *Mover) keepRoute(to netip.Addr, r route) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := slices.DeleteFunc(m.routes[to], func(old route) bool { return r.at.Sub(old.at) > routeTime })
	m.routes[to] = append(kept[max(0, len(kept)-maxRoutes+1):], r)
}

// repeatRoutes says again, once, what went to a host lately; mu held.
func (m *Mover) repeatRoutes(to netip.Addr) {
	routes, ctx := m.routes[to], m.ctx
	delete(m.routes, to)
	for _, r := range routes {
		if !m.stopped && time.Since(r.at) <= routeTime {
			m.wg.Go(func() { m.sayRoute(ctx, r.session, r.id) })
		}
	}
}

// spread tells the host left of this one what is right of it now. It begins at the right
// anchor: what the left one knew when it made the plan may be old.
func (m *Mover) spread(ctx context.Context, session chain.SessionID, id lock.ID) {
	if to := m.sayRoute(ctx, session, id); to.IsValid() {
		m.keepRoute(to, route{session, id, time.Now()})
	}
}

// sayRoute says it, and returns to whom.
func (m *Mover) sayRoute(ctx context.Context, session chain.SessionID, id lock.ID) (to netip.Addr) {
	asking, cancel := within(ctx)
	s, err := m.module.LiveSession(asking, session)
	cancel()
	if err != nil || !s.Left.Source.Addr().IsValid() {
		return netip.Addr{} // over, or the first host
	}
	to = s.Left.Source.Addr()
	hops := append([]netip.Addr{s.Left.Destination.Addr()}, s.Hops...)
	m.send(ctx, id, migrate.Send{To: to, Message: migrate.Route{Session: session, Hops: hops}})
	return to
}

// follow takes the right neighbour's word for what is right of here, and passes it on.
func (m *Mover) follow(from []netip.Addr, id lock.ID, r migrate.Route) {
	m.mu.Lock()
	base := m.ctx
	m.mu.Unlock()
	ctx, cancel := within(base)
	defer cancel()
	s, err := m.module.LiveSession(ctx, r.Session)
	next := s.Right.Destination.Addr()
	if err == nil && (r.Hops[0] != next || !slices.Contains(from, next)) {
		err = errNotBeside
	}
	if err == nil {
		err = m.module.SetHops(ctx, r.Session, r.Hops)
	}
	if err == nil {
		m.spread(base, r.Session, id)
		return
	}
	if !errors.Is(err, kernel.ErrNoSession) {
		m.log.Warn("route of a session not taken", "session", r.Session, "peer", from, "error", err)
	}
}

var errNotBeside = errors.New("it comes from no neighbour")
