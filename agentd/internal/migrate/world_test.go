// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mbchain/agentd/internal/lock"
	"mbchain/chain"
)

// world is hosts with their modules and agents, sessions, a network for packets
// that loses only markers, and one for messages that does what it likes. Virtual
// time; all chance comes from one seed.
type world struct {
	t        testing.TB
	rng      *rand.Rand
	now      time.Duration
	queue    agenda
	serial   int
	nodes    []*node
	sessions []*sim
	wires    map[chain.FiveTuple]*wire

	latency func(from, to *node) time.Duration // of a packet
	// fate says after what times a message arrives; never, if there is none.
	fate       func(from, to *node, id lock.ID, m Message) []time.Duration
	losesMark  func() bool
	breaks     func(*node) bool // whether the agent crashes before its next order
	watcher    func(n *node, id lock.ID, event Event, orders []Order)
	onReport   func(n *node, o Order, r Report)
	afterOrder func(*sim)
	committed  map[lock.ID]bool
	spoiled    map[lock.ID]bool // packets came to an NF after its state was copied
	outage     time.Duration    // how long an agent is down at most
	failed     bool
	steps      int

	taken   map[row]bool         // changes of state that happened; nil: nobody asks
	unlucky func() bool          // whether a module or an NF fails
	work    func() time.Duration // how long they take to answer
}

// A node is a host.
type node struct {
	w       *world
	name    string
	addr    netip.Addr
	host    *Host // nil: the agent is down
	dead    bool  // and so is the module
	entries map[*sim]*entry
	tick    time.Duration // when one is planned; 0: none
}

func (n *node) String() string { return n.name }

// A sim is a session.
type sim struct {
	id        chain.SessionID
	guarantee lock.Guarantee
	ends      [2]*node // client, server
	sent, got [2]int
	early     [2]map[int]bool // what came before its turn
	released  bool            // order was given up, and somebody said so
	over      bool
	watching  []*entry
}

func (s *sim) promised() bool { return s.guarantee != lock.LossFree && !s.released }

// start is when virtual time begins.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), wires: make(map[chain.FiveTuple]*wire)}
	w.committed, w.spoiled = make(map[lock.ID]bool), make(map[lock.ID]bool)
	w.latency = func(_, _ *node) time.Duration { return w.between(time.Millisecond, 5*time.Millisecond) }
	w.fate = func(from, to *node, _ lock.ID, _ Message) []time.Duration {
		return []time.Duration{w.latency(from, to)}
	}
	w.losesMark = func() bool { return false }
	w.breaks = func(*node) bool { return false }
	w.unlucky = func() bool { return false }
	w.work = func() time.Duration { return 0 }
	return w
}

func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Int64N(int64(b-a)))
}

func (w *world) chance(percent float64) bool { return w.rng.Float64()*100 < percent }

func (w *world) clock() time.Time { return start.Add(w.now) }

func (w *world) addNode(name string) *node {
	i := len(w.nodes)
	n := &node{
		w: w, name: name, addr: netip.AddrFrom4([4]byte{10, 0, byte((i + 1) >> 8), byte(i + 1)}),
		entries: make(map[*sim]*entry),
	}
	n.host = NewHost(n.addr)
	w.nodes = append(w.nodes, n)
	return n
}

func (w *world) node(a netip.Addr) *node {
	b := a.As4()
	return w.nodes[int(binary.BigEndian.Uint16(b[2:]))-1]
}

func (w *world) session(id chain.SessionID) *sim {
	return w.sessions[binary.BigEndian.Uint32(id[:])-1]
}

// connect makes a subsession between two hosts.
func (w *world) connect(left, right *node) *wire {
	k := len(w.wires) + 1
	tuple := chain.FiveTuple{
		Source:      netip.AddrPortFrom(left.addr, uint16(k>>16)+1),
		Destination: netip.AddrPortFrom(right.addr, uint16(k)),
		Protocol:    chain.ProtocolTCP,
	}
	x := &wire{ends: [2]*node{left, right}, tuple: tuple}
	w.wires[tuple] = x
	return x
}

// addSession sets a session up on a path.
func (w *world) addSession(g lock.Guarantee, path ...*node) *sim {
	s := &sim{guarantee: g, ends: [2]*node{path[0], path[len(path)-1]}}
	for d := range s.early {
		s.early[d] = make(map[int]bool)
	}
	binary.BigEndian.PutUint32(s.id[:], uint32(len(w.sessions)+1))
	w.sessions = append(w.sessions, s)
	var last *entry
	for _, n := range path {
		e := &entry{n: n, s: s, highest: [2]int{-1, -1}}
		n.entries[s] = e
		if last != nil {
			x := w.connect(last.n, n)
			last.right, e.left = x, x
			last.accepted[Leftward] = append(last.accepted[Leftward], x)
			e.accepted[Rightward] = append(e.accepted[Rightward], x)
		}
		last = e
	}
	return s
}

