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

const (
	// RepeatTime is how long a message or a marker may be without an answer until
	// it is sent again.
	RepeatTime = 200 * time.Millisecond
	// LongestRepeat bounds it where it doubles: the left anchor's last word.
	LongestRepeat = 5 * time.Second
	// DrainTime is how long the left anchor waits for the last packets of the old
	// path: longer than any is under way.
	DrainTime = 2 * time.Second
	// AskTime is how often a host that is in doubt asks.
	AskTime = 2 * time.Second
	// TellTime is how long the left anchor goes on telling hosts that are on no
	// path any more.
	TellTime = 5 * time.Second
	// LeaveTime is how much longer than the plan's patience a right anchor waits
	// for an UPDATE-SYN: the left one has given up long before.
	LeaveTime = 10 * time.Second
)

// A State is how far a [Machine] has come.
type State uint8

// The states of a [Machine]. Not every role has every state.
const (
	Ready        State = iota // locked, nothing else
	Installing                // the module is asked to open the new path
	Establishing              // left anchor: an UPDATE-SYN is under way
	Committing                // left anchor: the module is asked to switch
	Draining                  // an anchor waits for the last packets on the old path
	Joining                   // new host: the next one has an UPDATE-SYN
	Prepared                  // said UPDATE-SYNACK, and cannot decide any more
	Switched                  // knows of the commit
	Exporting                 // old host: its NF is asked for its state
	Handing                   // old host: its state is on its way
	Drained                   // old host: nothing is to be done but to wait
	Closing                   // left anchor: tells the new path that it is the only one
	Aborting                  // left anchor: tells the right one
	Telling                   // left anchor: tells the rest, and is not locked
	Over                      // nothing is to be done any more
)

var stateNames = [...]string{
	"ready", "installing", "establishing", "committing", "draining", "joining", "prepared", "switched",
	"exporting", "handing", "drained", "closing", "aborting", "telling", "over",
}

