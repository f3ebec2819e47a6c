// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"strconv"
	"strings"
)

// Status is how a node is doing.
type Status struct {
	ID           string
	Address      string
	RaftAddress  string // empty: it has no port for other nodes
	State        string // "leader", "follower", "candidate" or "shutdown"
	Leader       string // name; empty: it knows of none
	Term         uint64
	AppliedIndex uint64
	LastTerm     uint64 // of the newest entry of its log
	LastIndex    uint64
}

// Status returns how n is doing.
func (n *Node) Status() Status {
	leader, _ := n.Leader()
	s := Status{
		ID: n.config.ID, Address: n.config.Address, Leader: leader.Name,
		State:        strings.ToLower(n.raft.State().String()),
		Term:         n.raft.CurrentTerm(),
		AppliedIndex: n.raft.AppliedIndex(),
		LastIndex:    n.raft.LastIndex(),
	}
	if n.config.Listen != "" {
		s.RaftAddress = string(n.transport.LocalAddr())
	}
	s.LastTerm, _ = strconv.ParseUint(n.raft.Stats()["last_log_term"], 10, 64)
	// Raft notes the index a moment after it has answered.
	if state, err := n.fsm.State(); err == nil {
		s.AppliedIndex = max(s.AppliedIndex, state.Index)
	}
	return s
}

// Leader is the node that leads, as far as another one knows.
type Leader struct {
	Name    string // empty: there is none
	Address string // of its API; empty: not known
	Here    bool   // this node
}

// Leader returns who leads, and a channel that is closed when another does.
func (n *Node) Leader() (Leader, <-chan struct{}) {
	n.mu.Lock()
	changed := n.changed
	n.mu.Unlock()
	_, id := n.raft.LeaderWithID()
	l := Leader{Name: string(id), Here: string(id) == n.config.ID}
	if state, err := n.fsm.State(); err == nil {
		node, _ := state.Node(l.Name)
		l.Address = node.Address
	}
	return l, changed
}

// tellChange says that another node leads, or none.
func (n *Node) tellChange() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.changed)
	n.changed = make(chan struct{})
}
