// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"net/netip"
	"slices"

	"mbchain/agentd/internal/lock"
)

// maySend reports whether the host from may send msg of this plan to the host
// here.
func maySend(plan *lock.Plan, from, here netip.Addr, msg Message) bool {
	role := plan.Role(here)
	oldLeft, oldRight := plan.Beside(lock.OldPath, here)
	newLeft, newRight := plan.Beside(lock.NewPath, here)
	if plan.Role(from) == lock.NoRole {
		return false
	}
	switch msg.(type) {
	case lock.Request, lock.Cancel:
		return from == oldLeft
	case lock.Approve, lock.Reject:
		return from == oldRight
	case Syn:
		return from == newLeft
	case SynAck:
		return from == newRight
	case Ack:
		return from == newLeft || from == plan.Left
	case Refuse, Closed, Aborted:
		return role == lock.LeftAnchor
	case FinAck:
		return role == lock.LeftAnchor && from == plan.Right
	case NFState:
		return slices.ContainsFunc(plan.State, func(p lock.Pair) bool { return p.From == from && p.To == here })
	case NFStateAck:
		return slices.ContainsFunc(plan.State, func(p lock.Pair) bool { return p.To == from && p.From == here })
	case Close, Abort:
		return from == plan.Left || role == lock.OldHost && from == plan.Right
	case Ask:
		return role == lock.LeftAnchor || role == lock.RightAnchor
	}
	return false
}
