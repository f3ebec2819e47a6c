// SPDX-License-Identifier: Apache-2.0

package session

import (
	"fmt"
	"net/netip"
)

// An Action is something that a [Machine] wants done.
type Action interface {
	fmt.Stringer
	action()
}

// Why is what the module counts when a wait ends badly.
type Why uint8

// The reasons.
const (
	NoAnswer Why = iota // a host cannot be reached, or does not answer in time
	Refused             // a host refused
)

func (w Why) String() string {
	if w == Refused {
		return "refused"
	}
	return "no answer"
}

type (
	// Install: make the module take part in the session. The answer is
	// [Installed] or [NotInstalled].
	Install struct{ Syn Syn }
	// Release: let the session's packets go on. The answer is [Released] or
	// [NotReleased].
	Release struct{ Known bool } // the right neighbour knew it already
	// Fail: end the module's wait, badly. It may have ended.
	Fail struct{ Why Why }
	// Delete: make the module forget the session, if it has it. Unless
	// Always, one through which an answer has passed is left alone: it is set
	// up, whatever the agents think.
	Delete struct{ Always bool }

	// Ask: open a stream to a host and send a SYN.
	Ask struct {
		Host netip.Addr
		Syn  Syn
	}
	// Confirm: send an ACK to the right.
	Confirm struct{}
	// DropRight: reset the stream to the right, if there is one.
	DropRight struct{}

	// Answer: send a SYNACK to the left.
	Answer struct{ Known bool }
	// Refuse: send a REJECT to the left and end the stream.
	Refuse struct{ Reject Reject }
	// EndLeft: end the stream to the left in order.
	EndLeft struct{}
	// DropLeft: reset it.
	DropLeft struct{}
)

func (Install) action()   {}
func (Release) action()   {}
func (Fail) action()      {}
func (Delete) action()    {}
func (Ask) action()       {}
func (Confirm) action()   {}
func (DropRight) action() {}
func (Answer) action()    {}
func (Refuse) action()    {}
func (EndLeft) action()   {}
func (DropLeft) action()  {}

func (a Install) String() string { return fmt.Sprintf("install right=%d", len(a.Syn.Hops)) }
func (a Release) String() string { return fmt.Sprintf("release known=%t", a.Known) }
func (a Fail) String() string    { return fmt.Sprintf("fail: %v", a.Why) }
func (a Delete) String() string {
	if a.Always {
		return "delete"
	}
	return "delete unless answered"
}
func (a Ask) String() string {
	return fmt.Sprintf("ask %v within=%v right=%d", a.Host, a.Syn.Within, len(a.Syn.Hops))
}
func (a Confirm) String() string   { return "confirm" }
func (a DropRight) String() string { return "drop right" }
func (a Answer) String() string    { return fmt.Sprintf("answer known=%t", a.Known) }
func (a Refuse) String() string    { return fmt.Sprintf("refuse: %v", a.Reject) }
func (a EndLeft) String() string   { return "end left" }
func (a DropLeft) String() string  { return "drop left" }
