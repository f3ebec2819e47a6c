// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"mbchain/agentd/internal/lock"
	"mbchain/chain"
)

// Host is a host's part in all migrations that it is part of: it gives what
// happens to the machine that it is about, and begins and forgets machines.
type Host struct {
	here    []netip.Addr // its addresses
	parties []*party     // by when they began; a session may have several, of which one is locked
	byID    map[lock.ID]*party
	wishes  []*wish
	memory  Memory
}

// wish is one that this host leads.
type wish struct {
	*lock.Wish
	id    lock.ID // of try 0
	under bool    // a try of it is under way
}

// NewHost returns the host of these addresses, with no migrations.
func NewHost(here ...netip.Addr) *Host {
	return &Host{here: here, byID: make(map[lock.ID]*party)}
}

// SetAddresses says which addresses the host has from now on.
func (h *Host) SetAddresses(here []netip.Addr) { h.here = here }

// in returns the one of a host's addresses that a plan speaks of, the zero address
// if it speaks of none.
func in(plan *lock.Plan, addresses []netip.Addr) netip.Addr {
	for _, a := range addresses {
		if plan.Role(a) != lock.NoRole {
			return a
		}
	}
	return netip.Addr{}
}

// An Order is an [Action] and what it is about.
type Order struct {
	ID      lock.ID
	Session chain.SessionID
	Plan    *lock.Plan // nil: this host knows none, and the action is a [Send]
	Here    netip.Addr // the host's address in it
	Action  Action
}

// Role returns what this host is in the plan.
func (o Order) Role() lock.Role { return o.Plan.Role(o.Here) }

func (o Order) String() string { return fmt.Sprintf("%v: %v", o.ID, o.Action) }

// Want begins what the plan says, of which this host is the left anchor. The id
// is random and not in use. What becomes of it is told by [Report]; its id is then
// one of the tries of this one.
func (h *Host) Want(plan lock.Plan, now time.Time) ([]Order, error) {
	if !slices.Contains(h.here, plan.Left) {
		return nil, fmt.Errorf("change chain: %v is the left anchor, and not this host", plan.Left)
	}
	if err := plan.Check(); err != nil {
		return nil, fmt.Errorf("change chain: %w", err)
	}
	plan.ID = plan.ID.Try(0)
	h.wishes = append(h.wishes, &wish{Wish: lock.NewWish(plan, now), id: plan.ID})
	return h.Tick(now), nil
}

// Withdraw ends what [Want] began, unless it is committed. The id is that of any
// of its tries.
func (h *Host) Withdraw(id lock.ID, now time.Time) []Order {
	i := slices.IndexFunc(h.wishes, func(w *wish) bool { return w.id == id.Try(0) })
	if i < 0 {
		return nil
	}
	w := h.wishes[i]
	if !w.under {
		h.wishes = slices.Delete(h.wishes, i, i+1)
		return []Order{w.failed(lock.Why{Reason: lock.Cancelled, Host: w.Plan().Left})}
	}
	for _, p := range h.parties {
		if p.wish == w {
			return h.step(p, Withdrawn{}, now)
		}
	}
	return nil
}

func (w *wish) failed(why lock.Why) Order {
	plan := w.Plan()
	return Order{plan.ID, plan.Session, &plan, plan.Left, Report{StepFailed, why}}
}

// Event tells of something that this host's module, an NF or a lock order did.
func (h *Host) Event(id lock.ID, event Event, now time.Time) []Order {
	if p := h.byID[id]; p != nil {
		return h.step(p, event, now)
	}
	return nil
}

// Knows reports whether the host takes part in a migration now.
func (h *Host) Knows(id lock.ID) bool { return h.byID[id] != nil }

