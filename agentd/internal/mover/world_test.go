// SPDX-License-Identifier: Apache-2.0

package mover

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
	"mbchain/chain"
)

// world is hosts with movers, and modules that have sessions but no packets: a marker
// passes all hosts of the old path at once.
type world struct {
	t *testing.T

	mu      sync.Mutex
	hosts   map[netip.Addr]*host
	serial  uint16
	tells   int
	dead    map[netip.Addr]bool
	latency time.Duration
	onTell  func(to netip.Addr, m migrate.Message) bool // false: it is lost
}

// host is one of them; world.mu protects it.
type host struct {
	w        *world
	addr     netip.Addr
	mover    *Mover
	stop     func()
	sessions map[chain.SessionID]*live
	events   func(kernel.MigrationEvent)
	state    map[chain.FiveTuple]string // of its NF
	nf       error                      // why its NF takes no state
	locked   int                        // sessions that are, now and at most
	most     int
	refuses  error // what the module answers to Pause
	stalls   int   // so many sessions its module locks and does not say so
	forgets  bool  // its module joins sessions and does not say so
	returns  bool  // the session has left it a moment ago; its module says so now
	letsGo   bool  // its module has let go what it held before it is to take a new path
	mute     int   // so many orders to take a new path are carried out without an answer
	deaf     int   // so many orders to end a migration are not carried out
	observed observed
}

// live is a session of a host's module.
type live struct {
	kernel.LiveSession
	next   kernel.LiveSession // with the new path
	record *kernel.MigrationRecord
}

func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, hosts: make(map[netip.Addr]*host), dead: make(map[netip.Addr]bool), latency: time.Millisecond}
		f(w)
		for _, h := range w.hosts {
			h.stop()
		}
		synctest.Wait()
	})
}

func at(k int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(k)}) }

// add makes a host with a mover that runs.
func (w *world) add(k int) *host {
	h := &host{w: w, addr: at(k), sessions: make(map[chain.SessionID]*live), state: make(map[chain.FiveTuple]string)}
	w.hosts[h.addr] = h
	h.start()
	return h
}

