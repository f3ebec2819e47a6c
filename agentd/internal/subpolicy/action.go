// SPDX-License-Identifier: Apache-2.0

package subpolicy

import (
	"fmt"

	"mbchain/proto"
)

// An Action is something that a [Machine] wants done.
type Action interface {
	fmt.Stringer
	action()
}

// Ref names one push of policyd, so that its answer finds the way back.
type Ref struct {
	Stream uint64 // which of this agent's subscriptions it came on
	Nonce  uint64 // of the push within it
}

type (
	// Load: set Keys, then replace the module's subpolicy by Policy. The
	// answer is one of [Loaded], [Refused], [Deferred] and [Gone].
	Load struct {
		Keys   []*proto.SetupKey
		Policy *proto.Subpolicy // nil: leave the one that is in force
	}
	// Save: keep Subpolicy on disk as the last good one.
	Save struct{ Subpolicy *proto.Subpolicy }
	// Acknowledge: tell policyd what became of its push.
	Acknowledge struct {
		Ref     Ref
		Version uint64 // in force now, 0: none
		Err     string // why the push was not loaded; empty: it was
	}
)

func (Load) action()        {}
func (Save) action()        {}
func (Acknowledge) action() {}

func (a Load) String() string {
	if a.Policy == nil {
		return fmt.Sprintf("load keys=%d", len(a.Keys))
	}
	return fmt.Sprintf("load version=%d keys=%d", a.Policy.GetVersion(), len(a.Keys))
}

func (a Save) String() string { return fmt.Sprintf("save version=%d", a.Subpolicy.GetVersion()) }

func (a Acknowledge) String() string {
	if a.Err == "" {
		return fmt.Sprintf("ack %d/%d version=%d", a.Ref.Stream, a.Ref.Nonce, a.Version)
	}
	return fmt.Sprintf("nack %d/%d version=%d: %s", a.Ref.Stream, a.Ref.Nonce, a.Version, a.Err)
}
