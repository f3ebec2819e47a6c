// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"connectrpc.com/connect"

	"mbchain/policyd/internal/cluster"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

const (
	// catchUpFor is how long a node that joins has to receive the state before
	// it is told to ask again, and catchUpPoll how often it is looked.
	catchUpFor  = 20 * time.Second
	catchUpPoll = 50 * time.Millisecond
)

var (
	errNoRaftPort = errors.New("this cluster is one node without a port for others: restart it with --raft-listen ADDRESS:PORT")
	errAlive      = errors.New("a node of this name is alive")
	errQuorum     = errors.New("too few nodes are alive")
)

// JoinNode implements ClusterService.
func (s clusterService) JoinNode(ctx context.Context, r *proto.JoinNodeRequest) (*proto.JoinNodeResponse, error) {
	if err := checkJoin(r); err != nil {
		return nil, err
	}
	if err := mayBeNode(ctx, r.Name); err != nil {
		s.Logger.Warn("node refused", "node", r.Name, "peer", peer(ctx), "error", err)
		return nil, err
	}
	note(ctx, "node", r.Name)
	if s.Cluster.Status().RaftAddress == "" {
		return nil, coded(errNoRaftPort)
	}
	select {
	case s.joins <- struct{}{}:
		defer func() { <-s.joins }()
	default:
		return nil, tryAgain(connect.NewError(connect.CodeUnavailable, errors.New("another node is joining: ask again when it has")), nothingDone)
	}
	join := s.expect
	if r.Ready {
		join = s.takeIn
	}
	if err := join(ctx, r); err != nil {
		s.Logger.Warn("node not taken in", "node", r.Name, "peer", peer(ctx), "error", err)
		return nil, coded(fmt.Errorf("join %s: %w", r.Name, err))
	}
	return &proto.JoinNodeResponse{Voter: r.Ready}, nil
}

// expect makes the cluster ready for a node that has no log: whoever had the
// name and a vote must not be counted on any more.
func (s clusterService) expect(ctx context.Context, r *proto.JoinNodeRequest) error {
	members, err := s.members()
	if err != nil {
		return err
	}
	nodes := s.askNodes(ctx, members)
	i := slices.IndexFunc(nodes, func(n *proto.ClusterNode) bool { return n.Member.Name == r.Name })
	if i < 0 {
		if voters, _ := countVoters(nodes); voters >= cluster.MaxVoters {
			return fmt.Errorf("%w: %d nodes vote, which is the most: remove one first (mbctl cluster remove)", cluster.ErrMember, voters)
		}
		return nil
	}
	if nodes[i].Status != nil {
		return fmt.Errorf("%w at %s: choose another --id, or remove it first (mbctl cluster remove %s)",
			errAlive, nodes[i].Member.Address, r.Name)
	}
	if err := enoughWithout(nodes, r.Name); err != nil {
		return err
	}
	s.Logger.Warn("node is to join anew: its vote is withdrawn", "node", r.Name)
	return s.Cluster.Remove(r.Name)
}

// takeIn gives a node the state, and then its vote.
func (s clusterService) takeIn(ctx context.Context, r *proto.JoinNodeRequest) error {
	if _, err := s.askNode(ctx, r.Name, r.Address); err != nil {
		return fmt.Errorf("ask it at its own address %s: %w: is --advertise right?", r.Address, err)
	}
	want := s.Cluster.Status().LastIndex
	if err := s.Cluster.Add(r.Name, r.RaftAddress); err != nil {
		return err
	}
	result, err := s.Cluster.Apply(ctx, store.Command{SetNode: &store.SetNode{Node: store.Node{Name: r.Name, Address: r.Address}}})
	if err != nil {
		return err
	}
	s.Update(result.State)
	if err := s.awaitNode(ctx, r, want); err != nil {
		return err
	}
	if err := s.Cluster.Promote(r.Name); err != nil {
		return err
	}
	s.Logger.Info("node joined", "node", r.Name, "peer", peer(ctx))
	return nil
}

// awaitNode waits until a node has applied what the leader had.
func (s clusterService) awaitNode(ctx context.Context, r *proto.JoinNodeRequest, want uint64) error {
	ctx, cancel := context.WithTimeout(ctx, catchUpFor)
	defer cancel()
	poll := time.NewTicker(catchUpPoll)
	defer poll.Stop()
	for {
		status, err := s.askNode(ctx, r.Name, r.Address)
		if err == nil && status.AppliedIndex >= want {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("it has applied %d of %d entries so far: can the nodes reach its --raft-listen %s? %w",
				status.GetAppliedIndex(), want, r.RaftAddress, ctx.Err())
		}
	}
}

// enoughWithout says whether those alive could go on without a node.
func enoughWithout(nodes []*proto.ClusterNode, name string) error {
	others := slices.DeleteFunc(slices.Clone(nodes), func(n *proto.ClusterNode) bool { return n.Member.Name == name })
	if len(others) == len(nodes) {
		return nil
	}
	voters, reachable := countVoters(others)
	if 2*reachable <= voters {
		return fmt.Errorf("%w: without %s %d of %d voters would be, and nothing could be changed any more", errQuorum, name, reachable, voters)
	}
	return nil
}

func checkJoin(r *proto.JoinNodeRequest) error {
	if err := checkNodeName(r.Name); err != nil {
		return err
	}
	at, err := netip.ParseAddrPort(r.RaftAddress)
	if err != nil || at.Port() == 0 || at.Addr().IsUnspecified() {
		return invalid("raft_address: %q is not of the form ADDRESS:PORT that reaches the node", shorten(r.RaftAddress))
	}
	host, port, err := net.SplitHostPort(r.Address)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || n == 0 || len(r.Address) > maxText || !printable(r.Address) {
		return invalid("address: %q is not of the form ADDRESS:PORT", shorten(r.Address))
	}
	return nil
}

func checkNodeName(name string) error {
	if !hostName.MatchString(name) {
		return invalid("name: %q is not a name of 1 to 63 characters out of a-z, 0-9, '.' and '-'", shorten(name))
	}
	return nil
}
