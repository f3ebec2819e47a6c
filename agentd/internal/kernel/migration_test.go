// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/genlfake"
)

const moved lock.ID = 0x1230

// liveSession is one that may migrate.
func liveSession(first byte) genl.Session {
	s := middle(first)
	s.State, s.Setup = chain.StateEstablished, chain.SetupInBand
	return s
}

func TestLeftAnchorMoves(t *testing.T) {
	k, module := start(t)
	ctx := t.Context()
	s := liveSession(1)
	module.AddSession(s)
	got, err := k.LiveSession(ctx, s.ID)
	want := LiveSession{Super: s.Super, Left: s.Left.Tuple, Right: s.Right.Tuple, Hops: s.Hops}
	if diff := cmp.Diff(want, got, compareNet); diff != "" || err != nil {
		t.Errorf("session (-want +got), error %v:\n%s", err, diff)
	}
	if here := got.Here(); here != s.Left.Tuple.Destination.Addr() {
		t.Errorf("the host is %v", here)
	}
	plan := []byte("plan")
	if err := k.LockSession(ctx, s.ID, moved, lock.LeftAnchor, plan, time.Second); err != nil {
		t.Fatal(err)
	}
	if err := k.LockSession(ctx, s.ID, moved+1, lock.OldHost, plan, time.Second); !errors.Is(err, ErrBusy) {
		t.Errorf("lock again: error %v, want %v", err, ErrBusy)
	}
	hops := []netip.Addr{netip.MustParseAddr("10.0.0.9"), s.Hops[len(s.Hops)-1]}
	wire, err := k.OpenRight(ctx, s.ID, moved, hops)
	if err != nil || wire.Destination.Addr() != hops[0] {
		t.Errorf("subsession to the right is %v, error %v", wire, err)
	}
	wantRecord := func(want MigrationRecord) {
		t.Helper()
		want.Session, want.ID, want.Role, want.Plan, want.Installed, want.Right = s.ID, moved, lock.LeftAnchor, plan, true, wire
		got, err := k.MigrationRecords(ctx)
		if diff := cmp.Diff([]MigrationRecord{want}, got, compareNet); diff != "" || err != nil {
			t.Errorf("records (-want +got), error %v:\n%s", err, diff)
		}
	}
	wantRecord(MigrationRecord{})
	for name, order := range map[string]func() error{
		"pause": func() error { return k.Pause(ctx, s.ID, moved, Pause{Time: time.Hour}) },
		"mark":  func() error { return k.Mark(ctx, s.ID, moved) },
	} {
		if err := order(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	module.Happen(genl.MigrationEvent{Session: s.ID, Migration: uint64(moved), Passed: genl.Leftward})
	wantRecord(MigrationRecord{Held: true, Passed: [2]bool{migrate.Leftward: true}})
	if err := k.SwitchPath(ctx, s.ID, moved, lock.NewPath); err != nil {
		t.Fatal(err)
	}
	wantRecord(MigrationRecord{Switched: true, Passed: [2]bool{migrate.Leftward: true}})
	if err := k.EndMigration(ctx, s.ID, moved, false); err != nil {
		t.Fatal(err)
	}
	if got, err := k.LiveSession(ctx, s.ID); err != nil || got.Right != wire {
		t.Errorf("session afterwards: %v, %v", got, err)
	}
	if err := k.EndMigration(ctx, s.ID, moved, false); !errors.Is(err, ErrNoSession) {
		t.Errorf("end again: error %v, want %v", err, ErrNoSession)
	}
	if err := k.SetHops(ctx, s.ID, hops[:1]); err != nil {
		t.Fatal(err)
	}
	if got, _ := k.LiveSession(ctx, s.ID); len(got.Hops) != 1 {
		t.Errorf("hops are %v", got.Hops)
	}
	if _, err := k.LiveSession(ctx, chain.SessionID{9}); !errors.Is(err, ErrNoSession) {
		t.Errorf("unknown session: error %v, want %v", err, ErrNoSession)
	}
}

func TestOtherHostsMove(t *testing.T) {
	k, module := start(t)
	ctx := t.Context()
	right, old, fresh := liveSession(1), liveSession(2), liveSession(3)
	module.AddSession(right)
	module.AddSession(old)
	for id, role := range map[chain.SessionID]lock.Role{right.ID: lock.RightAnchor, old.ID: lock.OldHost} {
		if err := k.LockSession(ctx, id, moved, role, []byte("plan"), time.Second); err != nil {
			t.Fatal(err)
		}
	}
	wire := right.Left.Tuple
	wire.Source = netip.MustParseAddrPort("10.0.0.8:61000")
	if err := k.OpenLeft(ctx, right.ID, moved, wire); err != nil {
		t.Error(err)
	}
	join := LiveJoin{ID: fresh.ID, Migration: moved, Plan: []byte("plan"), Super: fresh.Super, Left: fresh.Left.Tuple, Hops: fresh.Hops}
	join.Left.Source = netip.MustParseAddrPort("10.0.0.7:61000")
	first, err := k.JoinLive(ctx, join)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := k.JoinLive(ctx, join); again != first || err != nil {
		t.Errorf("join again: %v, %v, want %v", again, err, first)
	}
	join.Migration++
	if _, err := k.JoinLive(ctx, join); !errors.Is(err, ErrBusy) {
		t.Errorf("join by another migration: error %v, want %v", err, ErrBusy)
	}
	for id, gone := range map[chain.SessionID]bool{right.ID: false, old.ID: true, fresh.ID: false} {
		if err := k.EndMigration(ctx, id, moved, gone); err != nil {
			t.Error(err)
		}
	}
	if left, _, err := k.Sessions(ctx, nil, 0); err != nil || len(left) != 2 {
		t.Errorf("%d sessions afterwards, error %v, want the two that stay", len(left), err)
	}
	if err := k.LockSession(ctx, old.ID, moved+16, lock.OldHost, []byte("plan"), time.Second); !errors.Is(err, ErrBusy) {
		t.Errorf("lock what leaves: error %v, want %v", err, ErrBusy)
	}
	module.Refuse(genlfake.LockSession, syscall.EPERM, "")
	if err := k.LockSession(ctx, right.ID, moved, lock.OldHost, []byte("plan"), time.Second); err == nil || errors.Is(err, ErrBusy) {
		t.Errorf("refused for another reason: %v", err)
	}
}

func TestWatchMigrations(t *testing.T) {
	k, module := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan MigrationEvent)
	ended := make(chan error, 1)
	go func() { ended <- k.WatchMigrations(ctx, func(e MigrationEvent) { events <- e }) }()
	want := func(want MigrationEvent) {
		t.Helper()
		if diff := cmp.Diff(want, <-events, compareNet); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
	}
	want(MigrationEvent{Resync: true})
	s := liveSession(1)
	module.AddSession(s)
	if err := k.LockSession(ctx, s.ID, moved, lock.OldHost, []byte("plan"), time.Second); err != nil {
		t.Fatal(err)
	}
	module.Happen(genl.MigrationEvent{Session: s.ID, Migration: uint64(moved), Passed: genl.BothWays, Overflow: true})
	want(MigrationEvent{Record: MigrationRecord{Session: s.ID, ID: moved, Passed: [2]bool{true, true}, Overflow: true}})
	module.LoseEvents()
	want(MigrationEvent{Resync: true})
	module.EndSession(s.ID, genl.ReasonNone)
	want(MigrationEvent{Over: s.ID})
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("watch: %v, want canceled", err)
	}
}