// An appointment is something that will happen.
type appointment struct {
	at     time.Duration
	serial int
	what   func()
}

type agenda []appointment

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].serial < a[j].serial
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(appointment)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

func (w *world) after(d time.Duration, what func()) {
	w.serial++
	heap.Push(&w.queue, appointment{w.now + d, w.serial, what})
}

// run lets everything happen that is due within d, or all there is if that ends
// sooner.
func (w *world) run(d time.Duration) {
	end := w.now + d
	for len(w.queue) > 0 && w.queue[0].at <= end && !w.failed {
		w.next()
	}
	if len(w.queue) > 0 {
		w.now = end
	}
}

// next lets the next thing happen, and reports whether there was one.
func (w *world) next() bool {
	if len(w.queue) == 0 {
		return false
	}
	a := heap.Pop(&w.queue).(appointment)
	w.now = a.at
	a.what()
	return true
}

func (w *world) fail(s *sim, format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("at %v, session %v (%v): %s", w.now, s.id.Short(), s.guarantee, fmt.Sprintf(format, args...))
	w.failed = true
}

// event tells an agent of something, now but after what it is doing.
func (w *world) event(n *node, id lock.ID, e Event) { w.eventIn(n, id, e, 0) }

// reply does so when module or NF have done their work.
func (w *world) reply(n *node, id lock.ID, e Event) { w.eventIn(n, id, e, w.work()) }

func (w *world) eventIn(n *node, id lock.ID, e Event, d time.Duration) {
	host := n.host
	w.after(d, func() {
		if host != nil && n.host == host { // not told to one that was started since
			w.obey(n, id, e, w.noting(n, e, func() []Order { return host.Event(id, e, w.clock()) }))
		}
	})
}

// obey carries orders out, and looks at the world after each.
func (w *world) obey(n *node, id lock.ID, e Event, orders []Order) {
	w.steps++
	if w.watcher != nil {
		w.watcher(n, id, e, orders)
	}
	host := n.host
	for _, o := range orders {
		if n.host != host || n.dead {
			return
		}
		if w.breaks(n) {
			w.crash(n)
			return
		}
		if send, ok := o.Action.(Send); ok {
			w.say(n, o.ID, send)
			continue
		}
		s := w.session(o.Session)
		w.do(n, s, o)
		w.check(n, s)
		if w.afterOrder != nil {
			w.afterOrder(s)
		}
	}
	w.plan(n)
}

// plan has the agent's next tick come.
func (w *world) plan(n *node) {
	if n.host == nil {
		return
	}
	deadline := n.host.Deadline()
	if deadline.IsZero() {
		return
	}
	at := max(deadline.Sub(start), w.now)
	if n.tick != 0 && n.tick <= at {
		return
	}
	n.tick = at
	w.after(at-w.now, func() {
		if n.tick != at {
			return
		}
		n.tick = 0
		if n.host != nil {
			w.obey(n, 0, Tick{}, w.noting(n, Tick{}, func() []Order { return n.host.Tick(w.clock()) }))
		}
	})
}

// say sends a message. It is for the agent that runs now: connections end with
// agents.
func (w *world) say(n *node, id lock.ID, a Send) {
	to := w.node(a.To)
	agent := to.host
	for _, d := range w.fate(n, to, id, a.Message) {
		w.after(d, func() {
			if agent != nil && to.host == agent {
				w.hear(n, to, id, a.Message)
			}
		})
	}
}

func (w *world) hear(from, to *node, id lock.ID, m Message) {
	var err error
	orders := w.noting(to, Received{from.addr, m}, func() (orders []Order) {
		orders, err = to.host.Receive([]netip.Addr{from.addr}, id, m, w.clock())
		return orders
	})
	if err != nil {
		w.t.Errorf("at %v, %v: %v", w.now, to, err)
		w.failed = true
		return
	}
	w.obey(to, id, Received{from.addr, m}, orders)
}

// crash ends an agent; its module goes on.
func (w *world) crash(n *node) {
	if w.watcher != nil && n.host != nil {
		w.watcher(n, 0, said("crash"), nil)
	}
	n.host, n.tick = nil, 0
}

type said string

func (s said) String() string { return string(s) }

