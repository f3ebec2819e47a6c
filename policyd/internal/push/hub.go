// SPDX-License-Identifier: Apache-2.0

package push

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"mbchain/policyd/internal/store"
)

// Proposer changes the state.
type Proposer interface {
	Apply(ctx context.Context, cmd store.Command) (store.Result, error)
}

// Hub knows the hosts and their streams.
type Hub struct {
	proposer Proposer
	logger   *slog.Logger
	started  time.Time
	observer Observer

	updating sync.Mutex // held by Update; taken before mu

	mu      sync.Mutex // never held while anything blocks
	domain  *Domain    // nil: no state yet
	fault   error      // why the newest state could not be worked out
	hosts   map[string]*host
	nonce   uint64 // the last one given out
	stopped bool
	leads   bool
	spread  spread

	settling bool      // hosts have changed, and streams are told in a moment
	settled  *Domain   // of when they were told last; nil: they never were
	weighed  time.Time // when loads last changed a weight
}

// NewHub returns a hub without hosts, which leads until it is told otherwise. It
// serves nobody before the first [Hub.Update].
func NewHub(proposer Proposer, logger *slog.Logger) *Hub {
	now := time.Now()
	return &Hub{
		proposer: proposer,
		logger:   logger,
		started:  now,
		observer: nobody{},
		hosts:    map[string]*host{},
		leads:    true,
		// An ack that was on its way to the policyd before this one must not
		// name a nonce of this one.
		nonce: uint64(now.UnixMicro()),
	}
}

// Update brings the hub a state. One older than the newest changes nothing,
// so several goroutines may each bring what they know.
func (h *Hub) Update(state *store.State) {
	h.updating.Lock()
	defer h.updating.Unlock()
	h.mu.Lock()
	old := h.domain
	h.mu.Unlock()
	if old != nil && state.Index <= old.State.Index {
		return
	}
	d, err := newDomain(state, old) // slow for a long policy
	if err != nil {
		h.logger.Error("state not usable", "policy_version", state.Policy.Version, "error", err)
	}

	h.mu.Lock()
	defer h.mu.Unlock()
	h.fault = err
	if err != nil {
		return
	}
	h.domain = d
	h.settle(old)
}

// settle makes the hosts follow h.domain, which came after old. h.mu is held.
func (h *Hub) settle(old *Domain) {
	policy := old == nil || old.Policy != h.domain.Policy || !sameSecrets(old, h.domain)
	others := old == nil || !slices.Equal(old.addresses, h.domain.addresses)
	revoked := old == nil || !sameMembers(old.State, h.domain.State)
	if old != nil && old.State.Policy.Version != h.domain.State.Policy.Version {
		h.spread.begin(h.domain.State.Policy.Version, h.hosts)
	}
	if others && !h.settling {
		h.settling = true
		time.AfterFunc(settleFor, h.hostsSettled)
	}
	for name, host := range h.hosts {
		record, known := h.domain.State.Host(name)
		switch {
		case host.stream == nil:
			if !known {
				delete(h.hosts, name)
			}
		case !known || !record.Same(host.stream.host):
			host.stream.end(ErrDisplaced)
		case policy:
			host.stream.policyChanged.set()
		case old.Chosen != h.domain.Chosen:
			host.stream.choiceChanged.set()
		}
		if revoked && host.stream != nil {
			host.stream.revokedChanged.set()
		}
	}
}

// hostsSettled has all streams push what came of changes of hosts: all of the same
// domain, so that it is worked out once.
func (h *Hub) hostsSettled() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settling, h.settled = false, h.domain
	for _, host := range h.hosts {
		if host.stream != nil {
			host.stream.hostsChanged.set()
		}
	}
}

func (h *Hub) settledDomain() *Domain {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.settled
}

func sameSecrets(a, b *Domain) bool {
	return a.Seed == b.Seed && slices.EqualFunc(a.State.Keys, b.State.Keys, func(a, b store.SetupKey) bool {
		return a.ID == b.ID && slices.Equal(a.Secret, b.Secret)
	})
}

// Domain returns the newest domain that the hub was brought, whether it leads or
// not, or [ErrNotReady].
func (h *Hub) Domain() (*Domain, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.usable(); err != nil {
		return nil, err
	}
	return h.domain, nil
}

// Stop ends all streams, and every one to come.
func (h *Hub) Stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	for _, host := range h.hosts {
		if host.stream != nil {
			host.stream.end(ErrStopping)
		}
	}
}
