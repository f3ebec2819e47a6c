// SPDX-License-Identifier: Apache-2.0

package agenttest

import (
	"context"
	"net/netip"
	"time"

	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/lock"
	"mbchain/chain"
)

// A Module has no session that migrates: it tells of none, and knows none.

// WatchMigrations implements mover.Module.
func (m *Module) WatchMigrations(ctx context.Context, handle func(kernel.MigrationEvent)) error {
	m.mu.Lock()
	absent := m.absent
	m.mu.Unlock()
	if absent {
		return kernel.ErrAbsent
	}
	handle(kernel.MigrationEvent{Resync: true})
	<-ctx.Done()
	return ctx.Err()
}

// MigrationRecords implements mover.Module.
func (m *Module) MigrationRecords(context.Context) ([]kernel.MigrationRecord, error) { return nil, nil }

// LiveSession implements mover.Module.
func (m *Module) LiveSession(context.Context, chain.SessionID) (kernel.LiveSession, error) {
	return kernel.LiveSession{}, kernel.ErrNoSession
}

// LockSession implements mover.Module.
func (m *Module) LockSession(context.Context, chain.SessionID, lock.ID, lock.Role, []byte, time.Duration) error {
	return kernel.ErrNoSession
}

// OpenRight implements mover.Module.
func (m *Module) OpenRight(context.Context, chain.SessionID, lock.ID, []netip.Addr) (chain.FiveTuple, error) {
	return chain.FiveTuple{}, kernel.ErrNoSession
}

// OpenLeft implements mover.Module.
func (m *Module) OpenLeft(context.Context, chain.SessionID, lock.ID, chain.FiveTuple) error {
	return kernel.ErrNoSession
}

// JoinLive implements mover.Module.
func (m *Module) JoinLive(context.Context, kernel.LiveJoin) (chain.FiveTuple, error) {
	return chain.FiveTuple{}, kernel.ErrBusy
}

// Pause implements mover.Module.
func (m *Module) Pause(context.Context, chain.SessionID, lock.ID, kernel.Pause) error {
	return kernel.ErrNoSession
}

// Mark implements mover.Module.
func (m *Module) Mark(context.Context, chain.SessionID, lock.ID) error { return kernel.ErrNoSession }

// SwitchPath implements mover.Module.
func (m *Module) SwitchPath(context.Context, chain.SessionID, lock.ID, lock.Path) error {
	return kernel.ErrNoSession
}

// EndMigration implements mover.Module.
func (m *Module) EndMigration(context.Context, chain.SessionID, lock.ID, bool) error {
	return kernel.ErrNoSession
}

// SetHops implements mover.Module.
func (m *Module) SetHops(context.Context, chain.SessionID, []netip.Addr) error {
	return kernel.ErrNoSession
}
