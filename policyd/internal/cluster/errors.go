// SPDX-License-Identifier: Apache-2.0

package cluster

import "errors"

var (
	// ErrNotReady: this node does not lead, or not yet; nothing was done.
	ErrNotReady = errors.New("policyd is not ready")
	// ErrUnknownOutcome: the command may take effect or not. Who repeats it
	// does no harm.
	ErrUnknownOutcome = errors.New("outcome unknown")
	// ErrMember: the nodes that there are do not allow it.
	ErrMember = errors.New("members do not allow it")
	// ErrNoMember: there is no such node.
	ErrNoMember = errors.New("no node of the cluster")
	// ErrStuck: Raft can never take anything again before it is started anew.
	ErrStuck = errors.New("raft leads and takes nothing: start this policyd again")
	// ErrLocked: another policyd uses the data directory.
	ErrLocked = errors.New("data directory is in use")
	// ErrDamaged: the data directory does not hold what was written to it.
	ErrDamaged = errors.New("data directory is damaged")
)
