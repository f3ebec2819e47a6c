// SPDX-License-Identifier: Apache-2.0

package subpolicy

import (
	"fmt"

	"mbchain/proto"
)

// An Event is something that a [Machine] is told.
type Event interface {
	fmt.Stringer
	event()
}

// Module is what the kernel module says of itself.
type Module struct {
	Version uint64   // of its subpolicy, 0: none
	Seed    []byte   // of its subpolicy
	KeyIDs  []uint32 // of its set-up keys; the first one signs
}

type (
	// Probed: the module answered.
	Probed struct{ Module Module }
	// Gone: the module does not answer.
	Gone struct{ Err error }
	// Offered: policyd pushed a subpolicy.
	Offered struct {
		Ref       Ref
		Subpolicy *proto.Subpolicy // not to be changed afterwards
	}
	// Loaded: the module took all of the last [Load].
	Loaded struct{}
	// Refused: the module, or the compiler, does not want the last [Load].
	Refused struct {
		KeysSet bool // its keys are in force all the same
		Err     error
	}
	// Deferred: the last [Load] failed for a reason that passes.
	Deferred struct{ Err error }
)

func (Probed) event()   {}
func (Gone) event()     {}
func (Offered) event()  {}
func (Loaded) event()   {}
func (Refused) event()  {}
func (Deferred) event() {}

func (e Probed) String() string {
	return fmt.Sprintf("probed version=%d keys=%v", e.Module.Version, e.Module.KeyIDs)
}
func (e Gone) String() string     { return fmt.Sprintf("gone: %v", e.Err) }
func (e Offered) String() string  { return fmt.Sprintf("offered version=%d", e.Subpolicy.GetVersion()) }
func (e Loaded) String() string   { return "loaded" }
func (e Refused) String() string  { return fmt.Sprintf("refused keys_set=%t: %v", e.KeysSet, e.Err) }
func (e Deferred) String() string { return fmt.Sprintf("deferred: %v", e.Err) }
