// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"time"

	"mbchain/agentd/internal/lock"
)

func (m *Machine) beginRight(now time.Time) []Action {
	m.enter(Ready, now, m.plan.Patience+LeaveTime)
	m.ask = now.Add(AskTime)
	return nil
}

// restoreRight assumes the worst: that it had promised what it was about to.
func (m *Machine) restoreRight(r Record, now time.Time) []Action {
	actions := m.beginRight(now)
	m.acked = r.AckReached
	switch {
	case !r.Installed:
		return actions
	case !m.holds():
		// It may have ended before it switched, and must not let the left anchor
		// commit to a path that it does not use itself.
		return append(actions, m.prepareLossFree(now)...)
	case r.Switched:
		m.know(now)
		return actions
	case !m.quiet():
		actions = append(actions, m.hold(Leftward)...)
		m.enter(Draining, now, m.plan.Patience)
		m.again(now, RepeatTime)
		return actions
	}
	m.marked = true
	m.mute = !r.Held // it may have ended before it held anything
	if r.Held {
		actions = append(actions, m.holdAll()...)
	}
	m.prepare(now)
	return actions
}

func (m *Machine) stepRight(event Event, now time.Time) []Action {
	if _, ok := event.(AckReached); ok {
		m.acked = true
	}
	switch m.state {
	case Ready:
		return m.await(event, now)
	case Installing, Draining:
		return m.answer(event, now)
	case Prepared:
		return m.doubt(event, now)
	}
	return m.finish(event, now)
}

// await waits for the UPDATE-SYN.
func (m *Machine) await(event Event, now time.Time) []Action {
	switch e := event.(type) {
	case Received:
		switch msg := e.Message.(type) {
		case Syn:
			m.enter(Installing, now, m.plan.Patience)
			return []Action{Install{m.plan, lock.RightAnchor, msg.Wire}}
		case lock.Cancel:
			return m.forget(lock.Cancelled)
		case Abort:
			return append(m.forget(lock.Cancelled), Send{e.From, Aborted{}})
		}
	case Lost:
		if e.Host == m.plan.Left {
			m.ask = now
			return m.questions(now)
		}
	case Tick:
		if due(m.limit, now) {
			return m.forget(lock.NoAnswer)
		}
		return m.questions(now)
	}
	return nil
}

// forget ends a part that the new path does not know of.
func (m *Machine) forget(reason lock.Reason) []Action {
	m.outcome, m.why = AbortedForGood, lock.Why{Reason: reason, Host: m.here}
	return m.over(lock.Unlock{})
}

// answer is everything between UPDATE-SYN and UPDATE-SYNACK, in which nothing was
// sent on the new path: this host may still leave by itself.
func (m *Machine) answer(event Event, now time.Time) []Action {
	switch e := event.(type) {
	case Installed:
		if m.state == Installing {
			return m.installed(now)
		}
	case MarkerSeen, AckReached:
		if m.state == Draining && m.quiet() {
			return m.promise(now)
		}
	case Received:
		if _, ok := e.Message.(Abort); ok {
			return append(m.back(lock.Cancelled), Send{e.From, Aborted{}})
		}
	case Failed:
		return m.backOut(e.Reason)
	case Overflow:
		return m.backOut(lock.Overflowed)
	case Lost:
		if e.Host == m.left {
			return m.backOut(lock.NoAnswer)
		}
	case Tick:
		switch {
		case due(m.limit, now):
			return m.backOut(lock.NoAnswer)
		case due(m.repeat, now):
			m.again(now, RepeatTime)
			return append(m.markAgain(Leftward), m.questions(now)...)
		}
		return m.questions(now)
	}
	return nil
}

func (m *Machine) installed(now time.Time) []Action {
	if !m.holds() {
		return append(m.prepareLossFree(now), m.synAck())
	}
	actions := m.hold(Leftward)
	m.enter(Draining, now, m.plan.Patience)
	m.again(now, RepeatTime)
	if m.quiet() {
		return append(actions, m.promise(now)...)
	}
	return actions
}

// quiet reports whether nothing goes right on the old path any more; and, with
// checkpoints, whether nothing has to go left on it either.
func (m *Machine) quiet() bool {
	return m.wasSeen(Rightward) && (!m.checkpoint() || m.acked)
}

// holdAll is for what a checkpoint has let pass until now: acknowledgements of what
// comes on the new path go there too.
func (m *Machine) holdAll() []Action {
	if !m.checkpoint() {
		return nil
	}
	m.marked = true
	return []Action{Hold{Direction: Leftward}, SendMarker{Leftward}}
}