// Correspondents returns the hosts that this one will speak to by a plan: its
// neighbours on both paths and the left anchor, which speaks to all.
func (h *Host) Correspondents(plan *lock.Plan) []netip.Addr {
	here := in(plan, h.here)
	var list []netip.Addr
	add := func(hosts ...netip.Addr) {
		for _, a := range hosts {
			if a.IsValid() && a != here && !slices.Contains(list, a) {
				list = append(list, a)
			}
		}
	}
	for _, path := range []lock.Path{lock.OldPath, lock.NewPath} {
		left, right := plan.Beside(path, here)
		add(left, right)
	}
	if here == plan.Left {
		add(plan.Old...)
		add(plan.New...)
		add(plan.Right)
	}
	add(plan.Left)
	return list
}

// Has reports whether the host takes part in a migration of a session now.
func (h *Host) Has(session chain.SessionID) bool {
	return slices.ContainsFunc(h.parties, func(p *party) bool { return p.plan.Session == session })
}

// A Recorded is a migration that the host's module should have a record of.
type Recorded struct {
	ID      lock.ID
	Session chain.SessionID
}

// Recorded returns those that were answered by the module and are not over.
func (h *Host) Recorded() []Recorded {
	var list []Recorded
	for _, p := range h.parties {
		if p.recorded() {
			list = append(list, Recorded{p.plan.ID, p.plan.Session})
		}
	}
	return list
}

// Over tells that the module has forgotten a session, and its record with it.
func (h *Host) Over(session chain.SessionID, now time.Time) []Order {
	return h.all(SessionOver{}, now, func(p *party) bool { return p.plan.Session == session })
}

// Lost tells that the connection to a host is lost, or cannot be had.
func (h *Host) Lost(host netip.Addr, now time.Time) []Order {
	return h.all(Lost{host}, now, func(*party) bool { return true })
}

// Tick tells that time passed. It may be called at any time.
func (h *Host) Tick(now time.Time) []Order {
	orders := h.all(Tick{}, now, func(p *party) bool { return due(p.deadline(), now) })
	for _, w := range slices.Clone(h.wishes) {
		if !w.under && !now.Before(w.Due()) {
			orders = append(orders, h.try(w, now)...)
		}
	}
	return orders
}

// all gives an event to those that are concerned, the oldest first.
func (h *Host) all(event Event, now time.Time, concerned func(*party) bool) []Order {
	var orders []Order
	for _, p := range slices.Clone(h.parties) {
		if concerned(p) {
			orders = append(orders, h.step(p, event, now)...)
		}
	}
	return orders
}

// Deadline returns when the next [Host.Tick] is due; the zero time: none.
func (h *Host) Deadline() time.Time {
	var first time.Time
	take := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, p := range h.parties {
		take(p.deadline())
	}
	for _, w := range h.wishes {
		if !w.under {
			take(w.Due())
		}
	}
	return first
}

// Restore tells of a record that the module has; after the agent's start, before
// all else.
func (h *Host) Restore(r Record, now time.Time) []Order {
	p := &party{plan: r.Plan, here: in(r.Plan, h.here)}
	h.add(p)
	var actions []Action
	p.machine, actions = Restore(r, p.here, now)
	return h.orders(p, actions, now)
}

// Receive takes a message that a host sent whose certificate has these addresses,
// at least one. The error is [ErrForbidden].
func (h *Host) Receive(addresses []netip.Addr, id lock.ID, msg Message, now time.Time) ([]Order, error) {
	p := h.byID[id]
	switch m := msg.(type) {
	case lock.Request:
		if p == nil {
			return h.begin(addresses, id, m, m.Plan, now)
		}
		return nil, nil // said already
	case Syn:
		if p == nil {
			return h.begin(addresses, id, m, m.Plan, now)
		}
		m.Plan = p.plan // the first one counts
	}
	if p == nil {
		return h.recall(addresses[0], id, msg), nil
	}
	from := in(p.plan, addresses)
	if !maySend(p.plan, from, p.here, msg) {
		return nil, fmt.Errorf("%w: %v from %v", ErrForbidden, msg, addresses[0])
	}
	return h.step(p, Received{from, msg}, now), nil
}

