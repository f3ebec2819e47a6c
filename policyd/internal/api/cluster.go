// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"mbchain/proto"
)

type clusterService struct{ *Server }

// GetNode implements ClusterService.
func (s clusterService) GetNode(context.Context, *proto.GetNodeRequest) (*proto.NodeStatus, error) {
	members, err := s.members()
	if err != nil {
		return nil, coded(err)
	}
	status := s.Cluster.Status()
	answer := &proto.NodeStatus{
		Name: status.ID, Address: status.Address, RaftAddress: status.RaftAddress,
		Version: s.Version, State: status.State, Leader: status.Leader, Term: status.Term,
		AppliedIndex: status.AppliedIndex, LastTerm: status.LastTerm, LastIndex: status.LastIndex,
		UptimeMs: uint64(time.Since(s.started).Milliseconds()), Members: members,
	}
	if state, err := s.Cluster.Copy(); err == nil {
		answer.PolicyVersion = state.Policy.Version
	}
	return answer, nil
}

// members returns the nodes of the cluster, by name.
func (s *Server) members() ([]*proto.Member, error) {
	list, _, err := s.Cluster.Members()
	if err != nil {
		return nil, err
	}
	state, err := s.Cluster.Copy()
	if err != nil {
		return nil, err
	}
	var to []*proto.Member
	for _, m := range list {
		node, _ := state.Node(m.Name)
		to = append(to, &proto.Member{Name: m.Name, RaftAddress: m.RaftAddress, Address: node.Address, Voter: m.Voter})
	}
	return to, nil
}

// GetCluster implements ClusterService.
func (s clusterService) GetCluster(ctx context.Context, _ *proto.GetClusterRequest) (*proto.GetClusterResponse, error) {
	members, err := s.members()
	if err != nil {
		return nil, coded(err)
	}
	answer := &proto.GetClusterResponse{Asked: s.Cluster.Status().ID, Nodes: s.askNodes(ctx, members)}
	answer.Voters, answer.ReachableVoters = countVoters(answer.Nodes)
	return answer, nil
}

// askNodes asks nodes how they are doing, all at once.
func (s clusterService) askNodes(ctx context.Context, members []*proto.Member) []*proto.ClusterNode {
	ctx, cancel := context.WithTimeout(ctx, askNodeFor)
	defer cancel()
	nodes := make([]*proto.ClusterNode, len(members))
	var group errgroup.Group
	for i, m := range members {
		group.Go(func() error {
			nodes[i] = &proto.ClusterNode{Member: m}
			status, err := s.askNode(ctx, m.Name, m.Address)
			if err != nil {
				nodes[i].Error = shorten(err.Error())
				return nil
			}
			nodes[i].Status = status
			return nil
		})
	}
	_ = group.Wait() // none fails
	return nodes
}

// askNode asks one node how it is doing. What answers in its place under
// another name is not that node.
func (s clusterService) askNode(ctx context.Context, name, address string) (*proto.NodeStatus, error) {
	if name == s.Cluster.Status().ID {
		return s.GetNode(ctx, &proto.GetNodeRequest{})
	}
	if address == "" {
		return nil, errors.New("its address is not known")
	}
	ctx, cancel := context.WithTimeout(ctx, askNodeFor)
	defer cancel()
	status, err := s.node(address).GetNode(ctx, &proto.GetNodeRequest{})
	if err != nil {
		return nil, err
	}
	if status.Name != name {
		return nil, errors.New("node " + shorten(status.Name) + " answers at its address")
	}
	status.Members = nil // what the asked node knows counts
	return status, nil
}

func countVoters(nodes []*proto.ClusterNode) (all, reachable uint32) {
	for _, n := range nodes {
		if n.Member.Voter {
			all++
			if n.Status != nil {
				reachable++
			}
		}
	}
	return all, reachable
}
