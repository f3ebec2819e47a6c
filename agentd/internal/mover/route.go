// SPDX-License-Identifier: Apache-2.0

package mover

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
	"mbchain/chain"
)

// spread tells the host left of this one what is right of it now. It begins at the right
// anchor: what the left one knew when it made the plan may be old.
func (m *Mover) spread(ctx context.Context, session chain.SessionID, id lock.ID) {
	asking, cancel := within(ctx)
	s, err := m.module.LiveSession(asking, session)
	cancel()
	if err != nil || !s.Left.Source.Addr().IsValid() {
		return // over, or the first host
	}
	hops := append([]netip.Addr{s.Left.Destination.Addr()}, s.Hops...)
	m.send(ctx, id, migrate.Send{To: s.Left.Source.Addr(), Message: migrate.Route{Session: session, Hops: hops}})
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
