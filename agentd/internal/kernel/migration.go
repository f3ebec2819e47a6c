// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
	"mbchain/chain"
	"mbchain/genl"
)

// What the caller of an order about a live session may test an error for.
var (
	// ErrNoSession: the session, or its record of that migration, is not there.
	ErrNoSession = errors.New("no such session")
	// ErrBusy: it cannot take part now.
	ErrBusy = errors.New("session is busy")
)

// A MigrationRecord is what the module has of a migration.
type MigrationRecord struct {
	Session chain.SessionID
	ID      lock.ID
	Role    lock.Role
	Plan    []byte // as it was given to [Kernel.LockSession] or [Kernel.JoinLive]

	Installed bool            // the new path is there
	Right     chain.FiveTuple // subsession to the right on it
	Switched  bool            // an anchor's packets go by it
	Held      bool            // an anchor's packets wait
	Passed    [2]bool         // by migrate.Direction: a marker came

	AckReached, NewPathUsed, Overflow bool
}

// A MigrationEvent is about the sessions that migrate: exactly one of its fields is
// set.
type MigrationEvent struct {
	// Resync: what happened before this event is unknown, and
	// [Kernel.MigrationRecords] tells. The first event is one of these.
	Resync bool
	Over   chain.SessionID // a session has ended; maybe one that does not migrate
	Record MigrationRecord // what has happened so far; Session and ID say to which one
}

// A LiveSession is what a host has of a session.
type LiveSession struct {
	Super       chain.FiveTuple
	Left, Right chain.FiveTuple // subsessions; zero where there is none
	Hops        []netip.Addr    // hosts right of this one
}

// Here returns the host's address in it.
func (s LiveSession) Here() netip.Addr {
	if s.Left != (chain.FiveTuple{}) {
		return s.Left.Destination.Addr()
	}
	return s.Right.Source.Addr()
}

// WatchMigrations hands over what happens to sessions that migrate, one after the
// other, until ctx is done or something fails. A module that is loaded later needs
// another WatchMigrations.
func (k *Kernel) WatchMigrations(ctx context.Context, handle func(MigrationEvent)) error {
	client, err := k.dialledForSetups()
	if err != nil {
		return err
	}
	events, err := client.Subscribe()
	if err != nil {
		return classified(err)
	}
	defer func() { _ = events.Close() }()
	return follow(ctx, events, func() { handle(MigrationEvent{Resync: true}) }, func(e genl.Event) {
		switch e := e.(type) {
		case genl.SessionEnd:
			handle(MigrationEvent{Over: e.Session.ID})
		case genl.MigrationEvent:
			handle(MigrationEvent{Record: MigrationRecord{
				Session: e.Session, ID: lock.ID(e.Migration), Passed: passed(e.Passed),
				AckReached: e.AckReached, NewPathUsed: e.NewPathUsed, Overflow: e.Overflow,
			}})
		}
	})
}

func passed(w genl.Ways) (seen [2]bool) {
	seen[migrate.Rightward] = w&genl.Rightward != 0
	seen[migrate.Leftward] = w&genl.Leftward != 0
	return seen
}

var roleOf = map[genl.MigrationRole]lock.Role{
	genl.LeftAnchor: lock.LeftAnchor, genl.RightAnchor: lock.RightAnchor,
	genl.OldHost: lock.OldHost, genl.NewHost: lock.NewHost,
}

// MigrationRecords returns what the module has of all migrations.
func (k *Kernel) MigrationRecords(ctx context.Context) ([]MigrationRecord, error) {
	client, err := k.dialledForSetups()
	if err != nil {
		return nil, err
	}
	records, err := client.Migrations(ctx)
	if err != nil {
		return nil, classified(err)
	}
	out := make([]MigrationRecord, 0, len(records))
	for _, r := range records {
		out = append(out, MigrationRecord{
			Session: r.Session, ID: lock.ID(r.ID), Role: roleOf[r.Role], Plan: r.Plan,
			Installed: r.Installed, Right: r.Right, Switched: r.InUse == genl.PathNew, Held: r.Paused,
			Passed: passed(r.Passed), AckReached: r.AckReached, NewPathUsed: r.NewPathUsed,
		})
	}
	return out, nil
}

// LiveSession returns what the module has of a session. [ErrNoSession].
func (k *Kernel) LiveSession(ctx context.Context, id chain.SessionID) (LiveSession, error) {
	client, err := k.dialledFor(id)
	if err != nil {
		return LiveSession{}, err
	}
	s, err := client.Session(ctx, id)
	if err != nil {
		return LiveSession{}, moving(err)
	}
	out := LiveSession{Super: s.Super, Hops: s.Hops}
	if s.Left != nil {
		out.Left = s.Left.Tuple
	}
	if s.Right != nil {
		out.Right = s.Right.Tuple
	}
	return out, nil
}

// moving classifies the refusal of an order.
func moving(err error) error {
	switch {
	case errors.Is(err, genl.ErrNotFound):
		return kindError{err, ErrNoSession}
	case errors.Is(err, genl.ErrBusy), errors.Is(err, genl.ErrExists), errors.Is(err, genl.ErrAlready):
		return kindError{err, ErrBusy}
	}
	return classified(err)
}

