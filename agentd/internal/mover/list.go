// SPDX-License-Identifier: Apache-2.0

package mover

import (
	"slices"
	"time"

	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/peer"
	"mbchain/proto"
)

// defaultList is what migration.proto promises for a limit of 0, and maxList for any.
const (
	defaultList = 100
	maxList     = 10_000
)

// List returns what becomes of the migrations that this host leads: the newest ones
// that r speaks of, and counts of all of them.
func (m *Mover) List(r *proto.ListMigrationsRequest) ([]*proto.Migration, *proto.MigrationCounts) {
	limit := int(min(r.GetLimit(), maxList))
	if limit == 0 {
		limit = defaultList
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var (
		list []*proto.Migration
		c    counter
	)
	for _, e := range slices.Backward(m.history.entries) {
		if !matches(e, r) {
			continue
		}
		c.add(e)
		if len(list) < limit {
			list = append(list, migrationOf(e))
		}
	}
	return list, c.counts()
}

func matches(e *entry, r *proto.ListMigrationsRequest) bool {
	return (r.GetJob() == 0 || e.job == r.GetJob()) &&
		(r.GetId() == 0 || e.id == lock.ID(r.GetId()).Try(0)) &&
		e.plan.Session.HasPrefix(r.GetSession()) &&
		(!r.GetUnfinished() || !e.over())
}

func migrationOf(e *entry) *proto.Migration {
	out := &proto.Migration{
		Id: uint64(e.id), Job: e.job, Plan: peer.EncodePlan(&e.plan), State: e.state,
		Tries: uint32(e.tries), Messages: e.messages, BeganUnixUs: e.began.UnixMicro(),
	}
	if e.why != (lock.Why{}) {
		out.Why = peer.EncodeWhy(e.why)
	}
	for _, s := range e.steps {
		step := &proto.MigrationStep{Name: s.step.String(), AtUs: uint64(max(s.at, 0).Microseconds())}
		if s.why != (lock.Why{}) {
			step.Why = peer.EncodeWhy(s.why)
		}
		out.Steps = append(out.Steps, step)
	}
	return out
}

// counter counts entries.
type counter struct {
	out         proto.MigrationCounts
	took        []time.Duration
	first, last time.Time
}

func (c *counter) add(e *entry) {
	switch {
	case e.state == stateQueued:
		c.out.Queued++
	case !e.over():
		c.out.Running++
	case e.state == stateDone:
		c.out.Done++
		c.took = append(c.took, e.took(e.ended))
	default:
		c.out.Failed++
	}
	if c.first.IsZero() || e.began.Before(c.first) {
		c.first = e.began
	}
	end := e.ended
	if end.IsZero() {
		end = time.Now()
	}
	if end.After(c.last) {
		c.last = end
	}
}

func (c *counter) counts() *proto.MigrationCounts {
	c.out.SpanUs = uint64(c.last.Sub(c.first).Microseconds())
	if n := len(c.took); n > 0 {
		slices.Sort(c.took)
		c.out.MedianUs = uint64(c.took[n/2].Microseconds())
		c.out.P99Us = uint64(c.took[(n*99-1)/100].Microseconds())
	}
	return &c.out
}
