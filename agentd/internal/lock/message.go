// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"fmt"
	"net/netip"
)

// A Reason says why a migration cannot be; docs/PROTOCOL.md explains each.
type Reason string

// The reasons.
const (
	Busy         Reason = "busy"
	NoSession    Reason = "no_session"
	PathChanged  Reason = "path_changed"
	Unlocked     Reason = "unlocked"
	Policy       Reason = "policy"
	Leaving      Reason = "leaving"
	NoAnswer     Reason = "no_answer"
	Overflowed   Reason = "overflow"
	NFState      Reason = "nf_state"
	ModuleFailed Reason = "module_failed"
	Cancelled    Reason = "cancelled"
	SessionEnded Reason = "session_over"
)

// A Why is a reason and the host that gave it.
type Why struct {
	Reason Reason
	Host   netip.Addr
}

func (w Why) String() string { return fmt.Sprintf("%s at %v", w.Reason, w.Host) }

// A Message is what neighbours on the old path say to each other: [Request] and
// [Cancel] to the right, [Approve] and [Reject] to the left. On the wire the
// migration's id stands beside it.
type Message interface {
	fmt.Stringer
	message()
}

type (
	// Request: lock yourself, and ask the next host.
	Request struct{ Plan *Plan }
	// Approve: all hosts right of here are locked.
	Approve struct{}
	// Reject: one of them is not. The sender has unlocked itself.
	Reject struct{ Why Why }
	// Cancel: forget the Request.
	Cancel struct{}
)

func (Request) message() {}
func (Approve) message() {}
func (Reject) message()  {}
func (Cancel) message()  {}

func (m Request) String() string { return "REQUEST" }
func (m Approve) String() string { return "APPROVE" }
func (m Reject) String() string  { return "REJECT " + m.Why.String() }
func (m Cancel) String() string  { return "CANCEL" }
