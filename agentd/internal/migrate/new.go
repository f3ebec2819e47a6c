// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"time"

	"mbchain/agentd/internal/lock"
)

func (m *Machine) beginNew(syn Syn, now time.Time) []Action {
	m.enter(Installing, now, 0)
	_, moves := m.pair()
	m.imported = !moves
	return []Action{Install{m.plan, lock.NewHost, syn.Wire}}
}

// restoreNew does not know what it has said, and passes on what it is told again.
func (m *Machine) restoreNew(now time.Time) {
	_, moves := m.pair()
	m.imported = !moves
	m.enter(Joining, now, 0)
}

func (m *Machine) stepNew(event Event, now time.Time) []Action {
	switch e := event.(type) {
	case Installed:
		if m.state == Installing {
			m.wire = e.Wire
			m.enter(Joining, now, 0)
			m.ask = now.Add(AskTime)
			return []Action{m.syn()}
		}
	case Failed:
		if m.state == Installing {
			m.outcome = AbortedForGood
			return m.over(m.refuse(e.Reason))
		}
		return []Action{m.refuse(e.Reason)}
	case Imported:
		m.imported = true
		return append(m.ackState(), m.agree()...)
	case NewPathUsed:
		m.learn()
	case Received:
		return m.hear(e)
	case Lost:
		if m.outcome == Undecided && (e.Host == m.left || e.Host == m.right) {
			m.ask = now
			return append(m.questions(now), m.refuse(lock.NoAnswer))
		}
	case Tick:
		return m.questions(now)
	}
	return nil
}

// hear takes a message.
func (m *Machine) hear(e Received) []Action {
	switch msg := e.Message.(type) {
	case Syn:
		switch m.state {
		case Joining:
			return []Action{m.syn()}
		case Prepared:
			return []Action{m.synAck()}
		}
	case SynAck:
		m.agreed = true
		return m.agree()
	case NFState:
		return m.take(msg)
	case Ack:
		m.learn()
		return []Action{Send{m.right, Ack{}}}
	case Close:
		m.outcome = Committed
		return m.over(lock.Unlock{}, Send{e.From, Closed{}})
	case Abort:
		if m.outcome == Undecided {
			m.outcome = AbortedForGood
			return m.over(Remove{lock.NewPath}, lock.Unlock{}, Send{e.From, Aborted{}})
		}
	}
	return nil
}

// learn takes note of the left anchor's decision.
func (m *Machine) learn() {
	m.outcome, m.state = Committed, Switched
}

// take gives a state to the NF, or says that it has it.
func (m *Machine) take(s NFState) []Action {
	pair, _ := m.pair()
	switch {
	case m.imported:
		return m.ackState()
	case m.state == Joining:
		return []Action{ImportState{pair.Method, s.Data}}
	}
	return nil
}

func (m *Machine) ackState() []Action {
	pair, moves := m.pair()
	if !moves {
		return nil
	}
	return []Action{Send{pair.From, NFStateAck{}}}
}

// agree passes the UPDATE-SYNACK on, once this host can stand by it.
func (m *Machine) agree() []Action {
	if m.state != Joining || !m.agreed || !m.imported {
		return nil
	}
	m.state = Prepared
	return []Action{m.synAck()}
}