// begin takes part in a migration that this host has no part in yet.
func (h *Host) begin(addresses []netip.Addr, id lock.ID, msg Message, plan *lock.Plan, now time.Time) ([]Order, error) {
	if err := plan.Check(); err != nil {
		return nil, fmt.Errorf("%w: %v of a plan with %w", ErrForbidden, msg, err)
	}
	here := in(plan, h.here)
	if id != plan.ID || !maySend(plan, in(plan, addresses), here, msg) {
		return nil, fmt.Errorf("%w: %v from %v", ErrForbidden, msg, addresses[0])
	}
	if h.memory.Get(id) != Undecided {
		return nil, nil
	}
	syn, ok := msg.(Syn)
	if !ok {
		return h.enlist(&party{plan: plan, here: here}, now), nil
	}
	if plan.Role(here) != lock.NewHost {
		// A right anchor that is not locked by this migration.
		h.memory.Set(id, AbortedForGood)
		why := lock.Why{Reason: lock.Unlocked, Host: here}
		return []Order{{id, plan.Session, plan, here, Send{plan.Left, Refuse{why}}}}, nil
	}
	p := &party{plan: plan, here: here}
	h.add(p)
	var actions []Action
	p.machine, actions = Join(syn, here, now)
	return h.orders(p, actions, now), nil
}

// recall answers a message of a migration that is over, or that was never heard
// of.
func (h *Host) recall(from netip.Addr, id lock.ID, msg Message) []Order {
	answer := func(m Message) []Order { return []Order{{ID: id, Action: Send{from, m}}} }
	switch msg.(type) {
	case Ask:
		h.memory.Set(id, AbortedForGood) // unless it is known to have ended otherwise
		return answer(h.memory.Get(id).word())
	case Close:
		return answer(Closed{})
	case Abort:
		h.memory.Set(id, AbortedForGood)
		return answer(Aborted{})
	case lock.Cancel:
		h.memory.Set(id, AbortedForGood)
	}
	return nil
}

// try begins the next try of a wish.
func (h *Host) try(w *wish, now time.Time) []Order {
	w.under = true
	plan := w.Next()
	return h.enlist(&party{plan: plan, here: plan.Left, wish: w}, now)
}

// enlist begins with locking.
func (h *Host) enlist(p *party, now time.Time) []Order {
	h.add(p)
	var first []lock.Action
	p.lock, first = lock.New(p.plan, p.here, now)
	return h.orders(p, wrap(first), now)
}

func (h *Host) add(p *party) {
	h.parties = append(h.parties, p)
	h.byID[p.plan.ID] = p
}

func (h *Host) step(p *party, event Event, now time.Time) []Order {
	return h.orders(p, p.step(event, now), now)
}

// orders says what actions are about, and takes note of what ended with them.
func (h *Host) orders(p *party, actions []Action, now time.Time) []Order {
	var orders []Order
	for _, a := range actions {
		orders = append(orders, Order{p.plan.ID, p.plan.Session, p.plan, p.here, a})
	}
	if p.over() {
		h.memory.Set(p.plan.ID, p.outcome())
		h.parties = slices.DeleteFunc(h.parties, func(o *party) bool { return o == p })
		delete(h.byID, p.plan.ID)
	}
	if p.wish != nil && (p.over() || p.machine != nil && !p.machine.Locked()) {
		orders = append(orders, h.end(p, now)...)
	}
	return orders
}

// end takes note of the end of a try.
func (h *Host) end(p *party, now time.Time) []Order {
	w := p.wish
	p.wish, w.under = nil, false
	if p.outcome() == AbortedForGood && w.Lost(p.why(), now) {
		if p.machine != nil {
			return nil // it has said so
		}
		return []Order{{p.plan.ID, p.plan.Session, p.plan, p.here, Report{StepAborted, p.why()}}}
	}
	h.wishes = slices.DeleteFunc(h.wishes, func(o *wish) bool { return o == w })
	if p.outcome() == Committed {
		return nil
	}
	return []Order{w.failed(p.why())}
}
