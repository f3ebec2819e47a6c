// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"slices"
	"time"

	"mbchain/agentd/internal/lock"
	"mbchain/chain"
)

// A wire is a subsession between two hosts. What goes into it comes out in order.
type wire struct {
	ends  [2]*node // left, right
	last  [2]time.Duration
	tuple chain.FiveTuple
}

// An entry is what the module of a host has of a session.
type entry struct {
	n           *node
	s           *sim
	left, right *wire      // in use
	accepted    [2][]*wire // by direction of what comes: from the left, from the right
	record      *record
	needs       bool    // its NF has not got the state yet that it is to go on with
	copied      lock.ID // the migration for which its NF's state is exported
	leaving     bool    // what is under way passes, nothing else
	highest     [2]int
}

// A record is what it has of a migration.
type record struct {
	Record
	fresh  [2]*wire // to the left and to the right on the new path
	waits  bool     // an anchor's packets are held
	queue  []packet
	beyond int // checkpoint: the last packet that went before; -1: none was asked for
	told   bool
	used   bool
	let    bool // what waited has gone by the old path
}

// A packet of a session; a marker if id is not 0.
type packet struct {
	d   Direction
	seq int
	id  lock.ID
}

// egress returns what the entry's packets of a direction go into.
func (e *entry) egress(d Direction) *wire {
	if r := e.record; r != nil && r.Switched && d == r.anchors() {
		return r.fresh[1-d]
	}
	if d == Rightward {
		return e.right
	}
	return e.left
}

// anchors returns the direction of the packets that an anchor sends into the
// segment.
func (r *record) anchors() Direction {
	if r.Role == lock.RightAnchor {
		return Leftward
	}
	return Rightward
}

// arrive takes a packet that came out of a wire.
func (e *entry) arrive(p packet, from *wire) {
	w := e.n.w
	if p.id != 0 {
		e.marker(p)
		return
	}
	s := e.s
	if r := e.record; r != nil && p.d == Rightward && from == r.fresh[0] && r.Role != lock.LeftAnchor && !r.used {
		r.used = true
		w.event(e.n, r.Plan.ID, NewPathUsed{})
	}
	if s.promised() {
		if p.seq <= e.highest[p.d] {
			w.fail(s, "host %v gets packet %d %v after %d", e.n, p.seq, p.d, e.highest[p.d])
		}
		if e.needs {
			w.fail(s, "host %v gets packet %d %v before its NF's state", e.n, p.seq, p.d)
		}
		if e.copied != 0 {
			w.spoil(s, e.copied)
		}
	}
	e.pass(p)
}

// pass sends a packet on, or delivers it to the application.
func (e *entry) pass(p packet) {
	if r := e.record; r != nil && r.waits && p.d == r.anchors() {
		r.queue = append(r.queue, p)
		return
	}
	e.highest[p.d] = max(p.seq, e.highest[p.d])
	out := e.egress(p.d)
	if out == nil {
		e.s.deliver(e.n.w, p)
		return
	}
	e.n.w.transmit(e.s, out, p)
}

// marker takes note of a marker, and passes it on if this is an old host.
func (e *entry) marker(p packet) {
	r := e.record
	switch {
	case r != nil && r.Plan.ID == p.id:
		r.Seen[p.d] = true
		e.n.w.event(e.n, p.id, MarkerSeen{p.d})
		if r.Role == lock.OldHost {
			e.n.w.transmit(e.s, e.egress(p.d), p)
		}
	case e.leaving:
		e.n.w.transmit(e.s, e.egress(p.d), p)
	}
}

// do carries an order out.
func (w *world) do(n *node, s *sim, o Order) {
	e := n.entries[s]
	var r *record
	if e != nil && e.record != nil && e.record.Plan.ID == o.ID {
		r = e.record
	}
	switch a := o.Action.(type) {
	case Report:
		w.reported(n, s, o, a)
	case lock.Lock:
		w.reply(n, o.ID, w.lock(n, s, e, a))
	case lock.Unlock:
		if r != nil {
			e.record = nil
		}
	case Install:
		w.reply(n, o.ID, w.install(n, s, e, a))
	case ExportState:
		if e.copied = o.ID; w.unlucky() {
			w.reply(n, o.ID, Failed{lock.NFState})
			return
		}
		w.reply(n, o.ID, Exported{[]byte("state")})
	case ImportState:
		if w.unlucky() {
			w.reply(n, o.ID, Failed{lock.NFState})
			return
		}
		e.needs = false
		w.reply(n, o.ID, Imported{})
	default:
		if r != nil {
			r.order(e, o.Action)
		}
	}
}

func (w *world) lock(n *node, s *sim, e *entry, a lock.Lock) Event {
	switch {
	case e == nil || e.leaving:
		return lock.NotLocked{Reason: lock.NoSession}
	case e.record != nil:
		return lock.NotLocked{Reason: lock.Busy}
	}
	left, right := a.Plan.Beside(lock.OldPath, n.addr)
	if left.IsValid() && (e.left == nil || e.left.ends[0].addr != left) ||
		right.IsValid() && (e.right == nil || e.right.ends[1].addr != right) {
		return lock.NotLocked{Reason: lock.PathChanged}
	}
	e.record = &record{Record: Record{Plan: a.Plan, Role: a.Role}, beyond: -1}
	return lock.Locked{}
}

