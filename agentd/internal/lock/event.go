// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"fmt"
	"net/netip"
)

// An Event is something that a [Machine] is told. The messages that come for it
// are events too, but [Request], which makes it.
type Event interface{ fmt.Stringer }

type (
	// Locked: the module did the [Lock].
	Locked struct{}
	// NotLocked: it did not.
	NotLocked struct{ Reason Reason }
	// Lost: the connection to this host is lost, or cannot be had.
	Lost struct{ Host netip.Addr }
	// Gone: the module has forgotten the session, and the record with it.
	Gone struct{}
	// Withdrawn: nobody wants the migration any more.
	Withdrawn struct{}
	// Tick: time passed. It may come at any time.
	Tick struct{}
)

func (e Locked) String() string    { return "Locked" }
func (e NotLocked) String() string { return "NotLocked " + string(e.Reason) }
func (e Lost) String() string      { return fmt.Sprintf("Lost %v", e.Host) }
func (e Gone) String() string      { return "Gone" }
func (e Withdrawn) String() string { return "Withdrawn" }
func (e Tick) String() string      { return "Tick" }
