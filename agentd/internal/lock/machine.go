// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"net/netip"
	"time"
)

const (
	// FirstPatience is how long the left anchor waits for an APPROVE of a wish's first
	// try. Each one after it waits twice as long, for hosts that are slow or far, up to
	// LongestPatience.
	FirstPatience   = time.Second
	LongestPatience = 4 * time.Second
)

// patience is how long a host waits for the APPROVE of a try. An old one waits longer
// than the left anchor, which will have given up before.
func patience(id ID, r Role) time.Duration {
	p := min(FirstPatience<<id.Tries(), LongestPatience)
	if r == OldHost {
		return 2 * p
	}
	return p
}

// A State is how far a [Machine] has come.
type State uint8

// The states of a [Machine].
const (
	Locking State = iota // the module is asked for the record
	Waiting              // the right neighbour has a REQUEST
	Held                 // all from here to the right anchor are locked
	Over                 // this host is not locked, or not by this machine
)

// String returns the name of the state in lower case.
func (s State) String() string { return name(s, "locking", "waiting", "held", "over") }

// Machine is one host's part in locking the segment of one plan. "leave" is:
// Unlock; CANCEL to the right, unless it is lost or the news came from there;
// REJECT to the left at an old host, unless it is lost or the news came from there.
//
//	role   state    event          next     actions
//	left   locking  Locked         waiting  REQUEST
//	left   locking  NotLocked      over
//	left   waiting  Approve        held
//	left   waiting  Reject         over     leave
//	left   waiting  Lost right     over     leave
//	left   locking  Gone           over     leave
//	left   locking  Withdrawn      over     leave
//	left   waiting  Withdrawn      over     leave
//	left   waiting  Gone           over     leave
//	left   waiting  Tick           over     leave, after its patience
//	old    locking  Locked         waiting  REQUEST
//	old    locking  NotLocked      over     REJECT
//	old    locking  Cancel         over     leave
//	old    locking  Lost left      over     leave
//	old    locking  Gone           over     leave
//	old    waiting  Approve        held     APPROVE
//	old    waiting  Reject         over     leave, in the same words
//	old    waiting  Cancel         over     leave
//	old    waiting  Lost left      over     leave
//	old    waiting  Lost right     over     leave
//	old    waiting  Gone           over     leave
//	old    waiting  Tick           over     leave, after twice that
//	right  locking  Locked         held     APPROVE
//	right  locking  NotLocked      over     REJECT
//	right  locking  Cancel         over     leave
//	right  locking  Lost left      over     leave
//	right  locking  Gone           over     leave
//
// All else changes nothing. What becomes of a machine that is held is for package
// migrate to say.
type Machine struct {
	plan        *Plan
	here        netip.Addr
	role        Role
	left, right netip.Addr // neighbours on the old path, within the segment
	state       State
	deadline    time.Time
	why         Why
}

// New returns the machine of the host with this address, which has a role other
// than [NewHost] in the plan, and what is to be done first.
func New(plan *Plan, here netip.Addr, now time.Time) (*Machine, []Action) {
	m := &Machine{plan: plan, here: here, role: plan.Role(here)}
	m.left, m.right = plan.Beside(OldPath, here)
	m.deadline = now.Add(patience(plan.ID, m.role))
	return m, []Action{Lock{plan, m.role}}
}

// State returns the machine's present state.
func (m *Machine) State() State { return m.state }

// Why returns why the machine is over.
func (m *Machine) Why() Why { return m.why }

// Deadline returns when the next Tick is due; the zero time: none.
func (m *Machine) Deadline() time.Time {
	if m.state == Waiting {
		return m.deadline
	}
	return time.Time{}
}

// Step takes one event and returns what is to be done, in this order.
func (m *Machine) Step(event Event, now time.Time) []Action {
	switch m.state {
	case Locking:
		return m.locking(event)
	case Waiting:
		return m.waiting(event, now)
	}
	return nil
}

func (m *Machine) locking(event Event) []Action {
	switch e := event.(type) {
	case Locked:
		if m.role == RightAnchor {
			m.state = Held
			return []Action{Send{m.left, Approve{}}}
		}
		m.state = Waiting
		return []Action{Send{m.right, Request{m.plan}}}
	case NotLocked:
		m.state, m.why = Over, Why{e.Reason, m.here}
		return m.tell(m.left)
	case Cancel:
		return m.leave(Why{Cancelled, m.left}, netip.Addr{}, netip.Addr{})
	case Gone:
		return m.leave(Why{SessionEnded, m.here}, m.left, netip.Addr{})
	case Withdrawn:
		return m.leave(Why{Cancelled, m.here}, netip.Addr{}, netip.Addr{})
	case Lost:
		if e.Host == m.left {
			return m.leave(Why{NoAnswer, m.left}, netip.Addr{}, netip.Addr{})
		}
	}
	return nil
}

func (m *Machine) waiting(event Event, now time.Time) []Action {
	switch e := event.(type) {
	case Approve:
		m.state = Held
		if m.role == OldHost {
			return []Action{Send{m.left, Approve{}}}
		}
	case Reject:
		return m.leave(e.Why, m.left, netip.Addr{})
	case Cancel:
		return m.leave(Why{Cancelled, m.left}, netip.Addr{}, m.right)
	case Gone:
		return m.leave(Why{SessionEnded, m.here}, m.left, m.right)
	case Withdrawn:
		return m.leave(Why{Cancelled, m.here}, netip.Addr{}, m.right)
	case Lost:
		switch e.Host {
		case m.left:
			return m.leave(Why{NoAnswer, m.left}, netip.Addr{}, m.right)
		case m.right:
			return m.leave(Why{NoAnswer, m.right}, m.left, netip.Addr{})
		}
	case Tick:
		if !now.Before(m.deadline) {
			return m.leave(Why{NoAnswer, m.right}, m.left, m.right)
		}
	}
	return nil
}

// leave unlocks and tells those neighbours that are given.
func (m *Machine) leave(why Why, left, right netip.Addr) []Action {
	m.state, m.why = Over, why
	actions := []Action{Unlock{}}
	if right.IsValid() {
		actions = append(actions, Send{right, Cancel{}})
	}
	return append(actions, m.tell(left)...)
}

// tell says to the left neighbour why there is no lock. The left anchor has none.
func (m *Machine) tell(left netip.Addr) []Action {
	if !left.IsValid() {
		return nil
	}
	return []Action{Send{left, Reject{m.why}}}
}
