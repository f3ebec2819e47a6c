// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"net/netip"
	"slices"
	"time"

	"mbchain/agentd/internal/lock"
)

func (m *Machine) beginLeft(now time.Time) []Action {
	m.enter(Installing, now, m.plan.Patience)
	return []Action{
		Report{Step: StepLocked},
		Install{Plan: m.plan, Role: lock.LeftAnchor},
	}
}

// restoreLeft goes by what the module did: it alone knows of the commit.
func (m *Machine) restoreLeft(r Record, now time.Time) []Action {
	if !r.Switched {
		m.held = true // it may
		return m.abort(lock.NoAnswer, m.here, now)
	}
	m.marked = true
	return append(m.drain(now), SendMarker{Rightward})
}

func (m *Machine) stepLeft(event Event, now time.Time) []Action {
	switch m.state {
	case Installing, Establishing:
		return m.establish(event, now)
	case Committing:
		return m.commitLeft(event, now)
	case Draining:
		return m.drainLeft(event, now)
	case Closing:
		return m.close(event, now)
	case Aborting:
		return m.awaitRight(event, now)
	}
	return m.tell(event, now)
}

// establish is everything up to the decision.
func (m *Machine) establish(event Event, now time.Time) []Action {
	switch e := event.(type) {
	case Installed:
		if m.state == Installing {
			m.wire = e.Wire
			m.state = Establishing // within the same time limit
			m.again(now, RepeatTime)
			return append(m.hold(Rightward), m.syn())
		}
	case AckReached:
		m.marked = true
		return []Action{SendMarker{Rightward}}
	case MarkerSeen:
		return m.decide(now)
	case Received:
		switch msg := e.Message.(type) {
		case SynAck:
			m.agreed = true
			return m.decide(now)
		case Refuse:
			return m.abort(msg.Why.Reason, msg.Why.Host, now)
		}
	case Failed:
		return m.abort(e.Reason, m.here, now)
	case Overflow:
		return m.abort(lock.Overflowed, m.here, now)
	case Withdrawn:
		return m.abort(lock.Cancelled, m.here, now)
	case Lost:
		if m.inPlan(e.Host) {
			return m.abort(lock.NoAnswer, e.Host, now)
		}
	case Tick:
		if due(m.limit, now) {
			return m.abort(lock.NoAnswer, m.right, now)
		}
		if due(m.repeat, now) {
			m.again(now, RepeatTime)
			return append(m.markAgain(Rightward), m.syn())
		}
	}
	return nil
}

func (m *Machine) syn() Action { return Send{m.right, Syn{m.plan, m.wire}} }

// hold stops an anchor's packets, if the guarantee asks for it, and has the
// marker sent behind those that went before.
func (m *Machine) hold(d Direction) []Action {
	if !m.holds() {
		return nil
	}
	m.held = true
	actions := []Action{Hold{Direction: d, Checkpoint: m.checkpoint()}}
	if !m.checkpoint() {
		m.marked = true
		actions = append(actions, SendMarker{d})
	}
	return actions
}

// markAgain repeats an anchor's marker, which may be lost.
func (m *Machine) markAgain(d Direction) []Action {
	if !m.marked {
		return nil
	}
	return []Action{SendMarker{d}}
}

// decide commits, once all hosts of the new path are ready and, where order
// counts, nothing that goes left is on the old path any more.
func (m *Machine) decide(now time.Time) []Action {
	if m.state != Establishing || !m.agreed || m.holds() && !m.wasSeen(Leftward) {
		return nil
	}
	m.enter(Committing, now, 0)
	m.repeat = time.Time{}
	return []Action{Switch{Rightward, lock.NewPath}}
}

// commitLeft waits for the module, which alone knows whether what it held is still
// there: if not, nothing of the new path has been used. What becomes of other hosts
// is for a later state, but for the news that the old path is empty.
func (m *Machine) commitLeft(event Event, now time.Time) []Action {
	switch e := event.(type) {
	case NewPathTaken:
		return m.committed(now)
	case Failed:
		return m.abort(e.Reason, m.here, now)
	case Received:
		if _, ok := e.Message.(FinAck); ok {
			m.confirmed = true
		}
	}
	return nil
}

func (m *Machine) committed(now time.Time) []Action {
	var actions []Action
	m.held = false
	if !m.marked {
		m.marked = true
		actions = append(actions, SendMarker{Rightward})
	}
	actions = append(append(actions, m.drain(now)...), Report{Step: StepCommitted})
	return append(actions, m.closeDrained(now)...)
}

