// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"strings"
	"time"

	"github.com/hashicorp/raft"
)

// States are all that [Stats].State may be.
func States() []string { return []string{"leader", "follower", "candidate", "shutdown"} }

// Stats is how Raft is doing, in figures.
type Stats struct {
	State        string // one of [States]
	Leader       bool   // a leader is known
	Term         uint64
	CommitIndex  uint64
	AppliedIndex uint64
	// LastContact is how long ago this node heard of its leader; 0 if it leads
	// itself, negative if it never has.
	LastContact time.Duration
	Peers       int // other nodes in the configuration
}

// Stats returns how Raft is doing now. It waits for nobody.
func (n *Node) Stats() Stats {
	s := Stats{
		State:        strings.ToLower(n.raft.State().String()),
		Term:         n.raft.CurrentTerm(),
		CommitIndex:  n.raft.CommitIndex(),
		AppliedIndex: n.raft.AppliedIndex(),
		LastContact:  -1,
	}
	_, leader := n.raft.LeaderWithID()
	s.Leader = leader != ""
	if last := n.raft.LastContact(); n.raft.State() == raft.Leader {
		s.LastContact = 0
	} else if !last.IsZero() {
		s.LastContact = time.Since(last)
	}
	future := n.raft.GetConfiguration() // answered at once
	if future.Error() == nil {
		s.Peers = max(len(future.Configuration().Servers)-1, 0)
	}
	return s
}