// prepareLossFree switches at once: every host left of here has both paths.
func (m *Machine) prepareLossFree(now time.Time) []Action {
	m.prepare(now)
	m.marked = true
	return []Action{Switch{Leftward, lock.NewPath}, SendMarker{Leftward}}
}

func (m *Machine) prepare(now time.Time) {
	limit := m.plan.Patience
	if !m.held {
		limit = 0
	}
	m.enter(Prepared, now, limit)
	m.again(now, RepeatTime)
	m.ask = now.Add(AskTime)
}

func (m *Machine) promise(now time.Time) []Action {
	m.prepare(now)
	return append(m.holdAll(), m.synAck())
}

func (m *Machine) synAck() Action { return Send{m.left, SynAck{}} }

// back returns to the old path and ends.
func (m *Machine) back(reason lock.Reason) []Action {
	m.outcome, m.why = AbortedForGood, lock.Why{Reason: reason, Host: m.here}
	return m.over(Switch{Leftward, lock.OldPath}, Remove{lock.NewPath}, lock.Unlock{})
}

// backOut does so on this host's own account.
func (m *Machine) backOut(reason lock.Reason) []Action {
	return append(m.back(reason), m.refuse(reason))
}

// doubt is everything between UPDATE-SYNACK and the news of the left anchor's
// decision.
func (m *Machine) doubt(event Event, now time.Time) []Action {
	switch e := event.(type) {
	case Received:
		switch e.Message.(type) {
		case Syn:
			if !m.mute {
				return []Action{m.synAck()}
			}
		case Ack:
			return m.commit(now)
		case Close:
			return append(m.commit(now), m.closed(e)...)
		case Abort:
			return append(m.back(lock.Cancelled), Send{e.From, Aborted{}})
		}
	case NewPathUsed:
		return m.commit(now)
	case MarkerSeen:
		if !m.holds() && m.wasSeen(Rightward) {
			return m.commit(now) // sent behind the switch, not before it
		}
	case Overflow:
		return m.lose(lock.Overflowed)
	case Failed:
		return m.lose(e.Reason)
	case Lost:
		if e.Host == m.left || e.Host == m.plan.Left {
			m.ask = now
			return m.questions(now)
		}
	case Tick:
		var actions []Action
		if due(m.limit, now) && m.held {
			m.held, m.limit = false, time.Time{}
			actions = append(actions, Switch{Leftward, lock.OldPath}, Report{Step: StepReleased})
		}
		return append(actions, m.remind(now)...)
	}
	return nil
}

// lose takes note that nothing is held any more. The left anchor may have committed.
func (m *Machine) lose(reason lock.Reason) []Action {
	m.held, m.limit = false, time.Time{}
	return []Action{Report{Step: StepReleased}, m.refuse(reason)}
}

// remind repeats what is not answered.
func (m *Machine) remind(now time.Time) []Action {
	var actions []Action
	if due(m.repeat, now) {
		m.again(now, min(2*m.pause, LongestRepeat))
		actions = m.markAgain(Leftward)
	}
	return append(actions, m.questions(now)...)
}

// commit takes note of the left anchor's decision.
func (m *Machine) commit(now time.Time) []Action {
	var actions []Action
	if m.holds() {
		actions = append(actions, Switch{Leftward, lock.NewPath})
	}
	m.held = false
	m.know(now)
	return append(actions, m.finAck()...)
}

func (m *Machine) know(now time.Time) {
	m.outcome, m.marked = Committed, true
	m.enter(Switched, now, 0)
	m.again(now, RepeatTime)
	m.ask = now.Add(AskTime)
}

// finAck says that the old path is empty, if it is.
func (m *Machine) finAck() []Action {
	if !m.wasSeen(Rightward) {
		return nil
	}
	return []Action{Send{m.plan.Left, FinAck{}}, Report{Step: StepDrained}}
}

// finish waits for the left anchor's last word.
func (m *Machine) finish(event Event, now time.Time) []Action {
	switch e := event.(type) {
	case Received:
		switch e.Message.(type) {
		case Ack:
			return m.finAck()
		case Close:
			return m.closed(e)
		}
	case MarkerSeen:
		return m.finAck()
	case Lost:
		if e.Host == m.plan.Left {
			m.ask = now
			return m.questions(now)
		}
	case Tick:
		return m.remind(now)
	}
	return nil
}

func (m *Machine) closed(e Received) []Action {
	return m.over(Remove{lock.OldPath}, lock.Unlock{}, Send{e.From, Closed{}})
}
