// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"mbchain/chain"
	"mbchain/genl"
)

// agentsOn does for these hosts of a rig what their agents would say to each other:
// it sets sessions up out-of-band, until the test ends.
func (r *rig) agentsOn(t *testing.T, hosts ...*host) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, len(hosts))
	for _, h := range hosts {
		events, err := within(h, h.module.SubscribeSetup)
		if err != nil {
			t.Fatalf("listen on %s: %v", h.name, err)
		}
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				list, err := events.Receive(ctx)
				if err != nil {
					return
				}
				for _, e := range list {
					if wanted, ok := e.(genl.SetupWanted); ok {
						// Its packets may arrive, and the test end, before it is told so.
						if err := r.setUp(ctx, h, wanted.Session); err != nil && ctx.Err() == nil {
							t.Errorf("set up %v from %s: %v", wanted.Session.Super, h.name, err)
						}
					}
				}
			}
		}()
		t.Cleanup(func() { _ = events.Close() })
	}
	t.Cleanup(func() {
		cancel()
		for range hosts {
			<-done
		}
	})
}

// setUp installs a session on all hosts right of one, and releases its packets
// from right to left.
func (r *rig) setUp(ctx context.Context, from *host, s genl.Session) error {
	type waiting struct {
		*host
		how chain.Setup
	}
	path, wire := []waiting{{from, chain.SetupDone}}, s.Right.Tuple
	for i, hop := range s.Hops {
		at := slices.IndexFunc(r.hosts, func(h *host) bool { return h.addr == hop })
		if at < 0 {
			return fmt.Errorf("no host has the address %v", hop)
		}
		h := r.hosts[at]
		joined, err := h.module.NewSession(ctx, genl.SessionRequest{ID: s.ID, Super: s.Super, Left: wire, Hops: s.Hops[i+1:]})
		if err != nil {
			return fmt.Errorf("join %s: %w", h.name, err)
		}
		if joined.Known {
			path[len(path)-1].how = chain.SetupInBand
		}
		if joined.Right != nil {
			path, wire = append(path, waiting{h, chain.SetupDone}), joined.Right.Tuple
		}
	}
	for _, w := range slices.Backward(path) {
		if err := w.module.FinishSetup(ctx, s.ID, w.how, genl.ReasonNone); err != nil && !errors.Is(err, genl.ErrAlready) {
			return fmt.Errorf("release on %s: %w", w.name, err)
		}
	}
	return nil
}