// String returns the name of the state in lower case.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Machine is one host's part in one migration. The table has a row for each
// change of state; an event that has none changes no state, though it may have
// something repeated. "late" is a Tick after the state's time limit; "all in" is the last
// condition of a state met: docs/PROTOCOL.md says which, per guarantee.
// Restored machines begin in the state that the table of docs/PROTOCOL.md gives.
//
//	role   state         event        next
//	left   installing    Installed    establishing
//	left   installing    Failed       aborting
//	left   installing    REFUSE       aborting
//	left   installing    Lost         aborting
//	left   installing    Withdrawn    aborting
//	left   installing    late         aborting
//	left   installing    SessionOver  over
//	left   establishing  SYNACK       committing
//	left   establishing  MarkerSeen   committing
//	left   establishing  Failed       aborting
//	left   establishing  REFUSE       aborting
//	left   establishing  Lost         aborting
//	left   establishing  Overflow     aborting
//	left   establishing  Withdrawn    aborting
//	left   establishing  late         aborting
//	left   establishing  SessionOver  over
//	left   committing    NewPathTaken draining
//	left   committing    NewPathTaken closing
//	left   committing    Failed       aborting
//	left   committing    SessionOver  over
//	left   draining      FINACK       closing
//	left   draining      MarkerSeen   closing
//	left   draining      late         closing
//	left   draining      SessionOver  over
//	left   closing       CLOSED       telling
//	left   closing       CLOSED       over
//	left   closing       SessionOver  over
//	left   aborting      ABORTED      telling
//	left   aborting      SessionOver  over
//	left   telling       CLOSED       over
//	left   telling       ABORTED      over
//	left   telling       late         over
//	right  ready         SYN          installing
//	right  ready         CANCEL       over
//	right  ready         ABORT        over
//	right  ready         late         over
//	right  ready         SessionOver  over
//	right  installing    Installed    prepared
//	right  installing    Installed    draining
//	right  installing    Failed       over
//	right  installing    Lost         over
//	right  installing    ABORT        over
//	right  installing    late         over
//	right  installing    SessionOver  over
//	right  draining      MarkerSeen   prepared
//	right  draining      AckReached   prepared
//	right  draining      Overflow     over
//	right  draining      Failed       over
//	right  draining      Lost         over
//	right  draining      ABORT        over
//	right  draining      late         over
//	right  draining      SessionOver  over
//	right  prepared      ACK          switched
//	right  prepared      MarkerSeen   switched
//	right  prepared      NewPathUsed  switched
//	right  prepared      CLOSE        over
//	right  prepared      ABORT        over
//	right  prepared      SessionOver  over
//	right  switched      CLOSE        over
//	right  switched      SessionOver  over
//	old    ready         MarkerSeen   exporting
//	old    ready         MarkerSeen   drained
//	old    ready         CANCEL       over
//	old    ready         ABORT        over
//	old    ready         CLOSE        over
//	old    ready         SessionOver  over
//	old    exporting     Exported     handing
//	old    exporting     Failed       drained
//	old    exporting     ABORT        over
//	old    exporting     CLOSE        over
//	old    exporting     SessionOver  over
//	old    handing       STATEACK     drained
//	old    handing       ABORT        over
//	old    handing       CLOSE        over
//	old    handing       SessionOver  over
//	old    drained       ABORT        over
//	old    drained       CLOSE        over
//	old    drained       SessionOver  over
//	new    installing    Installed    joining
//	new    installing    Failed       over
//	new    installing    ABORT        over
//	new    installing    SessionOver  over
//	new    joining       SYNACK       prepared
//	new    joining       Imported     prepared
//	new    joining       ACK          switched
//	new    joining       NewPathUsed  switched
//	new    joining       CLOSE        over
//	new    joining       ABORT        over
//	new    joining       SessionOver  over
//	new    prepared      ACK          switched
//	new    prepared      NewPathUsed  switched
//	new    prepared      CLOSE        over
//	new    prepared      ABORT        over
//	new    prepared      SessionOver  over
//	new    switched      CLOSE        over
//	new    switched      SessionOver  over
type Machine struct {
	plan  *lock.Plan
	here  netip.Addr
	role  lock.Role
	state State

	left, right netip.Addr      // neighbours on the new path; of an old host on the old one
	wire        chain.FiveTuple // subsession to the right on the new path
	seen        [2]bool         // by Direction: a marker came by
	marked      bool            // an anchor's own marker was sent
	acked       bool            // right anchor: all up to its checkpoint was acknowledged
	held        bool            // an anchor's packets wait
	agreed      bool            // the right neighbour said UPDATE-SYNACK
	imported    bool            // new host: nothing is to be imported, or it was
	data        []byte          // old host: the NF's state
	confirmed   bool            // left anchor: the right one said FINACK
	mute        bool            // right anchor: cannot say for itself what it was about to promise
	unanswered  []netip.Addr    // left anchor: who has not heard the outcome
	outcome     Outcome         // as far as this host knows
	why         lock.Why        // of an abort

	limit  time.Time // of the state; the zero time: none
	repeat time.Time // when to say again what is not answered; the zero time: never
	pause  time.Duration
	ask    time.Time // when to ask; the zero time: never
}

// New returns the machine of a host whose segment is locked: an anchor or an old
// host. It also returns what is to be done first.
func New(plan *lock.Plan, here netip.Addr, now time.Time) (*Machine, []Action) {
	m := newMachine(plan, here)
	switch m.role {
	case lock.LeftAnchor:
		return m, m.beginLeft(now)
	case lock.RightAnchor:
		return m, m.beginRight(now)
	}
	return m, m.beginOld(now)
}

// Join returns the machine of a new host that was sent syn, and what is to be
// done first.
func Join(syn Syn, here netip.Addr, now time.Time) (*Machine, []Action) {
	m := newMachine(syn.Plan, here)
	return m, m.beginNew(syn, now)
}

// Restore returns the machine of a host whose module has this record, and what is
// to be done first.
func Restore(r Record, here netip.Addr, now time.Time) (*Machine, []Action) {
	m := newMachine(r.Plan, here)
	m.seen, m.held, m.wire = r.Seen, r.Held, r.Wire
	var actions []Action
	switch m.role {
	case lock.LeftAnchor:
		return m, m.restoreLeft(r, now)
	case lock.RightAnchor:
		actions = m.restoreRight(r, now)
	case lock.NewHost:
		m.restoreNew(now)
	case lock.OldHost:
		actions = append(m.beginOld(now), m.checkMarkers(now)...)
	}
	m.ask = now // whatever was said meanwhile was not heard
	return m, append(actions, m.questions(now)...)
}

