// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/genlfake"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestMigration(t *testing.T) {
	conformMigration(t, newClient(t, genlfake.New().Dial))
}

func TestModuleMigration(t *testing.T) {
	newNamespace(t)
	client := newClient(t, genl.Dial)
	clientHost(t, client)
	conformMigration(t, client)
}

// conformMigration changes the path of one session on both sides.
func conformMigration(t *testing.T, client *genl.Client) {
	ctx := t.Context()
	r := genl.SessionRequest{
		ID:    chain.SessionID{1},
		Super: tuple("10.0.0.9:40000 > 10.0.0.4:80 tcp"),
		Left:  tuple("10.0.0.9:50001 > 10.0.0.1:50002 tcp"),
		Hops:  []netip.Addr{addr4(2), addr4(4)},
		Live:  true,
	}
	old, err := client.NewSession(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if old.Setup != chain.SetupDone || old.State != chain.StateEstablished {
		t.Errorf("session is %v and %v, want out-of-band and established", old.Setup, old.State)
	}
	same := func(what string, want, got *genl.Session) {
		t.Helper()
		if diff := cmp.Diff(want, got, equateAddrs, cmpopts.IgnoreFields(genl.Session{}, "Age", "Idle")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	now := func() *genl.Session {
		t.Helper()
		s, err := client.Session(ctx, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}

	record := func(want genl.MigrationRecord) {
		t.Helper()
		got, err := client.Migrations(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]genl.MigrationRecord{want}, got, equateAddrs); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
	}
	lock := func(id uint64, role genl.MigrationRole) genl.MigrationRecord {
		t.Helper()
		request := genl.LockRequest{Session: r.ID, ID: id, Role: role, Plan: []byte{byte(id), 0, 255}}
		for range 2 {
			if err := client.LockSession(ctx, request); err != nil {
				t.Fatal(err)
			}
		}
		want := genl.MigrationRecord{Session: r.ID, ID: id, Role: role, Plan: request.Plan}
		record(want)
		for _, other := range []genl.LockRequest{
			{Session: r.ID, ID: id + 100, Role: role, Plan: request.Plan},
			{Session: r.ID, ID: id, Role: (role + 1) % 3, Plan: request.Plan},
		} {
			if err := client.LockSession(ctx, other); !errors.Is(err, genl.ErrBusy) {
				t.Errorf("lock as %v by %d: %v, want %v", other.Role, other.ID, err, genl.ErrBusy)
			}
		}
		return want
	}
	end := func(id uint64) {
		t.Helper()
		if err := client.EndMigration(ctx, r.ID, id, false); err != nil {
			t.Fatal(err)
		}
		if err := client.EndMigration(ctx, r.ID, id, false); !errors.Is(err, genl.ErrNotFound) {
			t.Errorf("end twice: %v, want %v", err, genl.ErrNotFound)
		}
	}

	t.Run("on the right", func(t *testing.T) {
		locked := lock(1, genl.LeftAnchor)
		request := genl.MigrationRequest{Session: r.ID, ID: 1, Hops: []netip.Addr{addr4(3), addr4(4)}}
		next, err := client.BeginMigration(ctx, request)
		if err != nil {
			t.Fatal(err)
		}
		want := *old
		want.Hops, want.Right = request.Hops, next.Right
		same("session as it will be", &want, next)
		if got := next.Right.Tuple; got.Destination.Addr() != addr4(3) || got == old.Right.Tuple {
			t.Errorf("the new subsession is %v, want another one, to %v", got, addr4(3))
		}
		same("session as it is", old, now())
		locked.Installed, locked.Right = true, next.Right.Tuple
		record(locked)

		again, err := client.BeginMigration(ctx, request)
		if err != nil {
			t.Fatal(err)
		}
		same("the same request again", next, again)
		request.ID++
		if _, err := client.BeginMigration(ctx, request); !errors.Is(err, genl.ErrNotFound) {
			t.Errorf("another migration: %v, want %v", err, genl.ErrNotFound)
		}

		for range 2 {
			if err := client.Pause(ctx, genl.PauseRequest{Session: r.ID, ID: 1, Time: time.Minute}); err != nil {
				t.Fatal(err)
			}
		}
		same("session that waits", old, now())
		locked.Paused = true
		record(locked)
		locked.Paused = false
		for _, path := range []genl.Path{genl.PathNew, genl.PathOld, genl.PathNew} {
			if err := client.SwitchPath(ctx, r.ID, 1, path); err != nil {
				t.Fatal(err)
			}
			same("session after a switch", map[genl.Path]*genl.Session{genl.PathOld: old, genl.PathNew: next}[path], now())
			locked.InUse = path
			record(locked)
		}
		if err := client.Pause(ctx, genl.PauseRequest{Session: r.ID, ID: 1}); !errors.Is(err, genl.ErrAlready) {
			t.Errorf("pause after the switch: %v, want %v", err, genl.ErrAlready)
		}
		end(1)
		same("session at the end", next, now())
		old = next
	})
	t.Run("on the left, given up", func(t *testing.T) {
		locked := lock(3, genl.RightAnchor)
		request := genl.MigrationRequest{Session: r.ID, ID: 3, Left: tuple("10.0.0.8:50003 > 10.0.0.1:50004 tcp")}
		next, err := client.BeginMigration(ctx, request)
		if err != nil {
			t.Fatal(err)
		}
		want := *old
		want.Left = &genl.Subsession{Tuple: request.Left}
		same("session as it will be", &want, next)
		locked.Installed, locked.Left = true, request.Left
		record(locked)
		end(3)
		same("session at the end", old, now())
	})
	t.Run("given up before it has begun", func(t *testing.T) {
		lock(4, genl.LeftAnchor)
		if err := client.SwitchPath(ctx, r.ID, 4, genl.PathNew); !errors.Is(err, genl.ErrInvalid) {
			t.Errorf("switch to a path that is not there yet: %v, want %v", err, genl.ErrInvalid)
		}
		if err := client.SwitchPath(ctx, r.ID, 4, genl.PathOld); err != nil {
			t.Error(err)
		}
		end(4)
		same("session at the end", old, now())
	})
	t.Run("on the old path", func(t *testing.T) {
		lock(5, genl.OldHost)
		if _, err := client.BeginMigration(ctx, genl.MigrationRequest{Session: r.ID, ID: 5, Hops: r.Hops}); !errors.Is(err, genl.ErrNotFound) {
			t.Errorf("begin where nothing changes: %v, want %v", err, genl.ErrNotFound)
		}
		for name, do := range map[string]func() error{
			"pause":  func() error { return client.Pause(ctx, genl.PauseRequest{Session: r.ID, ID: 5}) },
			"mark":   func() error { return client.Mark(ctx, r.ID, 5) },
			"switch": func() error { return client.SwitchPath(ctx, r.ID, 5, genl.PathOld) },
		} {
			if err := do(); !errors.Is(err, genl.ErrInvalid) {
				t.Errorf("%s where nothing changes: %v, want %v", name, err, genl.ErrInvalid)
			}
		}
		end(5)
	})
	t.Run("hops", func(t *testing.T) {
		old.Hops = []netip.Addr{addr4(3), addr4(7), addr4(4)}
		if err := client.SetHops(ctx, r.ID, old.Hops); err != nil {
			t.Fatal(err)
		}
		same("session with other hops", old, now())
		for _, tt := range []struct {
			session chain.SessionID
			hops    []netip.Addr
			want    error
		}{
			{chain.SessionID{9}, r.Hops, genl.ErrNotFound},
			{r.ID, nil, genl.ErrInvalid},
			{r.ID, []netip.Addr{addr6(2)}, genl.ErrInvalid},
		} {
			if err := client.SetHops(ctx, tt.session, tt.hops); !errors.Is(err, tt.want) {
				t.Errorf("hops %v of %v: %v, want %v", tt.hops, tt.session, err, tt.want)
			}
		}
	})
	conformPauseTooLong(ctx, t, client, r.ID, r.Hops)
	refuseMigrations(ctx, t, client, r)
	if err := client.DeleteSession(ctx, r.ID); err != nil {
		t.Fatal(err)
	}
	conformNewHost(ctx, t, client, r)
}

// awaitMigration waits for an event of a migration.
func awaitMigration(ctx context.Context, t *testing.T, events *genl.Events) genl.MigrationEvent {
	t.Helper()
	for {
		some, err := events.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range some {
			if m, ok := e.(genl.MigrationEvent); ok {
				return m
			}
		}
	}
}

// conformPauseTooLong waits until the module loses patience.
func conformPauseTooLong(ctx context.Context, t *testing.T, client *genl.Client, id chain.SessionID, hops []netip.Addr) {
	t.Helper()
	events, err := client.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	if err := client.LockSession(ctx, genl.LockRequest{Session: id, ID: 6, Role: genl.LeftAnchor, Plan: []byte{1}}); err != nil {
		t.Fatal(err)
	}
	pause := genl.PauseRequest{Session: id, ID: 6, Time: 100 * time.Millisecond, Checkpoint: true}
	if err := client.Pause(ctx, pause); err != nil {
		t.Fatal(err)
	}
	// Nothing has been sent, so nothing is to be acknowledged.
	want := genl.MigrationEvent{Session: id, Migration: 6, AckReached: true}
	for range 2 {
		if got := awaitMigration(ctx, t, events); got != want {
			t.Errorf("event %+v, want %+v", got, want)
		}
		want.Overflow = true
	}
	if err := client.Pause(ctx, pause); !errors.Is(err, genl.ErrAlready) {
		t.Errorf("pause after one that took too long: %v, want %v", err, genl.ErrAlready)
	}
	records, err := client.Migrations(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 1 || records[0].Paused || !records[0].Overflow || !records[0].AckReached {
		t.Errorf("records %+v, want one that has waited too long", records)
	}
	if _, err := client.BeginMigration(ctx, genl.MigrationRequest{Session: id, ID: 6, Hops: hops}); err != nil {
		t.Fatal(err)
	}
	if err := client.SwitchPath(ctx, id, 6, genl.PathNew); !errors.Is(err, genl.ErrAlready) {
		t.Errorf("switch to the new path after that: %v, want %v", err, genl.ErrAlready)
	}
	if err := client.SwitchPath(ctx, id, 6, genl.PathOld); err != nil {
		t.Errorf("switch to the old path after that: %v", err)
	}
	if err := client.EndMigration(ctx, id, 6, false); err != nil {
		t.Fatal(err)
	}
}

// conformNewHost makes a session with its record, and lets it go again.
func conformNewHost(ctx context.Context, t *testing.T, client *genl.Client, r genl.SessionRequest) {
	t.Helper()
	events, err := client.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	r.ID, r.Migration, r.Plan = chain.SessionID{2}, 7, []byte("plan")
	var first *genl.Session
	for range 2 {
		s, err := client.NewSession(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = s
		}
		if s.Right.Tuple != first.Right.Tuple || s.Known {
			t.Errorf("session %+v, want %+v again", s, first)
		}
	}
	records, err := client.Migrations(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := []genl.MigrationRecord{{
		Session: r.ID, ID: 7, Role: genl.NewHost, Plan: r.Plan, Installed: true,
		Left: r.Left, Right: first.Right.Tuple, InUse: genl.PathNew,
	}}
	if diff := cmp.Diff(want, records, equateAddrs); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	for name, change := range map[string]func(*genl.SessionRequest){
		"another migration":  func(r *genl.SessionRequest) { r.Migration = 8 },
		"another subsession": func(r *genl.SessionRequest) { r.Left = tuple("10.0.0.9:50005 > 10.0.0.1:50006 tcp") },
	} {
		other := r
		change(&other)
		if _, err := client.NewSession(ctx, other); !errors.Is(err, genl.ErrExists) {
			t.Errorf("%s: %v, want %v", name, err, genl.ErrExists)
		}
	}
	if err := client.EndMigration(ctx, r.ID, 7, true); err != nil {
		t.Fatal(err)
	}
	if records, err := client.Migrations(ctx); err != nil || len(records) != 0 {
		t.Errorf("records of a session that leaves: %+v, %v, want none", records, err)
	}
	if _, err := client.NewSession(ctx, r); !errors.Is(err, genl.ErrBusy) {
		t.Errorf("session that leaves: %v, want %v", err, genl.ErrBusy)
	}
	lock := genl.LockRequest{Session: r.ID, ID: 9, Role: genl.OldHost, Plan: []byte{1}}
	if err := client.LockSession(ctx, lock); !errors.Is(err, genl.ErrBusy) {
		t.Errorf("lock of a session that leaves: %v, want %v", err, genl.ErrBusy)
	}
	if err := client.EndMigration(ctx, r.ID, 7, true); !errors.Is(err, genl.ErrNotFound) {
		t.Errorf("end twice: %v, want %v", err, genl.ErrNotFound)
	}
	for {
		some, err := events.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(some, func(e genl.Event) bool { _, ok := e.(genl.SessionEnd); return ok })
		if i < 0 {
			continue
		}
		if end := some[i].(genl.SessionEnd); end.Session.ID != r.ID || end.Reason != genl.ReasonEndMoved {
			t.Errorf("end of %v: %v, want %v of %v", end.Session.ID, end.Reason, genl.ReasonEndMoved, r.ID)
		}
		break
	}
	if err := client.LockSession(ctx, lock); !errors.Is(err, genl.ErrNotFound) {
		t.Errorf("lock of a session that has left: %v, want %v", err, genl.ErrNotFound)
	}
}

func refuseMigrations(ctx context.Context, t *testing.T, client *genl.Client, r genl.SessionRequest) {
	t.Helper()
	for id, role := range map[uint64]genl.MigrationRole{11: genl.LeftAnchor, 12: genl.RightAnchor} {
		if err := client.LockSession(ctx, genl.LockRequest{Session: r.ID, ID: id, Role: role, Plan: []byte{1}}); err != nil {
			t.Fatal(err)
		}
		begin := func(m genl.MigrationRequest) func() error {
			return func() error {
				m.ID = id
				_, err := client.BeginMigration(ctx, m)
				return err
			}
		}
		left := tuple("10.0.0.8:50003 > 10.0.0.1:50004 tcp")
		taken := r.Left
		onTaken := genl.ErrExists
		if role == genl.LeftAnchor {
			onTaken = genl.ErrInvalid // nothing changes there
		}
		tests := []struct {
			name string
			do   func() error
			want error
		}{
			{"of no session", begin(genl.MigrationRequest{Session: chain.SessionID{9}, Hops: r.Hops}), genl.ErrNotFound},
			{"on both sides", begin(genl.MigrationRequest{Session: r.ID, Hops: r.Hops, Left: left}), genl.ErrInvalid},
			{"on no side", begin(genl.MigrationRequest{Session: r.ID}), genl.ErrInvalid},
			{"to another family", begin(genl.MigrationRequest{Session: r.ID, Hops: []netip.Addr{addr6(2)}}), genl.ErrInvalid},
			{"from the left that is taken", begin(genl.MigrationRequest{Session: r.ID, Left: taken}), onTaken},
			{"a switch without one", func() error { return client.SwitchPath(ctx, r.ID, 5, genl.PathNew) }, genl.ErrNotFound},
			{"a mark without one", func() error { return client.Mark(ctx, r.ID, 5) }, genl.ErrNotFound},
			{"a pause without one", func() error { return client.Pause(ctx, genl.PauseRequest{Session: r.ID, ID: 5}) }, genl.ErrNotFound},
			{"the end of none", func() error { return client.EndMigration(ctx, r.ID, 5, false) }, genl.ErrNotFound},
			{"an anchor that goes", func() error { return client.EndMigration(ctx, r.ID, id, true) }, genl.ErrInvalid},
			{"to a path that there cannot be", func() error { return client.SwitchPath(ctx, r.ID, id, 2) }, genl.ErrRange},
			{"a pause for too long", func() error {
				return client.Pause(ctx, genl.PauseRequest{Session: r.ID, ID: id, Time: time.Minute + 1})
			}, genl.ErrRange},
			{"a pause for less than nothing", func() error {
				return client.Pause(ctx, genl.PauseRequest{Session: r.ID, ID: id, Time: -1})
			}, genl.ErrRange},
			{"a pause of too many packets", func() error {
				return client.Pause(ctx, genl.PauseRequest{Session: r.ID, ID: id, Packets: 65537})
			}, genl.ErrRange},
			{"a pause of too many bytes", func() error {
				return client.Pause(ctx, genl.PauseRequest{Session: r.ID, ID: id, Bytes: 256<<20 + 1})
			}, genl.ErrRange},
		}
		for _, tt := range tests {
			if err := tt.do(); !errors.Is(err, tt.want) {
				t.Errorf("%v, %s: %v, want %v", role, tt.name, err, tt.want)
			}
		}
		if err := client.EndMigration(ctx, r.ID, id, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*genl.LockRequest)
		want   error
	}{
		{"of no session", func(r *genl.LockRequest) { r.Session = chain.SessionID{9} }, genl.ErrNotFound},
		{"of a new host", func(r *genl.LockRequest) { r.Role = genl.NewHost }, genl.ErrRange},
		{"without a plan", func(r *genl.LockRequest) { r.Plan = nil }, genl.ErrRange},
		{"with a plan too long", func(r *genl.LockRequest) { r.Plan = make([]byte, genl.MaxPlan+1) }, genl.ErrTooBig},
	} {
		lock := genl.LockRequest{Session: r.ID, ID: 13, Plan: []byte{1}}
		tt.change(&lock)
		if err := client.LockSession(ctx, lock); !errors.Is(err, tt.want) {
			t.Errorf("lock %s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// A Kernel tells what a test makes come true, each thing once, and all of it.
func TestMigrationEvents(t *testing.T) {
	kernel, client, events := subscribe(t)
	kernel.AddSession(moving(1))
	if err := client.LockSession(t.Context(), genl.LockRequest{Session: moving(1).ID, ID: 1, Role: genl.RightAnchor, Plan: []byte{1}}); err != nil {
		t.Fatal(err)
	}
	one := genl.MigrationEvent{Session: moving(1).ID, Migration: 1, Passed: genl.Rightward}
	kernel.Happen(one)
	kernel.Happen(one)
	two := one
	two.Passed, two.NewPathUsed, two.AckReached, two.Overflow = genl.Leftward, true, true, true
	kernel.Happen(two)
	two.Passed = genl.BothWays
	want := []genl.Event{genl.SessionNew{Session: moving(1)}, one, two}
	if diff := cmp.Diff(want, receive(t, events, len(want)), equateAddrs); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if err := client.Mark(t.Context(), one.Session, 1); err != nil {
		t.Fatal(err)
	}
	if n := kernel.Marks(one.Session); n != 1 {
		t.Errorf("%d markers, want 1", n)
	}
}

// moving is a session whose chain may change.
func moving(id byte) genl.Session {
	s := middle(id)
	s.Setup = chain.SetupInBand
	return s
}
