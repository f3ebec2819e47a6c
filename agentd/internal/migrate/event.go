// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"
	"net/netip"

	"mbchain/agentd/internal/lock"
	"mbchain/chain"
)

// A Direction is one of the two in which packets of a session go.
type Direction uint8

// The directions.
const (
	Rightward Direction = iota // to the server
	Leftward                   // to the client
)

func (d Direction) String() string {
	if d == Leftward {
		return "leftward"
	}
	return "rightward"
}

// An Event is something that a [Machine] is told.
type Event interface{ fmt.Stringer }

type (
	// Received: this message came, from a host that may send it.
	Received struct {
		From    netip.Addr
		Message Message
	}
	// Lost: the connection to this host is lost, or cannot be had.
	Lost struct{ Host netip.Addr }
	// Tick: time passed. It may come at any time.
	Tick struct{}
	// Withdrawn: the operator, or who asked, wants no migration any more.
	Withdrawn struct{}

	// Installed: the module did the last [Install].
	Installed struct{ Wire chain.FiveTuple } // subsession to the right; zero at the right anchor
	// Exported: the NF's state is frozen, and this.
	Exported struct{ Data []byte }
	// Imported: the NF has the state.
	Imported struct{}
	// NewPathTaken: the left anchor's module did the [Switch] that commits.
	NewPathTaken struct{}
	// Failed: module or NF did not do what was ordered, and will not.
	Failed struct{ Reason lock.Reason }

	// MarkerSeen: a marker of this migration came by on the old path.
	MarkerSeen struct{ Direction Direction }
	// AckReached: all bytes up to the checkpoint of [Hold] are acknowledged.
	AckReached struct{}
	// Overflow: more was held than the policy lets, and the module has let it go
	// by the old path.
	Overflow struct{}
	// NewPathUsed: a packet going right came on the new path.
	NewPathUsed struct{}
	// SessionOver: the module has forgotten the session, and the record with it.
	SessionOver struct{}
)

func (e Received) String() string     { return fmt.Sprintf("%v from %v", e.Message, e.From) }
func (e Lost) String() string         { return fmt.Sprintf("Lost %v", e.Host) }
func (e Tick) String() string         { return "Tick" }
func (e Withdrawn) String() string    { return "Withdrawn" }
func (e Installed) String() string    { return "Installed" }
func (e Exported) String() string     { return "Exported" }
func (e Imported) String() string     { return "Imported" }
func (e NewPathTaken) String() string { return "NewPathTaken" }
func (e Failed) String() string       { return "Failed " + string(e.Reason) }
func (e MarkerSeen) String() string   { return "MarkerSeen " + e.Direction.String() }
func (e AckReached) String() string   { return "AckReached" }
func (e Overflow) String() string     { return "Overflow" }
func (e NewPathUsed) String() string  { return "NewPathUsed" }
func (e SessionOver) String() string  { return "SessionOver" }

// A Record is what a module has of a migration, as an agent that was started
// anew reads it.
type Record struct {
	Plan       *lock.Plan
	Role       lock.Role
	Installed  bool            // the new path is there
	Wire       chain.FiveTuple // subsession to the right on it
	Switched   bool            // an anchor's packets go on the new path
	Held       bool            // an anchor's packets wait
	AckReached bool            // [AckReached] was told
	Seen       [2]bool         // by Direction: [MarkerSeen] was told
}