func newMachine(plan *lock.Plan, here netip.Addr) *Machine {
	m := &Machine{plan: plan, here: here, role: plan.Role(here)}
	path := lock.NewPath
	if m.role == lock.OldHost {
		path = lock.OldPath
	}
	m.left, m.right = plan.Beside(path, here)
	return m
}

// State returns the machine's present state.
func (m *Machine) State() State { return m.state }

// Outcome returns how the migration ended, as far as this host knows.
func (m *Machine) Outcome() Outcome { return m.outcome }

// Why returns why it was aborted.
func (m *Machine) Why() lock.Why { return m.why }

// Locked reports whether the host takes part: its module has a record.
func (m *Machine) Locked() bool { return m.state != Telling && m.state != Over }

// Deadline returns when the next Tick is due; the zero time: none.
func (m *Machine) Deadline() time.Time {
	var first time.Time
	for _, t := range [...]time.Time{m.limit, m.repeat, m.ask} {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// Step takes one event and returns what is to be done, in this order. What makes
// no sense in the machine's state is late, doubled or lost its purpose, and
// changes nothing.
func (m *Machine) Step(event Event, now time.Time) []Action {
	if m.state == Over {
		return nil
	}
	if _, ended := event.(SessionOver); ended && m.state != Telling {
		if m.outcome == Undecided {
			m.outcome = AbortedForGood
		}
		m.why = lock.Why{Reason: lock.SessionEnded, Host: m.here}
		return m.over(Report{StepEnded, m.why})
	}
	if e, ok := event.(MarkerSeen); ok {
		m.seen[e.Direction] = true
	}
	switch m.role {
	case lock.LeftAnchor:
		return m.stepLeft(event, now)
	case lock.RightAnchor:
		return m.stepRight(event, now)
	case lock.OldHost:
		return m.stepOld(event, now)
	}
	return m.stepNew(event, now)
}

// enter changes the state. Its time limit begins; 0: it has none.
func (m *Machine) enter(s State, now time.Time, limit time.Duration) {
	m.state, m.limit = s, time.Time{}
	if limit > 0 {
		m.limit = now.Add(limit)
	}
}

// over ends the machine.
func (m *Machine) over(actions ...Action) []Action {
	m.state = Over
	m.limit, m.repeat, m.ask = time.Time{}, time.Time{}, time.Time{}
	return actions
}

// again has what is not answered said again, after a pause that is bounded by
// longest if it doubles.
func (m *Machine) again(now time.Time, pause time.Duration) {
	m.pause = pause
	m.repeat = now.Add(pause)
}

// due reports whether the time t has come; there is none if it is zero.
func due(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

func (m *Machine) wasSeen(d Direction) bool { return m.seen[d] }

// holds reports whether the anchors hold packets.
func (m *Machine) holds() bool { return m.plan.Guarantee != lock.LossFree }

// checkpoint reports whether they do so only beyond a checkpoint.
func (m *Machine) checkpoint() bool { return m.plan.Guarantee == lock.Substream }

// questions are what a host that is in doubt says when it is time.
func (m *Machine) questions(now time.Time) []Action {
	if !due(m.ask, now) {
		return nil
	}
	m.ask = now.Add(AskTime)
	actions := []Action{Send{m.plan.Left, Ask{}}}
	if m.role == lock.OldHost {
		actions = append(actions, Send{m.plan.Right, Ask{}})
	}
	return actions
}

// refuse tells the left anchor to abort.
func (m *Machine) refuse(reason lock.Reason) Action {
	m.why = lock.Why{Reason: reason, Host: m.here}
	return Send{m.plan.Left, Refuse{m.why}}
}

// inPlan reports whether this host is part of the plan.
func (m *Machine) inPlan(host netip.Addr) bool { return m.plan.Role(host) != lock.NoRole }

// drop takes a host from those that have not heard the outcome, and reports
// whether it was the last one.
func (m *Machine) drop(host netip.Addr) bool {
	i := slices.Index(m.unanswered, host)
	if i < 0 {
		return false
	}
	m.unanswered = slices.Delete(m.unanswered, i, i+1)
	return len(m.unanswered) == 0
}
