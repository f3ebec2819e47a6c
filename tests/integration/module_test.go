// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"mbchain/chain"
	"mbchain/genl"
)

// defaults is the module's configuration in a new namespace.
var defaults = genl.Config{
	MaxSessions:  1 << 20,
	SYNTimeout:   2 * time.Minute,
	IdleTimeout:  7440 * time.Second,
	CloseTimeout: 10 * time.Second,
	Freshness:    30 * time.Second,
	PortMin:      1024,
	PortMax:      65535,
}

// configure changes settings of the module until the test ends.
func (h *host) configure(t *testing.T, config genl.Config) {
	t.Helper()
	old := h.info(t).Config
	if err := h.module.SetConfig(t.Context(), config); err != nil {
		t.Fatalf("configure %s: %v", h.name, err)
	}
	t.Cleanup(func() {
		if err := h.module.SetConfig(context.Background(), old); err != nil {
			t.Errorf("configure %s back: %v", h.name, err)
		}
	})
}

func (h *host) info(t *testing.T) *genl.Info {
	t.Helper()
	info, err := h.module.Info(t.Context())
	if err != nil {
		t.Fatalf("ask %s: %v", h.name, err)
	}
	return info
}

func (h *host) sessions(t *testing.T) []genl.Session {
	t.Helper()
	sessions, err := h.module.Sessions(t.Context())
	if err != nil {
		t.Fatalf("ask %s: %v", h.name, err)
	}
	return sessions
}

// session returns the host's part of the session that the client at source
// opened, and fails the test if there is none.
func (h *host) session(t *testing.T, super chain.FiveTuple) genl.Session {
	t.Helper()
	sessions := h.sessions(t)
	i := slices.IndexFunc(sessions, func(s genl.Session) bool { return s.Super == super })
	if i < 0 {
		t.Fatalf("%s has no session %v, but %d others", h.name, super, len(sessions))
	}
	return sessions[i]
}

// counters are the values of all counters of a host that are not 0, by name.
type counters map[string]uint64

func (h *host) counters(t *testing.T) counters {
	t.Helper()
	list, err := h.module.Stats(t.Context())
	if err != nil {
		t.Fatalf("ask %s: %v", h.name, err)
	}
	c := make(counters)
	for _, counter := range list {
		if counter.Value != 0 {
			c[counter.Name] = counter.Value
		}
	}
	return c
}

// since returns by how much counters have risen, those alone that have.
func (c counters) since(before counters) counters {
	risen := make(counters)
	for name, value := range c {
		if value != before[name] {
			risen[name] = value - before[name]
		}
	}
	return risen
}

// awaitCounter waits until a counter has risen by at least n.
func (h *host) awaitCounter(t *testing.T, before counters, reason genl.Reason, n uint64) {
	t.Helper()
	eventually(t, late, func() error {
		risen := h.counters(t).since(before)
		if got := risen[reason.String()]; got < n {
			return fmt.Errorf("%s of %s rose by %d, want %d; risen: %v", reason, h.name, got, n, risen)
		}
		return nil
	})
}

// awaitSessions waits until each of the hosts has n sessions.
func awaitSessions(t *testing.T, n uint32, hosts ...*host) {
	t.Helper()
	eventually(t, soon, func() error {
		for _, h := range hosts {
			if got := h.info(t).Sessions; got != n {
				return fmt.Errorf("%s has %d sessions, want %d", h.name, got, n)
			}
		}
		return nil
	})
}

// chained fails the test unless those of the hosts that are on the path carry
// the session, and no other does.
func chained(t *testing.T, hosts []*host, s genl.Session, path []*host) {
	t.Helper()
	for _, h := range hosts {
		_, err := h.module.Session(t.Context(), s.ID)
		if err != nil && !errors.Is(err, genl.ErrNotFound) {
			t.Fatalf("ask %s: %v", h.name, err)
		}
		if has, want := err == nil, slices.Contains(path, h); has != want {
			t.Errorf("%s carries session %v: %v, want %v", h.name, s.Super, has, want)
		}
	}
}
