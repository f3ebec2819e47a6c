// SPDX-License-Identifier: Apache-2.0

package subpolicy

import (
	"fmt"

	"mbchain/proto"
)

// A State is how a [Machine] stands with the module.
type State uint8

// The states of a [Machine].
const (
	Absent  State = iota // the module does not answer
	Idle                 // the module runs what it should, as far as it can
	Loading              // a Load has been asked for and not been answered
)

// String returns the name of the state in lower case.
func (s State) String() string {
	switch s {
	case Absent:
		return "absent"
	case Idle:
		return "idle"
	case Loading:
		return "loading"
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Machine follows one host's subpolicy. "settle" is: load the offer of policyd
// or else the last good subpolicy, if the module lacks it and has not refused
// it; an offer that the module lacks nothing of counts as loaded.
//
//	state    event     next             actions
//	absent   Probed    settle           Load, or Save and ack, or none
//	absent   Gone      absent
//	absent   Offered   absent           nack
//	idle     Probed    settle           Load, or none
//	idle     Gone      absent           nack the offer that was in force
//	idle     Offered   settle           Load, or Save and ack
//	loading  Loaded    settle           Save; ack an offer
//	loading  Refused   settle           Save if its keys are set; nack an offer
//	loading  Deferred  idle             nack an offer, once for each reason
//	loading  Gone      absent           nack offers that have no answer yet
//	loading  Offered   loading          its turn comes when the load is answered
//	loading  Probed    loading
//	other    Loaded, Refused, Deferred  ErrUnexpected
type Machine struct {
	state  State
	module Module           // as last seen; zero when absent
	absent error            // in Absent: why
	good   *proto.Subpolicy // the last one that the module took; nil: none
	offer  *candidate       // policyd's newest, until it is loaded; nil: none
	inUse  *candidate       // policyd's newest, once it is loaded; nil: none

	loading     *candidate // in Loading: which one
	goodRefused bool       // this module does not take the good one again
	goodErr     error      // why it is not loaded; nil: it is, or need not be

	offered uint64 // version that policyd offered last
}

// A candidate is a subpolicy on its way into the module.
type candidate struct {
	ref     Ref // zero: it is the last good one, and nobody waits for an answer
	sub     *proto.Subpolicy
	load    Load   // what the module lacked of it
	refused bool   // not to be tried again on this module
	nack    string // the last one sent
}

// Status is what a [Machine] has to say of itself.
type Status struct {
	State   State
	Running uint64 // version in force; 0: none, or no module
	Offered uint64 // version that policyd offered last; 0: none
	Problem string // what keeps the module from running it; empty: nothing
}

// New returns a machine that has not seen the module yet. The last good
// subpolicy is good, nil if there is none.
func New(good *proto.Subpolicy) *Machine { return &Machine{good: good, absent: errNotAsked} }

// Status returns the machine's present status.
func (m *Machine) Status() Status {
	s := Status{State: m.state, Running: m.module.Version, Offered: m.offered}
	switch {
	case m.state == Absent:
		s.Problem = m.absent.Error()
	case m.offer != nil && m.offer.nack != "":
		s.Problem = m.offer.nack
	case m.goodErr != nil:
		s.Problem = m.goodErr.Error()
	}
	return s
}

// Good returns the last subpolicy that the module took, nil if there is none. It is
// read-only.
func (m *Machine) Good() *proto.Subpolicy { return m.good }

// Step takes one event and returns what is to be done, in this order. At most
// one of the actions is a [Load], the last one. The error is [ErrUnexpected]
// when a Load is answered though none was asked for; nothing changes then.
func (m *Machine) Step(event Event) ([]Action, error) {
	switch e := event.(type) {
	case Probed:
		if m.state == Loading {
			return nil, nil
		}
		m.module = e.Module
		return m.settle(nil), nil
	case Offered:
		return m.takeOffer(e), nil
	case Gone:
		return m.gone(e.Err), nil
	}
	if m.state != Loading {
		return nil, fmt.Errorf("%w: %v while %v", ErrUnexpected, event, m.state)
	}
	c := m.loading
	m.state, m.loading = Idle, nil
	switch e := event.(type) {
	case Refused:
		return m.settle(m.refused(c, e)), nil
	case Deferred:
		return m.answer(nil, c, e.Err), nil
	default: // Loaded
		return m.settle(m.loaded(c)), nil
	}
}

func (m *Machine) takeOffer(e Offered) []Action {
	m.offer, m.inUse = &candidate{ref: e.Ref, sub: e.Subpolicy}, nil
	m.offered = e.Subpolicy.GetVersion()
	switch m.state {
	case Absent:
		return m.answer(nil, m.offer, m.absent)
	case Loading:
		return nil
	default:
		return m.settle(nil)
	}
}

// gone forgets the module and what it refused: the next one may differ. What
// was in force there is an offer again.
func (m *Machine) gone(err error) []Action {
	c := m.loading
	m.state, m.absent, m.module, m.loading = Absent, err, Module{}, nil
	m.offerAgain()
	var actions []Action
	if c != nil && c != m.offer && c.nack == "" {
		actions = m.answer(actions, c, err)
	}
	if m.offer != nil {
		m.offer.refused = false
		if m.offer.nack == "" {
			actions = m.answer(actions, m.offer, err)
		}
	}
	m.goodRefused, m.goodErr = false, nil
	return actions
}

func (m *Machine) loaded(c *candidate) []Action {
	m.module.KeyIDs = keyIDs(c.load.Keys)
	if p := c.load.Policy; p != nil {
		m.module.Version, m.module.Seed = p.GetVersion(), p.GetSeed()
	}
	return m.accept(nil, c)
}

func (m *Machine) refused(c *candidate, e Refused) []Action {
	var actions []Action
	if e.KeysSet {
		m.module.KeyIDs = keyIDs(c.load.Keys)
		actions = m.keep(actions, withKeys(m.good, c.load.Keys))
	}
	c.refused = true
	if c.ref == (Ref{}) {
		m.goodRefused = true
	}
	return m.answer(actions, c, e.Err)
}

// accept makes c the last good subpolicy. An offer of version 0 has no rules.
func (m *Machine) accept(actions []Action, c *candidate) []Action {
	good := c.sub
	if good.GetVersion() == 0 {
		good = withKeys(m.good, c.sub.GetKeys())
	}
	actions = m.keep(actions, good)
	m.goodRefused, m.goodErr = false, nil
	if m.offer == c {
		m.offer = nil
		if c.sub.GetVersion() != 0 {
			m.inUse = c
		}
	}
	return m.answer(actions, c, nil)
}

// offerAgain makes the offer that was loaded one that is not, because the
// module has lost it: policyd, which takes it for loaded, is told what becomes
// of it. It reports whether there was one.
func (m *Machine) offerAgain() bool {
	if m.inUse == nil {
		return false
	}
	m.offer, m.inUse = &candidate{ref: m.inUse.ref, sub: m.inUse.sub}, nil
	return true
}

// keep makes good the last good subpolicy, in memory and on disk.
func (m *Machine) keep(actions []Action, good *proto.Subpolicy) []Action {
	if same(good, m.good) {
		return actions
	}
	m.good = good
	return append(actions, Save{good})
}

// answer tells policyd what became of c, unless it has been told so before.
func (m *Machine) answer(actions []Action, c *candidate, err error) []Action {
	if c.ref == (Ref{}) {
		m.goodErr = err
		return actions
	}
	a := Acknowledge{Ref: c.ref, Version: m.module.Version}
	if err != nil {
		a.Err = err.Error()
		if c.nack == a.Err {
			return actions
		}
		c.nack = a.Err
	}
	return append(actions, a)
}

// settle appends what brings the module to run what it should.
func (m *Machine) settle(actions []Action) []Action {
	m.state, m.absent = Idle, nil
	if c := m.offer; c != nil && !c.refused {
		load, lacks := m.lacksOffer(c.sub)
		if !lacks {
			return m.accept(actions, c)
		}
		return m.load(actions, c, load)
	}
	if m.good == nil || m.goodRefused {
		return actions
	}
	if load, lacks := m.lacksGood(); lacks {
		if m.offerAgain() {
			return m.settle(actions)
		}
		return m.load(actions, &candidate{sub: m.good}, load)
	}
	return actions
}

func (m *Machine) load(actions []Action, c *candidate, load Load) []Action {
	c.load = load
	m.state, m.loading = Loading, c
	return append(actions, load)
}
