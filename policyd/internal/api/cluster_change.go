// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mbchain/policyd/internal/cluster"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

// electFor is how long another node has to take the leadership up.
const electFor = 5 * time.Second

// RemoveNode implements ClusterService.
func (s clusterService) RemoveNode(ctx context.Context, r *proto.RemoveNodeRequest) (*proto.RemoveNodeResponse, error) {
	if err := checkNodeName(r.Name); err != nil {
		return nil, err
	}
	note(ctx, "node", r.Name)
	left, err := s.remove(ctx, r.Name)
	if err != nil {
		s.Logger.Warn("node not removed", "node", r.Name, "peer", peer(ctx), "error", err)
		return nil, coded(fmt.Errorf("remove %s: %w", r.Name, err))
	}
	s.Logger.Info("node removed", "node", r.Name, "voters", left, "peer", peer(ctx))
	return &proto.RemoveNodeResponse{Voters: left}, nil
}

func (s clusterService) remove(ctx context.Context, name string) (left uint32, err error) {
	if _, err := s.Cluster.State(); err != nil {
		return 0, err
	}
	members, err := s.members()
	if err != nil {
		return 0, err
	}
	at := slices.IndexFunc(members, func(m *proto.Member) bool { return m.Name == name })
	if at < 0 {
		return 0, cluster.ErrNoMember
	}
	nodes := s.askNodes(ctx, members)
	voters, _ := countVoters(nodes)
	if members[at].Voter {
		voters--
		if err := enoughWithout(nodes, name); err != nil {
			return 0, err
		}
	}
	if name == s.Cluster.Status().ID {
		if err := s.Cluster.Transfer(""); err != nil {
			return 0, err
		}
		return 0, fmt.Errorf("%w: it led, and has handed the leadership over: ask again", cluster.ErrNotReady)
	}
	if err := s.Cluster.Remove(name); err != nil {
		return 0, err
	}
	result, err := s.Cluster.Apply(ctx, store.Command{RemoveNode: &store.RemoveNode{Name: name}})
	if err != nil {
		return 0, err
	}
	s.Update(result.State)
	return voters, nil
}

// TransferLeader implements ClusterService.
func (s clusterService) TransferLeader(ctx context.Context, r *proto.TransferLeaderRequest) (*proto.TransferLeaderResponse, error) {
	here := s.Cluster.Status().ID
	note(ctx, "node", r.Name)
	if r.Name != "" {
		if err := checkNodeName(r.Name); err != nil {
			return nil, err
		}
		if _, err := s.Cluster.State(); err == nil && r.Name == here {
			return &proto.TransferLeaderResponse{Leader: here}, nil
		}
	}
	members, err := s.members()
	if err != nil {
		return nil, coded(err)
	}
	if !slices.ContainsFunc(members, func(m *proto.Member) bool { return m.Voter && m.Name != here }) {
		return nil, coded(fmt.Errorf("transfer: %w: there is no other node that votes", cluster.ErrMember))
	}
	if err := s.Cluster.Transfer(r.Name); err != nil {
		return nil, coded(fmt.Errorf("transfer: %w", err))
	}
	leader := s.awaitLeader(ctx, here)
	s.Logger.Info("leadership handed over", "leader", leader, "peer", peer(ctx))
	return &proto.TransferLeaderResponse{Leader: leader}, nil
}

// awaitLeader waits until a node leads that is not called old, and returns its
// name, or the empty text if none does.
func (s clusterService) awaitLeader(ctx context.Context, old string) string {
	ctx, cancel := context.WithTimeout(ctx, electFor)
	defer cancel()
	for {
		leader, changed := s.Cluster.Leader()
		if leader.Name != "" && leader.Name != old {
			return leader.Name
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ""
		}
	}
}
