// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"mbchain/policyd/internal/cluster"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

func applied(source string) store.Command {
	return store.Command{SetPolicy: &store.SetPolicy{Source: source}}
}

func asConnect(err error, to **connect.Error) bool { return errors.As(err, to) }

// voters makes the node know so many nodes that vote, itself first; only those
// of its network answer.
func (b *bench) voters(n int) {
	b.cluster.members = nil
	for i := range n {
		b.cluster.members = append(b.cluster.members, cluster.Member{
			Name: fmt.Sprintf("p%d", i+1), RaftAddress: fmt.Sprintf("10.0.0.%d:7401", i+1), Voter: true,
		})
	}
}

func TestJoinRefusesWhatCannotBe(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		right := func() *proto.JoinNodeRequest {
			return &proto.JoinNodeRequest{Name: "p9", RaftAddress: "10.0.0.9:7401", Address: "10.0.0.9:7400"}
		}
		tests := []struct {
			name  string
			spoil func(*proto.JoinNodeRequest)
		}{
			{"no name", func(r *proto.JoinNodeRequest) { r.Name = "" }},
			{"raft address by name", func(r *proto.JoinNodeRequest) { r.RaftAddress = "p9:7401" }},
			{"raft port 0", func(r *proto.JoinNodeRequest) { r.RaftAddress = "10.0.0.9:0" }},
			{"every raft address", func(r *proto.JoinNodeRequest) { r.RaftAddress = "[::]:7401" }},
			{"no address", func(r *proto.JoinNodeRequest) { r.Address = "" }},
			{"no port", func(r *proto.JoinNodeRequest) { r.Address = "10.0.0.9" }},
			{"strange port", func(r *proto.JoinNodeRequest) { r.Address = "10.0.0.9:http" }},
			{"a line in it", func(r *proto.JoinNodeRequest) { r.Address = "10.0.0.9\n:1" }},
		}
		for _, tt := range tests {
			r := right()
			tt.spoil(r)
			_, err := b.nodes.JoinNode(t.Context(), r)
			if connect.CodeOf(err) != connect.CodeInvalidArgument {
				t.Errorf("%s: %v, want it invalid", tt.name, err)
			}
		}
	})
}

// A voter that lost its log is taken out before its name comes back, unless it
// is alive or needed.
func TestJoinUnderAKnownName(t *testing.T) {
	join := func(b *bench) error {
		_, err := b.nodes.JoinNode(b.t.Context(), &proto.JoinNodeRequest{
			Name: "p3", RaftAddress: "10.0.0.3:7401", Address: "p3:7400"})
		return err
	}
	pair(t, func(t *testing.T, leader, p2 *bench) {
		leader.voters(3)
		leader.know("p2", "p2:7400")
		leader.network["p2:7400"] = p2.pipes
		if err := join(leader); err != nil || len(leader.cluster.removed) != 1 || leader.cluster.removed[0] != "p3" {
			t.Errorf("removed %v, error %v, want p3", leader.cluster.removed, err)
		}
		leader.voters(5) // of which two are alive
		wantCode(t, join(leader), connect.CodeFailedPrecondition)
		leader.voters(5)
		leader.cluster.members[2].Name = "p6"
		wantCode(t, join(leader), connect.CodeFailedPrecondition) // a sixth
	})
	pair(t, func(t *testing.T, leader, p2 *bench) {
		leader.voters(3)
		leader.cluster.members[1].Name = "p9"
		leader.know("p3", "p2:7400") // at p3's address somebody else answers
		leader.network["p2:7400"] = p2.pipes
		wantCode(t, join(leader), connect.CodeFailedPrecondition)
	})
}

// know makes the state say where a node is.
func (b *bench) know(name, address string) {
	b.t.Helper()
	cmd := store.Command{SetNode: &store.SetNode{Node: store.Node{Name: name, Address: address}}}
	if _, err := b.cluster.Apply(b.t.Context(), cmd); err != nil {
		b.t.Fatal(err)
	}
}

func TestGetClusterAsksEveryNode(t *testing.T) {
	pair(t, func(t *testing.T, leader, p2 *bench) {
		leader.voters(3)
		leader.know("p2", "p2:7400")
		leader.know("p3", "p3:7400")
		leader.network["p2:7400"] = p2.pipes
		got, err := leader.nodes.GetCluster(t.Context(), &proto.GetClusterRequest{})
		if err != nil || got.Asked != "p1" || got.Voters != 3 || got.ReachableVoters != 2 {
			t.Fatalf("cluster %v, error %v", got, err)
		}
		if s := got.Nodes[1].Status; s.GetState() != "follower" || s.GetLeader() != "p1" {
			t.Errorf("p2: %v", got.Nodes[1])
		}
		if n := got.Nodes[2]; n.Status != nil || !strings.Contains(n.Error, "refused") {
			t.Errorf("p3: %v", n)
		}
	})
}

func TestRemoveNode(t *testing.T) {
	pair(t, func(t *testing.T, leader, p2 *bench) {
		leader.voters(3)
		leader.know("p2", "p2:7400")
		leader.know("p3", "p3:7400")
		leader.network["p2:7400"] = p2.pipes
		remove := func(name string) error {
			_, err := leader.nodes.RemoveNode(t.Context(), &proto.RemoveNodeRequest{Name: name})
			return err
		}
		wantCode(t, remove("p9"), connect.CodeNotFound)
		wantCode(t, remove("p2"), connect.CodeFailedPrecondition) // p3 is away
		if err := remove("p3"); err != nil {
			t.Errorf("remove a node that is away: %v", err)
		}
		if state, _ := leader.cluster.State(); len(state.Nodes) != 1 {
			t.Errorf("nodes %v", state.Nodes)
		}
		leader.voters(2)
		leader.know("p2", "p2:7400")
		err := remove("p1")
		wantCode(t, err, connect.CodeUnavailable) // it hands over first
		var told *connect.Error
		if !asConnect(err, &told) || told.Meta().Get(headerTryAgain) != nothingDone {
			t.Errorf("error %v: who asks again has it removed", err)
		}
	})
}
