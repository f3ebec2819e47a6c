// SPDX-License-Identifier: Apache-2.0

package peer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
	"mbchain/agentd/internal/peer"
	"mbchain/agentd/internal/peer/peertest"
)

// told is what a host heard.
type told struct {
	from    []netip.Addr
	id      lock.ID
	message migrate.Message
}

// hearing runs a host that takes messages of migrations.
func hearing(t *testing.T, address string, port uint16, who *peertest.Host) (*host, <-chan told) {
	t.Helper()
	came := make(chan told, 1000)
	h := &host{log: new(logBuffer)}
	var err error
	h.Node, err = peer.Listen(peer.Config{
		Listen: netip.AddrPortFrom(netip.MustParseAddr(address), port), Identity: who,
		Hear: func(from []netip.Addr, id lock.ID, m migrate.Message) { came <- told{from, id, m} },
		Log:  slog.New(slog.NewTextHandler(h.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.run(t, accepting)
	return h, came
}

func TestTellsWhatAHostHears(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	a := start(t, left, port, ca.Issue(t, nil, left), accepting)
	_, came := hearing(t, right, port, ca.Issue(t, nil, right))
	ctx := limited(t)
	to := netip.MustParseAddr(right)
	state := migrate.NFState{Data: []byte(strings.Repeat("state ", 100_000))}
	for i, m := range []migrate.Message{lock.Approve{}, state, migrate.Ask{}} {
		if err := a.Tell(ctx, to, lock.ID(i), m); err != nil {
			t.Fatal(err)
		}
		got := <-came
		if got.id != lock.ID(i) || fmt.Sprint(got.message) != fmt.Sprint(m) {
			t.Errorf("heard %v of %v, want %v of %v", got.message, got.id, m, lock.ID(i))
		}
		if want := netip.MustParseAddr(left); !slices.Contains(got.from, want) {
			t.Errorf("heard it from %v, want %v among them", got.from, want)
		}
		if s, ok := got.message.(migrate.NFState); ok && string(s.Data) != string(state.Data) {
			t.Error("the state is another one")
		}
	}
	// Many at once, more than there may be under way.
	const many = 600
	for i := range many {
		if err := a.Tell(ctx, to, lock.ID(i), migrate.Ask{}); err != nil {
			t.Fatal(err)
		}
	}
	seen := make(map[lock.ID]bool)
	for range many {
		seen[(<-came).id] = true
	}
	if len(seen) != many {
		t.Errorf("%d different messages came, want %d", len(seen), many)
	}
	// Set-ups go on beside them.
	if err := setUp(t, a, right); err != nil {
		t.Error(err)
	}
}

func TestTellFails(t *testing.T) {
	ca, port := peertest.NewCA(t), freePort(t)
	a := start(t, left, port, ca.Issue(t, nil, left), accepting)
	t.Run("nobody is there", func(t *testing.T) {
		if err := a.Tell(limited(t), netip.MustParseAddr("127.0.0.99"), 1, migrate.Ask{}); err == nil {
			t.Error("told, want an error")
		}
	})
	t.Run("a host that hears nothing", func(t *testing.T) {
		start(t, right, port, ca.Issue(t, nil, right), accepting)
		if err := setUp(t, a, right); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := a.Tell(ctx, netip.MustParseAddr(right), 1, migrate.Ask{})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("told: %v, want it to wait until %v", err, context.DeadlineExceeded)
		}
	})
	t.Run("a state that is too long", func(t *testing.T) {
		const third = "127.0.0.13"
		_, came := hearing(t, third, port, ca.Issue(t, nil, third))
		to := netip.MustParseAddr(third)
		if err := a.Tell(limited(t), to, 1, migrate.NFState{Data: make([]byte, 2<<20)}); err == nil {
			t.Error("told, want an error")
		}
		if err := a.Tell(limited(t), to, 2, migrate.Ask{}); err != nil {
			t.Fatal(err)
		}
		if got := <-came; got.id != 2 {
			t.Errorf("heard %v, want the one behind it alone", got)
		}
	})
}
