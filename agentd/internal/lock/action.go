// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"fmt"
	"net/netip"
)

// An Action is something that a [Machine] wants done.
type Action interface {
	fmt.Stringer
	action()
}

type (
	// Lock: make the module's record of the migration. The answer is [Locked] or
	// [NotLocked].
	Lock struct {
		Plan *Plan
		Role Role
	}
	// Unlock: remove the record, if there is one of this migration.
	Unlock struct{}
	// Send: say this to a neighbour on the old path.
	Send struct {
		To      netip.Addr
		Message Message
	}
)

func (Lock) action()   {}
func (Unlock) action() {}
func (Send) action()   {}

func (a Lock) String() string   { return fmt.Sprintf("lock as %v", a.Role) }
func (a Unlock) String() string { return "unlock" }
func (a Send) String() string   { return fmt.Sprintf("send %v %v", a.To, a.Message) }