// restart starts it again. It learns from the module.
func (w *world) restart(n *node) {
	if n.host != nil || n.dead {
		return
	}
	n.host = NewHost(n.addr)
	if w.watcher != nil {
		w.watcher(n, 0, said("restart"), nil)
	}
	var held []*entry
	for _, e := range n.entries {
		if e.record != nil {
			held = append(held, e)
		}
	}
	slices.SortFunc(held, func(a, b *entry) int { return strings.Compare(a.s.id.String(), b.s.id.String()) })
	for _, e := range held {
		if n.host != nil && e.record != nil {
			w.obey(n, e.record.Plan.ID, said("Restored"), n.host.Restore(e.record.Record, w.clock()))
		}
	}
}

// kill ends a host for good.
func (w *world) kill(n *node) {
	w.crash(n)
	n.dead = true
}

// lose tells every agent that the connection to n is lost.
func (w *world) lose(n *node) {
	for _, o := range w.nodes {
		if o != n && o.host != nil && slices.ContainsFunc(o.host.parties, func(p *party) bool {
			return p.plan.Role(n.addr) != lock.NoRole
		}) {
			w.obey(o, 0, Lost{n.addr}, w.noting(o, Lost{n.addr}, func() []Order { return o.host.Lost(n.addr, w.clock()) }))
		}
	}
}

// finish ends a session as FIN does: every module sees it a little later.
func (w *world) finish(s *sim) {
	s.over = true
	for _, n := range w.nodes {
		if n.entries[s] != nil {
			w.forget(n, s)
		}
	}
}

// forget has a module see the end of a session a little later.
func (w *world) forget(n *node, s *sim) {
	w.after(w.between(0, 20*time.Millisecond), func() {
		e := n.entries[s]
		delete(n.entries, s)
		if e != nil && e.record != nil {
			w.event(n, e.record.Plan.ID, SessionOver{})
		}
	})
}

// transmit puts a packet into a wire.
func (w *world) transmit(s *sim, x *wire, p packet) {
	from, to := x.ends[0], x.ends[1]
	if p.d == Leftward {
		from, to = to, from
	}
	if p.id != 0 && w.losesMark() {
		return
	}
	at := max(w.now+w.latency(from, to), x.last[p.d])
	x.last[p.d] = at
	w.after(at-w.now, func() {
		e := to.entries[s]
		if !to.dead && !s.over && (e == nil || !slices.Contains(e.accepted[p.d], x)) && p.id == 0 {
			w.fail(s, "host %v does not take packet %d %v from %v", to, p.seq, p.d, from)
		}
		if e != nil && !to.dead {
			e.arrive(p, x)
		}
	})
}

// send has an application send a packet.
func (w *world) send(s *sim, d Direction) {
	from := s.ends[d]
	e := from.entries[s]
	if e == nil || from.dead {
		return
	}
	p := packet{d: d, seq: s.sent[d]}
	s.sent[d]++
	e.pass(p)
}

func (s *sim) deliver(w *world, p packet) {
	if p.seq < s.got[p.d] || s.early[p.d][p.seq] {
		w.fail(s, "packet %d %v comes twice", p.seq, p.d)
	}
	s.early[p.d][p.seq] = true
	for s.early[p.d][s.got[p.d]] {
		delete(s.early[p.d], s.got[p.d])
		s.got[p.d]++
	}
	s.acknowledge(w)
}

// watch has an anchor told when what it let pass is acknowledged.
func (s *sim) watch(e *entry) {
	s.watching = append(s.watching, e)
	s.acknowledge(e.n.w)
}

func (s *sim) acknowledge(w *world) {
	s.watching = slices.DeleteFunc(s.watching, func(e *entry) bool {
		r := e.record
		if r == nil {
			return true
		}
		if r.told || s.got[r.anchors()] <= r.beyond {
			return r.told
		}
		r.told = true
		w.after(w.between(time.Millisecond, 10*time.Millisecond), func() {
			if e.record == r {
				r.AckReached = true
				w.event(e.n, r.Plan.ID, AckReached{})
			}
		})
		return true
	})
}

// check fails the test unless session s has one complete path in each direction,
// and host n takes part in one migration of it at most. One that has died on the
// path excuses it.
func (w *world) check(n *node, s *sim) {
	if s.over {
		return
	}
	for d := range Leftward + 1 {
		if path, ok := w.trace(s, d); !ok {
			w.fail(s, "no path %v: %v", d, path)
		}
	}
	if n.host == nil {
		return
	}
	parts := 0
	for _, p := range n.host.parties {
		if p.plan.Session != s.id {
			continue
		}
		switch {
		case p.machine == nil && p.lock.State() == lock.Locking, p.machine != nil && p.machine.State() == Installing:
			continue // the module has not said yes
		case p.machine != nil && !p.machine.Locked(), p.machine == nil && p.lock.State() == lock.Over:
			continue
		}
		parts++
		if e := n.entries[s]; e == nil || e.record == nil || e.record.Plan.ID != p.plan.ID {
			w.fail(s, "host %v believes to be part of %v, its module does not", n, p.plan.ID)
		}
	}
	if parts > 1 {
		w.fail(s, "host %v takes part in %d migrations", n, parts)
	}
}

