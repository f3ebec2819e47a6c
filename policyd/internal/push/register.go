// SPDX-License-Identifier: Apache-2.0

package push

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mbchain/policyd/internal/store"
	"mbchain/proto"
	"mbchain/proto/delta"
)

// takeoverAfter is how long a host must have been away before another may
// register with one of its addresses. It is longer than an agent takes to come
// back after policyd was restarted.
const takeoverAfter = 30 * time.Second

// Registration is what a host says of itself when it opens a stream.
type Registration struct {
	Host    store.Host // the time is set by the hub
	Running uint64     // policy version in force there
	// TakesChanges: it can be pushed changes of a subpolicy, at first of the one with
	// the digest Held, if it is not zero.
	TakesChanges bool
	Held         delta.Digest
	Status       *proto.HostStatus
}

// register makes the state know the host, and its stream the one that the hub
// uses.
func (h *Hub) register(ctx context.Context, r Registration, s *stream) error {
	for {
		cmd, newest, err := h.attach(r, s)
		if err != nil {
			return err
		}
		if cmd == nil {
			h.logConnected(r, newest)
			return nil
		}
		result, err := h.proposer.Apply(ctx, store.Command{SetHost: cmd})
		if err != nil {
			return fmt.Errorf("register host %s: %w", r.Host.Name, err)
		}
		h.logger.Info("host registered", "host", r.Host.Name, "addresses", r.Host.Addresses, "nf_types", r.Host.NFTypes)
		h.Update(result.State)
		// Somebody else may have changed the host since: look again. Each
		// turn needs another registration of one of these addresses.
	}
}

func (h *Hub) logConnected(r Registration, newest uint64) {
	h.logger.Info("host connected", "host", r.Host.Name, "running_version", r.Running)
	if r.Running > newest {
		h.logger.Warn("host runs a newer policy than policyd knows: was the data directory replaced?",
			"host", r.Host.Name, "running_version", r.Running, "policy_version", newest)
	}
}

// attach makes s the host's stream if the state knows the host as it is, and
// returns the newest policy version; otherwise it returns the command that
// makes the host known.
func (h *Hub) attach(r Registration, s *stream) (cmd *store.SetHost, newest uint64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.ready(); err != nil {
		return nil, 0, err
	}
	if known, ok := h.domain.State.Host(r.Host.Name); !ok || !known.Same(r.Host) {
		r.Host.ChangedUnixMS = time.Now().UnixMilli()
		return &store.SetHost{Host: r.Host, Replaces: h.absent(r.Host)}, 0, nil
	}
	e := h.known(r.Host.Name)
	if e.stream != nil {
		e.stream.end(ErrReplaced)
	}
	e.stream = s
	e.health.Connected()
	e.lastSeen = time.Now()
	e.running = r.Running
	e.status = r.Status
	if e.held != nil && e.held.Digest() == r.Held {
		s.has.whole = e.held
	}
	e.offer(offer{version: e.offered.version, rules: e.offered.rules})
	return nil, h.domain.State.Policy.Version, nil
}

// ready says why nobody can be served, or nil. h.mu is held.
func (h *Hub) ready() error {
	if !h.leads && !h.stopped {
		return ErrNotLeading
	}
	return h.usable()
}

// usable says why there is no domain to work with, or nil. h.mu is held.
func (h *Hub) usable() error {
	switch {
	case h.stopped:
		return ErrStopping
	case h.fault != nil:
		return fmt.Errorf("%w: %w", ErrNotReady, h.fault)
	case h.domain == nil:
		return ErrNotReady
	}
	return nil
}

// absent names the hosts that have an address of who, and were not seen for so
// long that who may have it. h.mu is held.
func (h *Hub) absent(who store.Host) []string {
	var names []string
	for _, a := range who.Addresses {
		owner, taken := h.domain.Owners[a]
		if !taken || owner == who.Name || slices.Contains(names, owner) {
			continue
		}
		seen := h.started
		if e := h.hosts[owner]; e != nil {
			if e.stream != nil {
				continue
			}
			if !e.lastSeen.IsZero() {
				seen = e.lastSeen
			}
		}
		if time.Since(seen) >= takeoverAfter {
			names = append(names, owner)
		}
	}
	return names
}

// detach forgets s and fails the questions that it still has. It reports
// whether the host is without a stream now.
func (h *Hub) detach(s *stream, cause error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.fail("the host's stream ended: " + cause.Error())
	e := h.hosts[s.host.Name]
	if e == nil || e.stream != s {
		return false
	}
	e.stream = nil
	e.lastSeen = time.Now()
	e.health.Lost(e.lastSeen)
	e.offered.nonce = 0
	h.observeReached(s.host.Name, h.spread.version)
	if _, known := h.domain.State.Host(s.host.Name); !known {
		delete(h.hosts, s.host.Name)
	}
	return true
}
