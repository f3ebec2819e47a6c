// SPDX-License-Identifier: Apache-2.0

package agenttest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/session"
	"mbchain/chain"
)

// held is what a Module has of a session that is set up out-of-band.
type held struct {
	part   session.Part
	joined bool // by Install
	setup  chain.Setup
}

// Want makes a session of this host wait and, unless silent, tells those who
// undertook to set sessions up.
func (m *Module) Want(p session.Part, silent bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held[p.ID] = &held{part: p, setup: chain.SetupWaiting}
	if !silent {
		m.tellSetups(kernel.SetupEvent{Wanted: &p})
	}
}

// WantAgain tells them of a session once more.
func (m *Module) WantAgain(id chain.SessionID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.held[id].part
	m.tellSetups(kernel.SetupEvent{Wanted: &p})
}

// LoseSetups tells them that they missed something.
func (m *Module) LoseSetups() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tellSetups(kernel.SetupEvent{Resync: true})
}

// Setup returns how a session stands; SetupUnspecified: there is none.
func (m *Module) Setup(id chain.SessionID) chain.Setup {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.held[id]; h != nil {
		return h.setup
	}
	return chain.SetupUnspecified
}

// Expire makes the module give a session up that waits, as time does.
func (m *Module) Expire(id chain.SessionID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held[id].setup = chain.SetupBlocked
}

// RefuseInstall makes the next calls of Install fail for a reason; empty: for
// none of the module's own.
func (m *Module) RefuseInstall(reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refusals = append(m.refusals, reason)
}

// Orders returns what Install, Release, Fail and Delete were called for, in
// order.
func (m *Module) Orders() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.orders...)
}

// SetupListened reports whether somebody undertook to set sessions up.
func (m *Module) SetupListened() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.setups) > 0
}

func (m *Module) tellSetups(e kernel.SetupEvent) {
	for w := range m.setups {
		w <- e
	}
}

// WatchSetup implements setup.Module.
func (m *Module) WatchSetup(ctx context.Context, handle func(kernel.SetupEvent)) error {
	events := make(chan kernel.SetupEvent, maxEvents)
	m.mu.Lock()
	if m.absent {
		m.mu.Unlock()
		return kernel.ErrAbsent
	}
	m.setups[events] = true
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.setups, events)
	}()
	handle(kernel.SetupEvent{Resync: true})
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-events:
			handle(e)
		}
	}
}

// Waiting implements setup.Module.
func (m *Module) Waiting(context.Context) ([]session.Part, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.absent {
		return nil, kernel.ErrAbsent
	}
	var waiting []session.Part
	for _, h := range m.held {
		if h.setup == chain.SetupWaiting {
			waiting = append(waiting, h.part)
		}
	}
	return waiting, nil
}

// Waits implements setup.Module.
func (m *Module) Waits(_ context.Context, id chain.SessionID) (bool, error) {
	return m.Setup(id) == chain.SetupWaiting, nil
}

// Install implements setup.Module.
func (m *Module) Install(_ context.Context, syn session.Syn) (session.Part, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.orders = append(m.orders, "install")
	switch {
	case m.absent:
		return session.Part{}, kernel.ErrAbsent
	case len(m.refusals) > 0:
		reason := m.refusals[0]
		m.refusals = m.refusals[1:]
		err := fmt.Errorf("new session: %s", reason)
		if reason == "" {
			return session.Part{}, err
		}
		return session.Part{}, &kernel.NotInstalledError{Reason: reason, Err: err}
	}
	if h := m.held[syn.ID]; h != nil {
		return h.part, nil
	}
	h := &held{
		part:   session.Part{ID: syn.ID, Super: syn.Super, Hops: syn.Hops},
		joined: true, setup: chain.SetupDone,
	}
	if len(syn.Hops) > 0 {
		m.port++
		h.setup = chain.SetupWaiting
		h.part.Right = chain.FiveTuple{
			Source:      netip.AddrPortFrom(syn.Wire.Destination.Addr(), m.port),
			Destination: netip.AddrPortFrom(syn.Hops[0], m.port), Protocol: syn.Super.Protocol,
		}
	}
	m.held[syn.ID] = h
	return h.part, nil
}

var errNotWaiting = errors.New("finish set-up: does not wait")

// Release implements setup.Module.
func (m *Module) Release(_ context.Context, id chain.SessionID, known bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	order := "release"
	if known {
		order += " known"
	}
	m.orders = append(m.orders, order)
	h := m.held[id]
	if h == nil || h.setup != chain.SetupWaiting && h.setup != chain.SetupDone {
		return errNotWaiting
	}
	h.setup = chain.SetupDone
	return nil
}

// Fail implements setup.Module.
func (m *Module) Fail(_ context.Context, id chain.SessionID, why session.Why) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.orders = append(m.orders, "fail: "+why.String())
	h := m.held[id]
	switch {
	case h == nil || h.setup != chain.SetupWaiting:
	case h.joined:
		delete(m.held, id)
	default:
		h.setup = chain.SetupBlocked
	}
	return nil
}

// Delete implements setup.Module.
func (m *Module) Delete(_ context.Context, id chain.SessionID, _ bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.orders = append(m.orders, "delete")
	delete(m.held, id)
	return nil
}
