// SPDX-License-Identifier: Apache-2.0

package agenttest

import (
	"bytes"
	"context"
	"slices"
	"sync"

	pb "google.golang.org/protobuf/proto"

	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/subpolicy"
	"mbchain/chain"
	"mbchain/proto"
)

// Version is what a Module says of itself.
const Version = "agenttest"

// A Module is an agent.Kernel, a setup.Module and a mover.Module.
type Module struct {
	mu       sync.Mutex
	absent   bool
	instance uint16
	failures []error
	keys     []*proto.SetupKey
	policy   *proto.Subpolicy
	loads    []uint64
	sessions []*proto.Session
	watches  map[chan kernel.Event]bool

	setups   map[chan kernel.SetupEvent]bool
	held     map[chain.SessionID]*held
	refusals []string // of Install
	orders   []string
	port     uint16 // of the last subsession
	peers    []*proto.Peer

	nf    kernel.NF
	nfErr error // what SetNF fails with
	nfs   int   // calls of SetNF

	gateway bool
}

// NewModule returns a module with nothing in it.
func NewModule() *Module {
	return &Module{
		watches: make(map[chan kernel.Event]bool),
		setups:  make(map[chan kernel.SetupEvent]bool),
		held:    make(map[chain.SessionID]*held),

		instance: 1,
		port:     39999,
	}
}

// Unload makes the module go away, and forget. Watches are not told.
func (m *Module) Unload() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.absent = true
	m.keys, m.policy, m.sessions = nil, nil, nil
	m.nf, m.gateway = kernel.NF{}, false
	clear(m.watches)
	clear(m.setups)
	clear(m.held)
}

// SetPeers says to which neighbours SYNs with payload do not pass.
func (m *Module) SetPeers(peers []*proto.Peer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.peers = peers
}

// Peers implements agent.Kernel.
func (m *Module) Peers(context.Context) ([]*proto.Peer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.absent {
		return nil, kernel.ErrAbsent
	}
	return m.peers, nil
}

// Reload makes it come back, empty.
func (m *Module) Reload() {
	m.Unload()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.absent = false
	m.instance++
}

// FailLoad makes the next call of LoadPolicy fail. Calls add up.
func (m *Module) FailLoad(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failures = append(m.failures, err)
}

// Running returns the subpolicy in force, with the keys in force; nil if
// neither was ever loaded.
func (m *Module) Running() *proto.Subpolicy {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.policy == nil && m.keys == nil {
		return nil
	}
	running := &proto.Subpolicy{}
	if m.policy != nil {
		running = pb.CloneOf(m.policy)
	}
	running.Keys = m.keys
	return running
}

// Loads returns the versions that LoadPolicy was called for.
func (m *Module) Loads() []uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.loads)
}

// Begin installs a session and, unless silent, tells those who watch.
func (m *Module) Begin(s *proto.Session, silent bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions = append(m.sessions, s)
	if !silent {
		m.tell(kernel.Event{New: s})
	}
}

// End removes a session and, unless silent, tells those who watch.
func (m *Module) End(id []byte, silent bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.sessions, func(s *proto.Session) bool { return bytes.Equal(s.GetId(), id) })
	s := m.sessions[i]
	m.sessions = slices.Delete(m.sessions, i, i+1)
	if !silent {
		m.tell(kernel.Event{End: s, Reason: "end_fin"})
	}
}

// LoseEvents tells those who watch that they missed something.
func (m *Module) LoseEvents() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tell(kernel.Event{Resync: true})
}

// maxEvents is how many events a watch may be behind.
const maxEvents = 64

// tell needs mu.
func (m *Module) tell(e kernel.Event) {
	for w := range m.watches {
		w <- e
	}
}

// Info implements agent.Kernel.
func (m *Module) Info(context.Context) (kernel.Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.absent {
		return kernel.Info{}, kernel.ErrAbsent
	}
	info := kernel.Info{
		Module:        subpolicy.Module{Version: m.policy.GetVersion(), Seed: m.policy.GetSeed()},
		ModuleVersion: Version,
		Rules:         uint32(len(m.policy.GetRules())),
		Sessions:      uint32(len(m.sessions)),
		Instance:      m.instance,
		NF:            m.nf,
		Gateway:       m.gateway,
	}
	for _, k := range m.keys {
		info.KeyIDs = append(info.KeyIDs, k.GetId())
	}
	return info, nil
}

// SetKeys implements agent.Kernel.
func (m *Module) SetKeys(_ context.Context, keys []*proto.SetupKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.absent {
		return kernel.ErrAbsent
	}
	m.keys = keys
	return nil
}

// LoadPolicy implements agent.Kernel.
func (m *Module) LoadPolicy(_ context.Context, sub *proto.Subpolicy) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.absent {
		return kernel.ErrAbsent
	}
	m.loads = append(m.loads, sub.GetVersion())
	if len(m.failures) > 0 {
		err := m.failures[0]
		m.failures = m.failures[1:]
		return err
	}
	m.policy = sub
	m.tell(kernel.Event{Policy: sub.GetVersion()})
	return nil
}

// Sessions implements agent.Kernel.
func (m *Module) Sessions(_ context.Context, prefix []byte, limit int) ([]*proto.Session, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.absent {
		return nil, false, kernel.ErrAbsent
	}
	var found []*proto.Session
	for _, s := range m.sessions {
		switch {
		case !bytes.HasPrefix(s.GetId(), prefix):
		case limit > 0 && len(found) == limit:
			return found, true, nil
		default:
			found = append(found, pb.CloneOf(s))
		}
	}
	return found, false, nil
}

// Counters implements agent.Kernel.
func (m *Module) Counters(context.Context) ([]*proto.Counter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.absent {
		return nil, kernel.ErrAbsent
	}
	return []*proto.Counter{{Name: "sessions", Value: uint64(len(m.sessions))}}, nil
}

// Watch implements agent.Kernel.
func (m *Module) Watch(ctx context.Context, handle func(kernel.Event)) error {
	events := make(chan kernel.Event, maxEvents)
	m.mu.Lock()
	if m.absent {
		m.mu.Unlock()
		return kernel.ErrAbsent
	}
	m.watches[events] = true
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.watches, events)
	}()
	handle(kernel.Event{Resync: true})
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-events:
			handle(e)
		}
	}
}