func (w *world) install(n *node, s *sim, e *entry, a Install) Event {
	if w.unlucky() {
		return Failed{lock.ModuleFailed}
	}
	if a.Role == lock.NewHost {
		if e != nil {
			return Failed{lock.Busy}
		}
		e = &entry{n: n, s: s, highest: [2]int{-1, -1}}
		e.record = &record{Record: Record{Plan: a.Plan, Role: a.Role}, beyond: -1}
		e.needs = slices.ContainsFunc(a.Plan.State, func(p lock.Pair) bool { return p.To == n.addr })
		n.entries[s] = e
		if s.over { // nothing comes any more, and the module ends what is silent
			w.forget(n, s)
		}
	}
	r := e.record
	if r == nil || r.Plan.ID != a.Plan.ID {
		return Failed{lock.ModuleFailed}
	}
	if r.Installed {
		return Installed{r.Wire}
	}
	r.Installed = true
	_, next := a.Plan.Beside(lock.NewPath, n.addr)
	if a.Role != lock.LeftAnchor {
		r.fresh[0] = w.wires[a.Wire]
		e.accepted[Rightward] = append(e.accepted[Rightward], r.fresh[0])
	}
	if a.Role != lock.RightAnchor {
		r.fresh[1] = w.connect(n, w.node(next))
		r.Wire = r.fresh[1].tuple
		e.accepted[Leftward] = append(e.accepted[Leftward], r.fresh[1])
	}
	if a.Role == lock.NewHost {
		e.left, e.right = r.fresh[0], r.fresh[1]
	}
	return Installed{r.Wire}
}

// order carries out what is about the packets.
func (r *record) order(e *entry, action Action) {
	switch a := action.(type) {
	case Hold:
		if r.waits || r.Switched {
			return
		}
		if e.n.w.unlucky() {
			e.s.released = e.s.released || r.Role == lock.RightAnchor
			e.n.w.event(e.n, r.Plan.ID, Failed{lock.ModuleFailed})
			return
		}
		r.waits, r.Held = true, true
		if e.n.w.unlucky() {
			e.n.w.after(e.n.w.between(0, 30*time.Millisecond), func() { e.overflow(r) })
		}
		if a.Checkpoint {
			r.beyond = e.highest[a.Direction]
			e.s.watch(e)
		}
	case SendMarker:
		if out := e.oldEgress(a.Direction); out != nil {
			e.n.w.transmit(e.s, out, packet{d: a.Direction, id: r.Plan.ID})
		}
	case Switch:
		commits := r.Role == lock.LeftAnchor && a.Path == lock.NewPath
		if commits && (r.let || e.n.w.unlucky()) {
			e.n.w.reply(e.n, r.Plan.ID, Failed{lock.Overflowed})
			return
		}
		r.Switched = a.Path == lock.NewPath
		e.release()
		if commits {
			e.n.w.reply(e.n, r.Plan.ID, NewPathTaken{})
		}
	case Remove:
		r.remove(e, a.Path)
	}
}

func (e *entry) oldEgress(d Direction) *wire {
	if d == Rightward {
		return e.right
	}
	return e.left
}

// release lets go what is held.
func (e *entry) release() {
	r := e.record
	r.waits, r.Held = false, false
	queue := r.queue
	r.queue = nil
	for _, p := range queue {
		e.pass(p)
	}
}

// overflow lets go what is held, for want of room.
func (e *entry) overflow(r *record) {
	if e.record != r || !r.waits {
		return
	}
	e.s.released = e.s.released || r.Role == lock.RightAnchor
	r.let = true
	e.release()
	e.n.w.eventIn(e.n, r.Plan.ID, Overflow{}, e.n.w.between(0, 20*time.Millisecond))
}

// remove gives up a path; what is under way on it is taken for a second more.
func (r *record) remove(e *entry, path lock.Path) {
	w := e.n.w
	side := 1 - r.anchors() // what comes from the segment goes in this direction
	switch {
	case r.Role == lock.OldHost, r.Role == lock.NewHost && path == lock.NewPath:
		e.leaving = true
		w.after(time.Second, func() {
			if e.n.entries[e.s] == e {
				delete(e.n.entries, e.s)
			}
		})
		return
	case r.Role == lock.NewHost:
		return
	case !r.Installed:
		return
	}
	old := &e.right
	if r.Role == lock.RightAnchor {
		old = &e.left
	}
	gone := r.fresh[1-r.anchors()]
	if path == lock.OldPath {
		gone, *old = *old, gone
		r.fresh = [2]*wire{}
	}
	r.Switched, r.Installed = false, false
	w.after(time.Second, func() {
		e.accepted[side] = slices.DeleteFunc(e.accepted[side], func(x *wire) bool { return x == gone })
	})
}