// trace follows a packet that would be sent now. What is held is followed along
// the old path, by which it would be released.
func (w *world) trace(s *sim, d Direction) (path []*node, ok bool) {
	n := s.ends[d]
	for range 64 {
		path = append(path, n)
		e := n.entries[s]
		if n.dead {
			return path, true
		}
		if e == nil {
			return path, false
		}
		out := e.egress(d)
		if out == nil {
			return path, n == s.ends[1-d] && !e.leaving
		}
		next := out.ends[1-d]
		to := next.entries[s]
		if e.leaving || !next.dead && (to == nil || !slices.Contains(to.accepted[d], out)) {
			return append(path, next), false
		}
		n = next
	}
	return path, false
}

// path returns the hosts of a session, left to right.
func (w *world) path(s *sim) []*node {
	path, _ := w.trace(s, Rightward)
	return path
}

// want asks the left anchor of a plan for it.
func (w *world) want(plan lock.Plan) error {
	n := w.node(plan.Left)
	orders, err := n.host.Want(plan, w.clock())
	if err != nil {
		return err
	}
	w.obey(n, plan.ID.Try(0), said("Want"), orders)
	return nil
}

func (w *world) reported(n *node, s *sim, o Order, r Report) {
	switch r.Step {
	case StepReleased:
		s.released = true
	case StepCommitted:
		w.committed[o.ID] = true
		if s.promised() && w.spoiled[o.ID] {
			w.fail(s, "%v commits to a state that is not the last one", o.ID)
		}
	}
	if w.onReport != nil {
		w.onReport(n, o, r)
	}
}

// spoil takes note of a packet that came to an NF after its state was copied: the
// migration is aborted then, or must be.
func (w *world) spoil(s *sim, id lock.ID) {
	w.spoiled[id] = true
	if w.committed[id] {
		w.fail(s, "%v has committed to a state that is not the last one", id)
	}
}

// planFor returns a plan for hosts i to j of a session's path.
func (w *world) planFor(s *sim, path []*node, i, j int, fresh ...*node) lock.Plan {
	p := lock.Plan{
		ID: lock.ID(w.rng.Uint64()), Session: s.id, Guarantee: s.guarantee,
		Super: chain.FiveTuple{
			Source:      netip.AddrPortFrom(s.ends[0].addr, 40000),
			Destination: netip.AddrPortFrom(s.ends[1].addr, 80), Protocol: chain.ProtocolTCP,
		},
		Left: path[i].addr, Right: path[j].addr, Patience: 5 * time.Second,
	}
	for _, n := range path[i+1 : j] {
		p.Old = append(p.Old, n.addr)
	}
	for _, n := range fresh {
		p.New = append(p.New, n.addr)
	}
	if s.guarantee != lock.LossFree {
		for k := range min(len(p.Old), len(p.New)) {
			p.State = append(p.State, lock.Pair{From: p.Old[k], To: p.New[k], Method: lock.Conntrack})
		}
	}
	return p
}

// settled fails the test unless nothing is under way any more: no record, no
// machine, no wish, and all packets have come.
func (w *world) settled() {
	if w.failed {
		return
	}
	for _, n := range w.nodes {
		if n.dead {
			continue
		}
		for s, e := range n.entries {
			if e.record != nil {
				w.fail(s, "host %v is locked for ever by %v as %v", n, e.record.Plan.ID, e.record.Role)
			}
		}
		if n.host == nil {
			continue
		}
		for _, p := range n.host.parties {
			w.fail(w.session(p.plan.Session), "host %v never ends %v", n, p.plan.ID)
		}
		if len(n.host.wishes) > 0 {
			w.t.Errorf("host %v never ends a wish", n)
		}
	}
	for _, s := range w.sessions {
		w.check(s.ends[0], s)
		for d := range s.sent {
			if !s.over && !w.hasDead() && s.got[d] != s.sent[d] {
				w.fail(s, "%d packets sent %v, %d got", s.sent[d], Direction(d), s.got[d])
			}
		}
	}
}

// hasDead reports whether a host has died, and packets with it.
func (w *world) hasDead() bool {
	return slices.ContainsFunc(w.nodes, func(n *node) bool { return n.dead })
}
