// SPDX-License-Identifier: Apache-2.0

package session

import "fmt"

// An Event is something that a [Machine] is told.
type Event interface {
	fmt.Stringer
	event()
}

type (
	// Installed: the module did the last [Install].
	Installed struct{ Part Part }
	// NotInstalled: it did not.
	NotInstalled struct{ Reason string }
	// Released: the module did the last [Release], or the session goes on
	// without it.
	Released struct{}
	// NotReleased: it did not, for the session waits no longer.
	NotReleased struct{ Err error }

	// Accepted: the right neighbour sent a SYNACK.
	Accepted struct{ Known bool }
	// Rejected: it sent a REJECT.
	Rejected struct{ Reject Reject }
	// RightEnded: it ended the stream in order.
	RightEnded struct{}
	// RightLost: there is no stream to it, or none any more.
	RightLost struct{ Err error }

	// Acked: the left neighbour sent an ACK.
	Acked struct{}
	// LeftLost: the stream to it is lost, or was before its ACK.
	LeftLost struct{ Err error }

	// Tick: time passed. It may come at any time.
	Tick struct{}
)

func (Installed) event()    {}
func (NotInstalled) event() {}
func (Released) event()     {}
func (NotReleased) event()  {}
func (Accepted) event()     {}
func (Rejected) event()     {}
func (RightEnded) event()   {}
func (RightLost) event()    {}
func (Acked) event()        {}
func (LeftLost) event()     {}
func (Tick) event()         {}

func (e Installed) String() string {
	return fmt.Sprintf("installed known=%t right=%d", e.Part.Known, len(e.Part.Hops))
}
func (e NotInstalled) String() string { return "not installed: " + e.Reason }
func (e Released) String() string     { return "released" }
func (e NotReleased) String() string  { return fmt.Sprintf("not released: %v", e.Err) }
func (e Accepted) String() string     { return fmt.Sprintf("accepted known=%t", e.Known) }
func (e Rejected) String() string     { return fmt.Sprintf("rejected: %v", e.Reject) }
func (e RightEnded) String() string   { return "right ended" }
func (e RightLost) String() string    { return fmt.Sprintf("right lost: %v", e.Err) }
func (e Acked) String() string        { return "acked" }
func (e LeftLost) String() string     { return fmt.Sprintf("left lost: %v", e.Err) }
func (e Tick) String() string         { return "tick" }