func (h *host) start() {
	ctx, cancel := context.WithCancel(context.Background())
	never := make(chan struct{})
	mover := New(Config{
		Addresses: func() ([]netip.Addr, error) { return []netip.Addr{h.addr}, nil },
		Tell:      h.tell, Reach: h.reach, Replaced: func() <-chan struct{} { return never }, State: h, Observer: &h.observed,
		Log: slog.New(slog.NewTextHandler(h.w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("host", h.addr),
	}, h)
	h.w.mu.Lock()
	h.mover = mover
	h.w.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { mover.Run(ctx) })
	h.stop = func() { cancel(); wg.Wait() }
}

// restart has an agent die and another one start.
func (h *host) restart() {
	h.stop()
	h.start()
}

func (h *host) tell(ctx context.Context, to netip.Addr, id lock.ID, m migrate.Message) error {
	h.w.mu.Lock()
	h.w.tells++
	other, dead, onTell, latency := h.w.hosts[to], h.w.dead[to] || h.w.dead[h.addr], h.w.onTell, h.w.latency
	if other == nil || dead {
		h.w.mu.Unlock()
		return errors.New("no route")
	}
	agent := other.mover // who runs now: a message never reaches its successor
	h.w.mu.Unlock()
	if onTell != nil && !onTell(to, m) {
		return nil
	}
	select {
	case <-time.After(latency):
	case <-ctx.Done():
		return ctx.Err()
	}
	agent.Hear([]netip.Addr{h.addr}, id, m)
	return nil
}

// reach is part of what Tell does here.
func (h *host) reach(context.Context, netip.Addr) error { return nil }

// session sets one up over these hosts.
func (w *world) session(n int, path ...int) chain.SessionID {
	id := chain.SessionID{15: byte(n), 14: byte(n >> 8), 0: 1}
	super := chain.FiveTuple{
		Source:      netip.AddrPortFrom(at(path[0]), uint16(n)+1),
		Destination: netip.AddrPortFrom(at(path[len(path)-1]), 80), Protocol: chain.ProtocolTCP,
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var left chain.FiveTuple
	for i, k := range path {
		s := kernel.LiveSession{Super: super, Left: left}
		if i < len(path)-1 {
			s.Right = w.wire(at(k), at(path[i+1]))
		}
		for _, hop := range path[i+1:] {
			s.Hops = append(s.Hops, at(hop))
		}
		left = s.Right
		w.hosts[at(k)].sessions[id] = &live{LiveSession: s}
	}
	return id
}

// wire is a subsession that is not in use; mu held.
func (w *world) wire(left, right netip.Addr) chain.FiveTuple {
	w.serial++
	return chain.FiveTuple{
		Source: netip.AddrPortFrom(left, w.serial), Destination: netip.AddrPortFrom(right, w.serial), Protocol: chain.ProtocolTCP,
	}
}

// path returns the hosts that a session passes, from the subsessions.
func (w *world) path(id chain.SessionID, first int) (path []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hosts[at(first)]
	var left chain.FiveTuple
	for {
		s := h.sessions[id]
		if s == nil || left != (chain.FiveTuple{}) && s.Left != left {
			return append(path, -1) // what the left neighbour sends is not expected here
		}
		path = append(path, int(h.addr.As4()[3]))
		if left = s.Right; left == (chain.FiveTuple{}) {
			return path
		}
		h = w.hosts[left.Destination.Addr()]
	}
}

func (w *world) plan(id chain.SessionID, left int, old, fresh []int, right int) *lock.Plan {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serial++
	p := &lock.Plan{
		ID: lock.ID(w.serial) << 8, Session: id, Super: w.hosts[at(left)].sessions[id].Super,
		Left: at(left), Right: at(right), Patience: 5 * time.Second,
	}
	for _, k := range old {
		p.Old = append(p.Old, at(k))
	}
	for _, k := range fresh {
		p.New = append(p.New, at(k))
	}
	return p
}

// idle fails the test if a session is locked anywhere.
func (w *world) idle() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.hosts {
		for id, s := range h.sessions {
			if s.record != nil {
				w.t.Errorf("host %v has a record of session %v by migration %v", h.addr, id.Short(), s.record.ID)
			}
		}
	}
}

// The module.

func (h *host) WatchMigrations(ctx context.Context, handle func(kernel.MigrationEvent)) error {
	events := make(chan kernel.MigrationEvent, 1024)
	h.w.mu.Lock()
	h.events = func(e kernel.MigrationEvent) { events <- e }
	h.w.mu.Unlock()
	handle(kernel.MigrationEvent{Resync: true})
	for {
		select {
		case e := <-events:
			handle(e)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (h *host) MigrationRecords(context.Context) ([]kernel.MigrationRecord, error) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	var list []kernel.MigrationRecord
	for _, s := range h.sessions {
		if s.record != nil {
			list = append(list, *s.record)
		}
	}
	return list, nil
}

func (h *host) LiveSession(_ context.Context, id chain.SessionID) (kernel.LiveSession, error) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	if s := h.sessions[id]; s != nil {
		return s.LiveSession, nil
	}
	return kernel.LiveSession{}, kernel.ErrNoSession
}

// with gives do the session whose record is of a migration.
func (h *host) with(id chain.SessionID, migration lock.ID, do func(s *live)) error {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	s := h.sessions[id]
	if s == nil || s.record == nil || s.record.ID != migration {
		return kernel.ErrNoSession
	}
	do(s)
	return nil
}

func (h *host) LockSession(_ context.Context, id chain.SessionID, migration lock.ID, role lock.Role, plan []byte, _ time.Duration) error {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	s := h.sessions[id]
	switch {
	case s == nil:
		return kernel.ErrNoSession
	case s.record != nil:
		return kernel.ErrBusy
	}
	h.record(s, &kernel.MigrationRecord{Session: id, ID: migration, Role: role, Plan: plan})
	if h.stalls > 0 {
		h.stalls--
		return context.DeadlineExceeded
	}
	return nil
}

// record needs mu.
func (h *host) record(s *live, r *kernel.MigrationRecord) {
	s.record, s.next = r, s.LiveSession
	h.locked++
	h.most = max(h.most, h.locked)
}

func (h *host) OpenRight(_ context.Context, id chain.SessionID, migration lock.ID, hops []netip.Addr) (wire chain.FiveTuple, err error) {
	err = h.with(id, migration, func(s *live) {
		if !s.record.Installed {
			s.record.Installed = true
			s.next.Hops, s.next.Right = hops, h.w.wire(h.addr, hops[0])
			s.record.Right = s.next.Right
		}
		wire = s.next.Right
	})
	return wire, err
}

func (h *host) OpenLeft(_ context.Context, id chain.SessionID, migration lock.ID, wire chain.FiveTuple) error {
	return h.with(id, migration, func(s *live) { s.record.Installed, s.next.Left = true, wire })
}

func (h *host) JoinLive(_ context.Context, j kernel.LiveJoin) (chain.FiveTuple, error) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	if h.sessions[j.ID] != nil {
		return chain.FiveTuple{}, kernel.ErrBusy
	}
	s := &live{LiveSession: kernel.LiveSession{Super: j.Super, Left: j.Left, Right: h.w.wire(h.addr, j.Hops[0]), Hops: j.Hops}}
	h.sessions[j.ID] = s
	if h.returns {
		h.events(kernel.MigrationEvent{Over: j.ID})
	}
	h.record(s, &kernel.MigrationRecord{
		Session: j.ID, ID: j.Migration, Role: lock.NewHost, Plan: j.Plan, Installed: true, Right: s.Right,
	})
	if h.forgets {
		return chain.FiveTuple{}, context.DeadlineExceeded
	}
	return s.Right, nil
}

func (h *host) Pause(_ context.Context, id chain.SessionID, migration lock.ID, p kernel.Pause) error {
	if h.refuses != nil {
		return h.refuses
	}
	return h.with(id, migration, func(s *live) {
		s.record.Held = true
		if p.Checkpoint { // nothing is under way
			s.record.AckReached = true
			h.events(kernel.MigrationEvent{Record: *s.record})
		}
	})
}

// Mark has all hosts see the marker.
func (h *host) Mark(_ context.Context, id chain.SessionID, migration lock.ID) error {
	var d migrate.Direction
	err := h.with(id, migration, func(s *live) {
		if s.record.Role == lock.RightAnchor {
			d = migrate.Leftward
		}
	})
	if err != nil {
		return err
	}
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	for _, o := range h.w.hosts {
		s := o.sessions[id]
		if o == h || s == nil || s.record == nil || s.record.ID != migration || s.record.Role == lock.NewHost {
			continue
		}
		s.record.Passed[d] = true
		if o.events != nil {
			o.events(kernel.MigrationEvent{Record: *s.record})
		}
	}
	return nil
}

func (h *host) SwitchPath(_ context.Context, id chain.SessionID, migration lock.ID, path lock.Path) error {
	var answer error
	err := h.with(id, migration, func(s *live) {
		s.record.Held = false
		if path == lock.NewPath && h.letsGo {
			answer = kernel.ErrBusy
			return
		}
		if path == lock.NewPath && h.mute > 0 {
			h.mute--
			answer = context.DeadlineExceeded
		}
		if (path == lock.NewPath) != s.record.Switched {
			s.record.Switched = path == lock.NewPath
			s.LiveSession, s.next = s.next, s.LiveSession
		}
	})
	return cmp.Or(err, answer)
}

func (h *host) EndMigration(_ context.Context, id chain.SessionID, migration lock.ID, gone bool) error {
	h.w.mu.Lock()
	if h.deaf > 0 {
		h.deaf--
		h.w.mu.Unlock()
		return context.DeadlineExceeded
	}
	h.w.mu.Unlock()
	return h.with(id, migration, func(s *live) {
		s.record = nil
		h.locked--
		if gone {
			delete(h.sessions, id)
		}
	})
}

func (h *host) SetHops(_ context.Context, id chain.SessionID, hops []netip.Addr) error {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	if h.sessions[id] == nil {
		return kernel.ErrNoSession
	}
	h.sessions[id].Hops = hops
	return nil
}

// The network function.

func (h *host) Export(_ context.Context, _ lock.Method, super chain.FiveTuple) ([]byte, error) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	return []byte(h.state[super]), nil
}

