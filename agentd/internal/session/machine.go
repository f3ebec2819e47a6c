// SPDX-License-Identifier: Apache-2.0

package session

import (
	"fmt"
	"net/netip"
	"time"
)

const (
	// Patience is how long an originator waits for the whole chain: less than
	// its module waits for it (5 s), so that the reason can be told.
	Patience = 4 * time.Second
	// hopTime is how much sooner a host gives up on its right neighbour than
	// its left neighbour does on it: time for a REJECT to get there.
	hopTime = 100 * time.Millisecond
	// settleTime is how long a host waits for the ACK, and for the end of the
	// stream that answers it. Lost streams tell sooner.
	settleTime = 5 * time.Second
)

// A State is how far a [Machine] has come.
type State uint8

// The states of a [Machine].
const (
	Installing State = iota // the module is asked to take part
	Asking                  // the right neighbour has a SYN
	Releasing               // the module is asked to let packets go on
	Answered                // the left neighbour has a SYNACK
	Confirming              // the right neighbour has an ACK
	Over                    // nothing is to be done any more
)

var stateNames = [...]string{"installing", "asking", "releasing", "answered", "confirming", "over"}

// String returns the name of the state in lower case.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Machine is one host's part in one set-up. An originator begins in asking, the
// others in installing. "undo" is: Delete and DropRight, and DropLeft unless
// the left stream is lost; "refuse" is: Refuse, after Fail and Delete. "Late" is
// a Tick after the deadline.
//
//	state       event         who         next         actions
//	installing  Installed     relay       asking       Ask
//	installing  Installed     last        answered     Answer
//	installing  NotInstalled              over         Refuse
//	asking      Accepted                  releasing    Release
//	asking      Rejected      originator  over         Fail
//	asking      Rejected      relay       over         refuse, in the same words
//	asking      RightLost     originator  over         Fail
//	asking      RightLost     relay       over         refuse
//	asking      late          originator  over         Fail, DropRight
//	asking      late          relay       over         refuse, DropRight
//	releasing   Released      originator  confirming   Confirm
//	releasing   Released      relay       answered     Answer
//	releasing   NotReleased   originator  over         DropRight
//	releasing   NotReleased   relay       over         undo
//	answered    Acked         relay       confirming   Confirm
//	answered    Acked         last        over         EndLeft
//	answered    RightLost     relay       over         undo
//	answered    late                      over         undo
//	confirming  RightEnded    originator  over
//	confirming  RightEnded    relay       over         EndLeft
//	confirming  RightLost                 over         undo
//	confirming  late                      over         undo
//	installing  LeftLost                  installing   undo, once the module has answered
//	releasing   LeftLost, RightLost       releasing    undo, once the module has answered
//	other       LeftLost                  over         undo
//	over        any                       over
//	other       other than Tick                        ErrUnexpected
type Machine struct {
	state    State
	host     string // name of this host
	joined   bool   // a left neighbour asked: a relay or the last host
	part     Part
	here     netip.Addr // where the left neighbour sends to
	deadline time.Time

	leftLost, rightLost bool // while the module is busy
}

// Originate returns the machine of a session that waits in the module of a host
// of this name, and what is to be done first.
func Originate(host string, part Part, now time.Time) (*Machine, []Action) {
	m := &Machine{host: host, part: part, deadline: now.Add(Patience)}
	return m, m.ask(now)
}

// Join returns the machine of a host of this name that was asked, and what is
// to be done first. [Syn.Check] was content.
func Join(host string, syn Syn, now time.Time) (*Machine, []Action) {
	m := &Machine{
		state: Installing, host: host, joined: true,
		here: syn.Wire.Destination.Addr(), deadline: now.Add(syn.Within),
	}
	return m, []Action{Install{syn}}
}

// State returns the machine's present state.
func (m *Machine) State() State { return m.state }

// Deadline returns when the next Tick is due; the zero time: none.
func (m *Machine) Deadline() time.Time {
	switch m.state {
	case Asking, Answered, Confirming:
		return m.deadline
	}
	return time.Time{}
}

// Step takes one event and returns what is to be done, in this order. At most
// one of the actions is an [Install] or a [Release], the last one: its answer is
// the next event that counts. The error is [ErrUnexpected], and nothing changes
// then.
func (m *Machine) Step(event Event, now time.Time) ([]Action, error) {
	if m.state == Over {
		return nil, nil
	}
	switch e := event.(type) {
	case Tick:
		return m.tick(now), nil
	case LeftLost:
		if m.joined {
			return m.loseLeft(), nil
		}
	case RightLost:
		if m.hasRight() {
			return m.loseRight(), nil
		}
	case Installed, NotInstalled:
		if m.state == Installing {
			return m.installed(e, now), nil
		}
	case Accepted, Rejected:
		if m.state == Asking {
			return m.answered(e), nil
		}
	case Released, NotReleased:
		if m.state == Releasing {
			return m.released(e, now), nil
		}
	case Acked:
		if m.state == Answered {
			return m.acked(now), nil
		}
	case RightEnded:
		if m.state == Confirming {
			return m.over(m.left(EndLeft{})...), nil
		}
	}
	return nil, fmt.Errorf("%w: %v while %v", ErrUnexpected, event, m.state)
}