// LockSession makes the module's record of a migration, with a plan that
// [Kernel.MigrationRecords] gives back; a marker waits here for so long at most.
// [ErrNoSession], [ErrBusy].
func (k *Kernel) LockSession(ctx context.Context, id chain.SessionID, migration lock.ID, role lock.Role, plan []byte, wait time.Duration) error {
	client, err := k.dialledFor(id)
	if err != nil {
		return err
	}
	r := genl.LockRequest{Session: id, ID: uint64(migration), Plan: plan, Wait: wait}
	switch role {
	case lock.LeftAnchor:
		r.Role = genl.LeftAnchor
	case lock.RightAnchor:
		r.Role = genl.RightAnchor
	default:
		r.Role = genl.OldHost
	}
	return moving(client.LockSession(ctx, r))
}

// OpenRight opens the new path at a left anchor, and returns the subsession to ask
// the new right neighbour for; hops are the hosts right of this one on it.
func (k *Kernel) OpenRight(ctx context.Context, id chain.SessionID, migration lock.ID, hops []netip.Addr) (chain.FiveTuple, error) {
	client, err := k.dialledFor(id)
	if err != nil {
		return chain.FiveTuple{}, err
	}
	s, err := client.BeginMigration(ctx, genl.MigrationRequest{Session: id, ID: uint64(migration), Hops: hops})
	return rightOf(s, err)
}

func rightOf(s *genl.Session, err error) (chain.FiveTuple, error) {
	switch {
	case err != nil:
		return chain.FiveTuple{}, moving(err)
	case s.Right == nil:
		return chain.FiveTuple{}, errors.New("the module says of no right subsession")
	}
	return s.Right.Tuple, nil
}

// OpenLeft opens it at a right anchor: wire is the subsession to the new left
// neighbour.
func (k *Kernel) OpenLeft(ctx context.Context, id chain.SessionID, migration lock.ID, wire chain.FiveTuple) error {
	client, err := k.dialledFor(id)
	if err != nil {
		return err
	}
	_, err = client.BeginMigration(ctx, genl.MigrationRequest{Session: id, ID: uint64(migration), Left: wire})
	return moving(err)
}

// A LiveJoin is a new host's part in a session that is under way.
type LiveJoin struct {
	ID        chain.SessionID
	Migration lock.ID
	Plan      []byte
	Super     chain.FiveTuple
	Left      chain.FiveTuple
	Hops      []netip.Addr // right of this one
}

// JoinLive makes the session and its record at a new host, and returns the subsession
// to the right. [ErrBusy] when the session is here already.
func (k *Kernel) JoinLive(ctx context.Context, j LiveJoin) (chain.FiveTuple, error) {
	client, err := k.dialledFor(j.ID)
	if err != nil {
		return chain.FiveTuple{}, err
	}
	return rightOf(client.NewSession(ctx, genl.SessionRequest{
		ID: j.ID, Super: j.Super, Left: j.Left, Hops: j.Hops, Live: true, Migration: uint64(j.Migration), Plan: j.Plan,
	}))
}

// maxPause is the longest that the module takes.
const maxPause = time.Minute

// A Pause says how long packets wait.
type Pause struct {
	Time       time.Duration
	Checkpoint bool // only bytes that were not seen yet
	Drop       bool // what is too much is dropped; else all goes by the old path
}

// Pause has what an anchor sends over the path that changes wait.
func (k *Kernel) Pause(ctx context.Context, id chain.SessionID, migration lock.ID, p Pause) error {
	client, err := k.dialledFor(id)
	if err != nil {
		return err
	}
	return moving(client.Pause(ctx, genl.PauseRequest{
		Session: id, ID: uint64(migration), Time: min(p.Time, maxPause), Checkpoint: p.Checkpoint, Drop: p.Drop,
	}))
}

// Mark sends the marker behind what an anchor has sent over the old path.
func (k *Kernel) Mark(ctx context.Context, id chain.SessionID, migration lock.ID) error {
	client, err := k.dialledFor(id)
	if err != nil {
		return err
	}
	return moving(client.Mark(ctx, id, uint64(migration)))
}

// SwitchPath has an anchor send over one of the two paths from now on. [ErrBusy] when
// the left one is to take the new path and what it held has gone by the old one.
func (k *Kernel) SwitchPath(ctx context.Context, id chain.SessionID, migration lock.ID, path lock.Path) error {
	client, err := k.dialledFor(id)
	if err != nil {
		return err
	}
	to := genl.PathOld
	if path == lock.NewPath {
		to = genl.PathNew
	}
	return moving(client.SwitchPath(ctx, id, uint64(migration), to))
}

// EndMigration removes the record, and with it the path that an anchor does not use;
// gone: at a host that was on that path alone, soon the session, too.
func (k *Kernel) EndMigration(ctx context.Context, id chain.SessionID, migration lock.ID, gone bool) error {
	client, err := k.dialledFor(id)
	if err != nil {
		return err
	}
	return moving(client.EndMigration(ctx, id, uint64(migration), gone))
}

// SetHops says which hosts are right of this one, for others to read.
func (k *Kernel) SetHops(ctx context.Context, id chain.SessionID, hops []netip.Addr) error {
	client, err := k.dialledFor(id)
	if err != nil {
		return err
	}
	return moving(client.SetHops(ctx, id, hops))
}
