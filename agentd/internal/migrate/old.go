// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"net/netip"
	"slices"
	"time"

	"mbchain/agentd/internal/lock"
)

func (m *Machine) beginOld(now time.Time) []Action {
	m.enter(Ready, now, 0)
	m.ask = now.Add(AskTime)
	return nil
}

func (m *Machine) stepOld(event Event, now time.Time) []Action {
	switch e := event.(type) {
	case Received:
		switch e.Message.(type) {
		case Abort:
			if m.outcome == Committed { // by a host that has forgotten
				return m.leave(Aborted{}, e.From)
			}
			m.outcome = AbortedForGood
			return m.over(lock.Unlock{}, Send{e.From, Aborted{}})
		case Close:
			m.outcome = Committed
			return m.leave(Closed{}, e.From)
		}
	case Lost:
		if e.Host == m.left || e.Host == m.right || e.Host == m.plan.Left {
			m.ask = now
		}
	}
	return append(m.stepState(event, now), m.questions(now)...)
}

// leave ends the host's part in the session. It does so only when it is told to,
// for until then an anchor may miss a marker that has passed here, and the other
// one sends its own again.
func (m *Machine) leave(answer Message, to netip.Addr) []Action {
	return m.over(Remove{lock.OldPath}, lock.Unlock{}, Send{to, answer})
}

// stepState is about the markers and the NF's state.
func (m *Machine) stepState(event Event, now time.Time) []Action {
	switch m.state {
	case Ready:
		switch e := event.(type) {
		case MarkerSeen:
			return m.checkMarkers(now)
		case Received:
			if _, ok := e.Message.(lock.Cancel); ok {
				m.outcome = AbortedForGood
				return m.over(lock.Unlock{}, Send{m.right, lock.Cancel{}})
			}
		}
	case Exporting:
		switch e := event.(type) {
		case Exported:
			m.data = e.Data
			m.enter(Handing, now, 0)
			return m.hand(now)
		case Failed:
			m.enter(Drained, now, 0)
			return []Action{m.refuse(e.Reason)}
		}
	case Handing:
		return m.handing(event, now)
	}
	return nil
}

// checkMarkers goes on when nothing is on the old path any more. Markers that are
// sent behind the anchors' switches also say that the left one has committed.
func (m *Machine) checkMarkers(now time.Time) []Action {
	if !m.wasSeen(Leftward) || !m.wasSeen(Rightward) {
		return nil
	}
	if !m.holds() {
		m.outcome = Committed
	}
	if pair, moves := m.pair(); moves {
		m.enter(Exporting, now, 0)
		return []Action{Report{Step: StepDrained}, ExportState{pair.Method}}
	}
	m.enter(Drained, now, 0)
	return []Action{Report{Step: StepDrained}}
}

// pair returns the state that moves from or to this host, if one does.
func (m *Machine) pair() (lock.Pair, bool) {
	i := slices.IndexFunc(m.plan.State, func(p lock.Pair) bool { return p.From == m.here || p.To == m.here })
	if i < 0 {
		return lock.Pair{}, false
	}
	return m.plan.State[i], true
}

func (m *Machine) receiver() netip.Addr {
	pair, _ := m.pair()
	return pair.To
}

func (m *Machine) hand(now time.Time) []Action {
	m.again(now, RepeatTime)
	return []Action{Send{m.receiver(), NFState{m.data}}}
}

func (m *Machine) handing(event Event, now time.Time) []Action {
	switch e := event.(type) {
	case Received:
		if _, ok := e.Message.(NFStateAck); ok {
			m.enter(Drained, now, 0)
			m.data, m.repeat = nil, time.Time{}
		}
	case Lost:
		if e.Host == m.receiver() {
			return []Action{m.refuse(lock.NoAnswer)}
		}
	case Tick:
		if due(m.repeat, now) {
			return m.hand(now)
		}
	}
	return nil
}