func (m *Machine) drain(now time.Time) []Action {
	m.outcome = Committed
	m.enter(Draining, now, DrainTime)
	m.again(now, RepeatTime)
	return []Action{Send{m.right, Ack{}}}
}

func (m *Machine) drainLeft(event Event, now time.Time) []Action {
	switch e := event.(type) {
	case Received:
		switch e.Message.(type) {
		case FinAck:
			m.confirmed = true
		case Ask:
			if m.onNewPath(e.From) {
				return []Action{Send{e.From, Ack{}}}
			}
			return nil
		}
	case Tick:
		if due(m.repeat, now) && !due(m.limit, now) {
			m.again(now, RepeatTime)
			return append(m.markAgain(Rightward), Send{m.right, Ack{}})
		}
	}
	return m.closeDrained(now)
}

// closeDrained begins to close when nothing comes by the old path any more, either
// way, or has had the time to come.
func (m *Machine) closeDrained(now time.Time) []Action {
	if !(m.confirmed && m.wasSeen(Leftward)) && !due(m.limit, now) {
		return nil
	}
	m.enter(Closing, now, 0)
	m.unanswered = append(slices.Clone(m.plan.New), m.plan.Right)
	return m.say(Close{}, now)
}

func (m *Machine) onNewPath(host netip.Addr) bool {
	return host == m.plan.Right || slices.Contains(m.plan.New, host)
}

// say tells the outcome to all that have not heard it.
func (m *Machine) say(msg Message, now time.Time) []Action {
	m.again(now, RepeatTime)
	return m.sayTo(msg)
}

func (m *Machine) sayTo(msg Message) []Action {
	var actions []Action
	for _, h := range m.unanswered {
		actions = append(actions, Send{h, msg})
	}
	return actions
}

// sayAgain does so once more, and waits twice as long for the next time.
func (m *Machine) sayAgain(msg Message, now time.Time) []Action {
	if !due(m.repeat, now) {
		return nil
	}
	m.again(now, min(2*m.pause, LongestRepeat))
	return m.sayTo(msg)
}

func (m *Machine) close(event Event, now time.Time) []Action {
	switch e := event.(type) {
	case Received:
		switch e.Message.(type) {
		case Closed:
			if m.drop(e.From) {
				actions := []Action{Remove{lock.OldPath}, lock.Unlock{}, Report{Step: StepDone}}
				return append(actions, m.spread(Close{}, m.plan.Old, now)...)
			}
		case Ask:
			if m.onNewPath(e.From) {
				return []Action{Send{e.From, Close{}}}
			}
		}
	case Tick:
		return m.sayAgain(Close{}, now)
	}
	return nil
}

// abort goes back to the old path. The right anchor may be sending on the new
// one, so that stays until it says that it does not.
func (m *Machine) abort(reason lock.Reason, host netip.Addr, now time.Time) []Action {
	m.outcome, m.why = AbortedForGood, lock.Why{Reason: reason, Host: host}
	m.enter(Aborting, now, 0)
	var actions []Action
	if m.held {
		m.held = false
		actions = append(actions, Switch{Rightward, lock.OldPath})
	}
	m.unanswered = []netip.Addr{m.plan.Right}
	return append(actions, m.say(Abort{}, now)...)
}

func (m *Machine) awaitRight(event Event, now time.Time) []Action {
	switch e := event.(type) {
	case Received:
		switch e.Message.(type) {
		case Aborted:
			if m.drop(e.From) {
				actions := []Action{Remove{lock.NewPath}, lock.Unlock{}, Report{StepAborted, m.why}}
				return append(actions, m.spread(Abort{}, slices.Concat(m.plan.New, m.plan.Old), now)...)
			}
		case Ask:
			if e.From == m.plan.Right {
				return []Action{Send{e.From, Abort{}}}
			}
		}
	case Tick:
		return m.sayAgain(Abort{}, now)
	}
	return nil
}

// spread tells the outcome to hosts on which no path depends any more.
func (m *Machine) spread(msg Message, hosts []netip.Addr, now time.Time) []Action {
	if len(hosts) == 0 {
		return m.over()
	}
	m.enter(Telling, now, TellTime)
	m.unanswered = slices.Clone(hosts)
	return m.say(msg, now)
}

func (m *Machine) tell(event Event, now time.Time) []Action {
	word := m.outcome.word()
	switch e := event.(type) {
	case Received:
		switch e.Message.(type) {
		case Closed, Aborted:
			if m.drop(e.From) {
				return m.over()
			}
		case Ask:
			return []Action{Send{e.From, word}}
		}
	case Tick:
		if due(m.limit, now) {
			return m.over()
		}
		return m.sayAgain(word, now)
	}
	return nil
}