func (m *Machine) installed(event Event, now time.Time) []Action {
	e, done := event.(Installed)
	switch {
	case !done && m.leftLost:
		return m.over()
	case !done:
		return m.over(Refuse{Reject{event.(NotInstalled).Reason, m.host, m.here}})
	}
	m.part = e.Part
	switch {
	case m.leftLost:
		return m.undo()
	case m.hasRight():
		return m.ask(now)
	}
	return m.answer(now)
}

// ask asks the next host, if there is time.
func (m *Machine) ask(now time.Time) []Action {
	next := m.part.Hops[0]
	within := m.deadline.Sub(now) - hopTime
	if within <= 0 {
		return m.fail(NoAnswer, Reject{ReasonNoAnswer, m.host, next})
	}
	m.state = Asking
	return []Action{Ask{next, Syn{
		ID: m.part.ID, Super: m.part.Super, Wire: m.part.Right, Hops: m.part.Hops[1:], Within: within,
	}}}
}

// answered takes the answer of the right neighbour.
func (m *Machine) answered(event Event) []Action {
	switch e := event.(type) {
	case Accepted:
		m.state = Releasing
		return []Action{Release(e)}
	case Rejected:
		if e.Reject.Reason == ReasonNoAnswer {
			return m.fail(NoAnswer, e.Reject)
		}
		return m.fail(Refused, e.Reject)
	}
	return nil
}

func (m *Machine) released(event Event, now time.Time) []Action {
	_, done := event.(Released)
	switch {
	case !done && !m.joined:
		return m.over(DropRight{})
	case !done || m.leftLost || m.rightLost:
		return m.undo()
	case m.joined:
		return m.answer(now)
	}
	return m.confirm(now)
}

func (m *Machine) answer(now time.Time) []Action {
	m.state, m.deadline = Answered, now.Add(settleTime)
	return []Action{Answer{m.part.Known}}
}

func (m *Machine) acked(now time.Time) []Action {
	if m.hasRight() {
		return m.confirm(now)
	}
	return m.over(EndLeft{})
}

func (m *Machine) confirm(now time.Time) []Action {
	m.state, m.deadline = Confirming, now.Add(settleTime)
	return []Action{Confirm{}}
}

func (m *Machine) tick(now time.Time) []Action {
	if d := m.Deadline(); d.IsZero() || now.Before(d) {
		return nil
	}
	if m.state == Asking {
		return append(m.noAnswer(), DropRight{})
	}
	return m.undo()
}

func (m *Machine) loseRight() []Action {
	switch m.state {
	case Asking:
		return m.noAnswer()
	case Releasing:
		m.rightLost = true
		return nil
	}
	return m.undo()
}

func (m *Machine) loseLeft() []Action {
	m.leftLost = true
	switch m.state {
	case Installing, Releasing:
		return nil
	}
	return m.undo()
}

func (m *Machine) noAnswer() []Action {
	return m.fail(NoAnswer, Reject{ReasonNoAnswer, m.host, m.part.Hops[0]})
}

// fail ends it: what is right of this host is not to be had.
func (m *Machine) fail(why Why, r Reject) []Action {
	if !m.joined {
		return m.over(Fail{why})
	}
	return m.over(Fail{why}, Delete{Always: !m.part.Known}, Refuse{r})
}

// undo ends it and takes back what was done.
func (m *Machine) undo() []Action {
	actions := []Action{Delete{Always: m.joined && !m.part.Known}}
	if m.hasRight() {
		actions = append(actions, DropRight{})
	}
	return m.over(append(actions, m.left(DropLeft{})...)...)
}

// left returns a last word to the left neighbour, if there is one to hear it.
func (m *Machine) left(a Action) []Action {
	if m.joined && !m.leftLost {
		return []Action{a}
	}
	return nil
}

func (m *Machine) over(actions ...Action) []Action {
	m.state = Over
	return actions
}

// hasRight reports whether a right neighbour was asked, or is to be. Before the
// module has answered nobody was.
func (m *Machine) hasRight() bool { return len(m.part.Hops) > 0 }
