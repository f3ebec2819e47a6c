// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"
	"net/netip"

	"mbchain/agentd/internal/lock"
	"mbchain/chain"
)

// An Action is something that a [Host] wants done. docs/PROTOCOL.md says what
// each asks of the module. lock.Lock and lock.Unlock are actions too.
type Action interface{ fmt.Stringer }

type (
	// Send: say this to a host.
	Send struct {
		To      netip.Addr
		Message Message
	}

	// Install: accept on the new path too, and at a new host make the session and
	// the record. The answer is [Installed] or [Failed].
	Install struct {
		Plan *lock.Plan
		Role lock.Role
		Wire chain.FiveTuple // subsession to the left; zero at the left anchor
	}
	// Hold: keep packets of this direction, in order.
	Hold struct {
		Direction  Direction
		Checkpoint bool // only bytes that were not seen yet; answered by [AckReached]
	}
	// SendMarker: UPDATE-FIN behind the last packet on the old path.
	SendMarker struct{ Direction Direction }
	// Switch: send on this path, what is held first. The left anchor's to the new path
	// is answered by [NewPathTaken], or [Failed] if the module has let go what was held.
	Switch struct {
		Direction Direction
		Path      lock.Path
	}
	// Remove: send nothing on this path any more, and soon forget it.
	Remove struct{ Path lock.Path }

	// ExportState: freeze and copy the NF's state. The answer is [Exported] or
	// [Failed].
	ExportState struct{ Method lock.Method }
	// ImportState: give it to the NF here. The answer is [Imported] or [Failed].
	ImportState struct {
		Method lock.Method
		Data   []byte
	}

	// Report: tell whoever wants to know how far the migration has come here.
	Report struct {
		Step Step
		Why  lock.Why // of Aborted and Failed steps
	}
)

// A Step of a migration is worth a line in its history.
type Step uint8

// The steps.
const (
	StepLocked    Step = iota // left anchor: APPROVE has come
	StepCommitted             // left anchor: switched to the new path
	StepDrained               // this host has seen the last packets on the old path
	StepDone                  // left anchor: the old path is given up
	StepReleased              // what was held went by the old path, in doubt or for want of room: order is not promised any more
	StepAborted               // left anchor: all is as it was, or will be
	StepFailed                // left anchor: and there will be no other try
	StepEnded                 // the session ended first
)

func (s Step) String() string {
	names := [...]string{"locked", "committed", "drained", "done", "released", "aborted", "failed", "ended"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("step(%d)", uint8(s))
}

func (a Send) String() string    { return fmt.Sprintf("send %v %v", a.To, a.Message) }
func (a Install) String() string { return fmt.Sprintf("install as %v", a.Role) }
func (a Hold) String() string {
	if a.Checkpoint {
		return fmt.Sprintf("hold %v beyond checkpoint", a.Direction)
	}
	return fmt.Sprintf("hold %v", a.Direction)
}
func (a SendMarker) String() string  { return fmt.Sprintf("marker %v", a.Direction) }
func (a Switch) String() string      { return fmt.Sprintf("switch %v %v", a.Direction, a.Path) }
func (a Remove) String() string      { return fmt.Sprintf("remove %v", a.Path) }
func (a ExportState) String() string { return fmt.Sprintf("export by %v", a.Method) }
func (a ImportState) String() string { return fmt.Sprintf("import by %v", a.Method) }
func (a Report) String() string {
	if a.Why == (lock.Why{}) {
		return fmt.Sprintf("report %v", a.Step)
	}
	return fmt.Sprintf("report %v: %v", a.Step, a.Why)
}
