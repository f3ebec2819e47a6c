// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"net/netip"
	"time"

	"mbchain/agentd/internal/lock"
)

// party is a host's part in one migration: first a lock, then a machine.
type party struct {
	plan    *lock.Plan
	here    netip.Addr // the host's address in it
	lock    *lock.Machine
	machine *Machine // nil: the segment is not locked yet
	wish    *wish    // of the left anchor; nil: somebody else's, or restored
}

func (p *party) deadline() time.Time {
	if p.machine != nil {
		return p.machine.Deadline()
	}
	return p.lock.Deadline()
}

// over reports whether nothing is to be done any more.
func (p *party) over() bool {
	if p.machine != nil {
		return p.machine.State() == Over
	}
	return p.lock.State() == lock.Over
}

// recorded reports whether the module has said that it has a record.
func (p *party) recorded() bool {
	if p.machine != nil {
		return p.machine.Locked() && (p.machine.role != lock.NewHost || p.machine.State() != Installing)
	}
	return p.lock.State() == lock.Waiting
}

// outcome returns how it ended.
func (p *party) outcome() Outcome {
	if p.machine != nil {
		return p.machine.Outcome()
	}
	return AbortedForGood
}

func (p *party) why() lock.Why {
	if p.machine != nil {
		return p.machine.Why()
	}
	return p.lock.Why()
}

// step takes an event and returns what is to be done.
func (p *party) step(event Event, now time.Time) []Action {
	if p.machine != nil {
		return p.machine.Step(event, now)
	}
	e := lockEvent(event)
	if e == nil {
		return nil
	}
	actions := wrap(p.lock.Step(e, now))
	if p.lock.State() != lock.Held {
		return actions
	}
	var first []Action
	p.machine, first = New(p.plan, p.here, now)
	return append(actions, first...)
}

// lockEvent translates what package lock has its own words for; nil: it has none.
func lockEvent(event Event) lock.Event {
	switch e := event.(type) {
	case lock.Locked, lock.NotLocked:
		return e
	case Received:
		return e.Message
	case Lost:
		return lock.Lost(e)
	case SessionOver:
		return lock.Gone{}
	case Withdrawn:
		return lock.Withdrawn{}
	case Tick:
		return lock.Tick{}
	}
	return nil
}

// wrap makes actions of those of package lock.
func wrap(actions []lock.Action) []Action {
	var wrapped []Action
	for _, a := range actions {
		if send, ok := a.(lock.Send); ok {
			wrapped = append(wrapped, Send{send.To, send.Message})
			continue
		}
		wrapped = append(wrapped, a)
	}
	return wrapped
}
