// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

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

	t.Run("on the right", func(t *testing.T) {
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

		again, err := client.BeginMigration(ctx, request)
		if err != nil {
			t.Fatal(err)
		}
		same("the same request again", next, again)
		request.ID++
		if _, err := client.BeginMigration(ctx, request); !errors.Is(err, genl.ErrBusy) {
			t.Errorf("another migration: %v, want %v", err, genl.ErrBusy)
		}

		for range 2 {
			if err := client.Pause(ctx, r.ID, 1); err != nil {
				t.Fatal(err)
			}
		}
		same("session that waits", old, now())
		for _, path := range []genl.Path{genl.PathNew, genl.PathOld, genl.PathNew} {
			if err := client.SwitchPath(ctx, r.ID, 1, path); err != nil {
				t.Fatal(err)
			}
			same("session after a switch", map[genl.Path]*genl.Session{genl.PathOld: old, genl.PathNew: next}[path], now())
		}
		if err := client.Pause(ctx, r.ID, 1); !errors.Is(err, genl.ErrAlready) {
			t.Errorf("pause after the switch: %v, want %v", err, genl.ErrAlready)
		}
		if err := client.EndMigration(ctx, r.ID, 1); err != nil {
			t.Fatal(err)
		}
		same("session at the end", next, now())
		old = next
	})
	t.Run("on the left, given up", func(t *testing.T) {
		request := genl.MigrationRequest{Session: r.ID, ID: 3, Left: tuple("10.0.0.8:50003 > 10.0.0.1:50004 tcp")}
		next, err := client.BeginMigration(ctx, request)
		if err != nil {
			t.Fatal(err)
		}
		want := *old
		want.Left = &genl.Subsession{Tuple: request.Left}
		same("session as it will be", &want, next)
		if err := client.EndMigration(ctx, r.ID, 3); err != nil {
			t.Fatal(err)
		}
		same("session at the end", old, now())
	})
	t.Run("leaving", func(t *testing.T) {
		request := genl.MigrationRequest{Session: r.ID, ID: 4}
		next, err := client.BeginMigration(ctx, request)
		if err != nil {
			t.Fatal(err)
		}
		same("session as it will be", old, next)
		if err := client.Pause(ctx, r.ID, 4); !errors.Is(err, genl.ErrInvalid) {
			t.Errorf("pause where nothing changes: %v, want %v", err, genl.ErrInvalid)
		}
		if err := client.SwitchPath(ctx, r.ID, 4, genl.PathNew); !errors.Is(err, genl.ErrInvalid) {
			t.Errorf("switch to a path that is not there: %v, want %v", err, genl.ErrInvalid)
		}
		if err := client.EndMigration(ctx, r.ID, 4); err != nil {
			t.Fatal(err)
		}
	})
	refuseMigrations(ctx, t, client, r)
	if err := client.DeleteSession(ctx, r.ID); err != nil {
		t.Fatal(err)
	}
}

func refuseMigrations(ctx context.Context, t *testing.T, client *genl.Client, r genl.SessionRequest) {
	t.Helper()
	begin := func(m genl.MigrationRequest) func() error {
		return func() error {
			_, err := client.BeginMigration(ctx, m)
			return err
		}
	}
	left := tuple("10.0.0.8:50003 > 10.0.0.1:50004 tcp")
	tests := []struct {
		name string
		do   func() error
		want error
	}{
		{"of no session", begin(genl.MigrationRequest{Session: chain.SessionID{9}, ID: 5, Hops: r.Hops}), genl.ErrNotFound},
		{"on both sides", begin(genl.MigrationRequest{Session: r.ID, ID: 5, Hops: r.Hops, Left: left}), genl.ErrInvalid},
		{"to another family", begin(genl.MigrationRequest{Session: r.ID, ID: 5, Hops: []netip.Addr{addr6(2)}}), genl.ErrInvalid},
		{"a switch without one", func() error { return client.SwitchPath(ctx, r.ID, 5, genl.PathNew) }, genl.ErrNotFound},
		{"the end of none", func() error { return client.EndMigration(ctx, r.ID, 5) }, genl.ErrNotFound},
		{"to a path that there cannot be", func() error { return client.SwitchPath(ctx, r.ID, 5, 2) }, genl.ErrRange},
		{"from the left that is taken", begin(genl.MigrationRequest{Session: r.ID, ID: 5, Left: r.Left}), genl.ErrExists},
	}
	for _, tt := range tests {
		if err := tt.do(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}