func (h *host) Import(_ context.Context, _ lock.Method, super chain.FiveTuple, state []byte) error {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	if h.nf == nil {
		h.state[super] = string(state)
	}
	return h.nf
}

func (h *host) Drop(_ context.Context, _ lock.Method, super chain.FiveTuple) error {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	delete(h.state, super)
	return nil
}

func (w *world) wantPath(id chain.SessionID, want ...int) {
	w.t.Helper()
	if got := w.path(id, want[0]); !slices.Equal(got, want) {
		w.t.Errorf("session %v passes %v, want %v", id.Short(), got, want)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, k := range want {
		var hops []int
		s := w.hosts[at(k)].sessions[id]
		if s == nil {
			w.t.Errorf("host %d does not have session %v", k, id.Short())
			continue
		}
		for _, a := range s.Hops {
			hops = append(hops, int(a.As4()[3]))
		}
		if !slices.Equal(hops, want[i+1:]) {
			w.t.Errorf("host %d says that %v are right of it, want %v", k, hops, want[i+1:])
		}
	}
	for k, h := range w.hosts {
		if h.sessions[id] != nil && !slices.ContainsFunc(want, func(n int) bool { return at(n) == k }) {
			w.t.Errorf("host %v has session %v", k, id.Short())
		}
	}
}
