// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/raft"
)

// MaxVoters is the most that vote: more make every change slower, and five go
// on without two of them.
const MaxVoters = 5

// Member is a node that Raft knows.
type Member struct {
	Name        string
	RaftAddress string
	Voter       bool // false: it has yet to catch up
}

// Members returns the nodes of the cluster by name, as far as this one knows,
// and the index of the entry that made them.
func (n *Node) Members() ([]Member, uint64, error) {
	future := n.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return nil, 0, fmt.Errorf("read members: %w", err)
	}
	var list []Member
	for _, s := range future.Configuration().Servers {
		m := Member{Name: string(s.ID), RaftAddress: string(s.Address), Voter: s.Suffrage == raft.Voter}
		if m.Name == n.config.ID && n.config.Listen == "" {
			m.RaftAddress = "" // it has no port, and Raft a number in its place
		}
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return list, future.Index(), nil
}

// Add takes a node in that does not vote yet. A voter keeps its vote.
func (n *Node) Add(name, raftAddress string) error {
	members, index, err := n.Members()
	if err != nil {
		return err
	}
	for _, m := range members {
		switch {
		case m.Name != name && m.RaftAddress == raftAddress:
			return fmt.Errorf("%w: %s is that of node %s", ErrMember, raftAddress, m.Name)
		case m.Name == name && m.RaftAddress == raftAddress:
			return nil
		case m.Name == name && m.Voter:
			return fmt.Errorf("%w: node %s votes, and is at %s", ErrMember, name, m.RaftAddress)
		}
	}
	return n.change(index, func(index uint64) raft.Future {
		return n.raft.AddNonvoter(raft.ServerID(name), raft.ServerAddress(raftAddress), index, enqueueTimeout)
	})
}

// Promote gives a node its vote.
func (n *Node) Promote(name string) error {
	members, index, err := n.Members()
	if err != nil {
		return err
	}
	voters, at := 0, -1
	for i, m := range members {
		if m.Name == name {
			at = i
		}
		if m.Voter {
			voters++
		}
	}
	switch {
	case at < 0:
		return fmt.Errorf("%w: %s", ErrNoMember, name)
	case members[at].Voter:
		return nil
	case voters >= MaxVoters:
		return fmt.Errorf("%w: %d nodes vote, which is the most", ErrMember, voters)
	}
	return n.change(index, func(index uint64) raft.Future {
		return n.raft.AddVoter(raft.ServerID(name), raft.ServerAddress(members[at].RaftAddress), index, enqueueTimeout)
	})
}

// Remove takes a node out. One that is not there changes nothing.
func (n *Node) Remove(name string) error {
	members, index, err := n.Members()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(members, func(m Member) bool { return m.Name == name }) {
		return nil
	}
	return n.change(index, func(index uint64) raft.Future {
		return n.raft.RemoveServer(raft.ServerID(name), index, enqueueTimeout)
	})
}

// change has the members changed, unless they are not those of index any more.
func (n *Node) change(index uint64, do func(index uint64) raft.Future) error {
	if !n.leads() {
		return ErrNotReady
	}
	if err := do(index).Error(); err != nil {
		return outcome(err)
	}
	return nil
}

// Transfer hands the leadership over: to the node called name, or, if that is
// empty, to the one whose log is newest. It returns once this node does not
// lead any more.
func (n *Node) Transfer(name string) error {
	if !n.leads() {
		return ErrNotReady
	}
	var future raft.Future
	if name == "" {
		future = n.raft.LeadershipTransfer()
	} else {
		members, _, err := n.Members()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(members, func(m Member) bool { return m.Name == name && m.Voter })
		if i < 0 {
			return fmt.Errorf("%w that votes: %s", ErrNoMember, name)
		}
		future = n.raft.LeadershipTransferToServer(raft.ServerID(name), raft.ServerAddress(members[i].RaftAddress))
	}
	if err := future.Error(); err != nil {
		return fmt.Errorf("%w: hand the leadership over: %w", ErrNotReady, err)
	}
	return nil
}

// Leave hands the leadership over if there is anybody to take it, so that a
// node that stops keeps nobody waiting for an election.
func (n *Node) Leave() {
	members, _, err := n.Members()
	if err != nil || !n.leads() || !slices.ContainsFunc(members, func(m Member) bool { return m.Voter && m.Name != n.config.ID }) {
		return
	}
	if err := n.Transfer(""); err != nil && !errors.Is(err, raft.ErrNotLeader) {
		n.logger.Warn("raft leadership not handed over", "error", err)
	}
}
