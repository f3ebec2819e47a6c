// SPDX-License-Identifier: Apache-2.0

package mover

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
)

const (
	// maxSends is how many messages to one host may be under way. More are dropped, as
	// if the network had lost them.
	maxSends = 512
	// sendTime is how long one may take.
	sendTime = 5 * time.Second
)

// sender bounds what is under way.
type sender struct {
	mu       sync.Mutex
	underWay map[netip.Addr]int
}

func (s *sender) begin(to netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.underWay[to] >= maxSends {
		return false
	}
	s.underWay[to]++
	return true
}

func (s *sender) end(to netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.underWay[to]--; s.underWay[to] == 0 {
		delete(s.underWay, to)
	}
}

// send says something to another host, without waiting for it.
func (m *Mover) send(ctx context.Context, id lock.ID, a migrate.Send) {
	if !m.sends.begin(a.To) {
		m.log.Debug("message of a migration dropped", "migration", id, "peer", a.To, "message", a.Message)
		return
	}
	m.wg.Go(func() {
		defer m.sends.end(a.To)
		ctx, cancel := context.WithTimeout(ctx, sendTime)
		defer cancel()
		m.count(id)
		err := m.config.Tell(ctx, a.To, id, a.Message)
		if err == nil || ctx.Err() != nil && context.Cause(ctx) == context.Canceled {
			return
		}
		m.log.Debug("message of a migration not sent", "migration", id, "peer", a.To, "message", a.Message, "error", err)
		m.Lost(a.To)
	})
}

// reach has connections opened to those that this host will speak to, while others are
// still being locked; mu held.
func (m *Mover) reach(plan *lock.Plan) {
	if m.stopped {
		return
	}
	ctx := m.ctx
	for _, host := range m.host.Correspondents(plan) {
		if !m.sends.begin(host) {
			continue
		}
		m.wg.Go(func() {
			defer m.sends.end(host)
			ctx, cancel := context.WithTimeout(ctx, sendTime)
			defer cancel()
			_ = m.config.Reach(ctx, host) // who is to be told something says so
		})
	}
}
