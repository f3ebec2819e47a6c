// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	"mbchain/identity"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// Outcome: a node gets in with a token for its own name alone, and not under
// the name of one that is alive.
func TestJoinIsRefused(t *testing.T) {
	t.Parallel()
	d := newDomain(t, 3)
	first, second, stranger := d.nodes[0], d.nodes[1], d.nodes[2]
	d.found()
	d.leader()
	seconds := d.token(first, second.id)
	stranger.start("--join", first.address, "--token-file", seconds)
	if status := stranger.exited(); status != 1 || !stranger.said("it is for name "+second.id) {
		t.Errorf("another's token: status %d, or it did not say why", status)
	}
	second.start("--join", first.address, "--token-file", seconds)
	d.await(second)

	stranger.id = second.id
	stranger.start("--join", first.address, "--token-file", seconds)
	if status := stranger.exited(); status != 1 || !stranger.said("it is used up") {
		t.Errorf("a token that was used: status %d, or it did not say why", status)
	}
	stranger.start("--join", first.address, "--token-file", d.token(first, second.id))
	if status := stranger.exited(); status != 1 || !stranger.said("a node of this name is alive") {
		t.Errorf("name of another: status %d, or it did not say why", status)
	}
	ninth := protoconnect.NewClusterServiceClient(d.client(d.certify(identity.Policyd, "policyd9")), "https://"+first.address)
	_, err := ninth.JoinNode(t.Context(), &proto.JoinNodeRequest{Name: "policyd9", RaftAddress: "0.0.0.0:1", Address: "10.0.0.1:1"})
	if connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("raft address of nobody: %v", err)
	}
	for name, as := range map[string]protoconnect.ClusterServiceClient{"another node": ninth, "an operator": d.cluster(first)} {
		_, err = as.JoinNode(t.Context(), &proto.JoinNodeRequest{Name: "policyd8", RaftAddress: "10.0.0.1:1", Address: "10.0.0.1:1"})
		if connect.CodeOf(err) != connect.CodePermissionDenied {
			t.Errorf("%s joined in policyd8's place: %v", name, err)
		}
	}
	if status, err := d.status(first); err != nil || len(status.Members) != 2 {
		t.Errorf("members %v, error %v", status.GetMembers(), err)
	}
}

// Nodes are removed one after the other, by asking any of them. Outcome: a
// leader hands over first; a removal that would leave too few alive is refused.
func TestNodesAreRemoved(t *testing.T) {
	t.Parallel()
	d := newDomain(t, 3).form()
	d.mustApply(policyOf(1))
	leader := d.leader()
	moved, err := d.cluster(d.others(leader)[0]).TransferLeader(t.Context(), &proto.TransferLeaderRequest{Name: d.others(leader)[1].id})
	if err != nil || moved.Leader != d.others(leader)[1].id {
		t.Fatalf("transfer: %v, error %v", moved, err)
	}
	leader = d.leader()
	asked := d.others(leader)[0]
	dead := d.others(leader)[1]
	dead.stop(syscall.SIGTERM)
	remove := func(n *node) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := d.cluster(asked).RemoveNode(ctx, &proto.RemoveNodeRequest{Name: n.id})
		return err
	}
	if err := remove(leader); connect.CodeOf(err) != connect.CodeFailedPrecondition || !strings.Contains(err.Error(), "too few nodes are alive") {
		t.Errorf("removed a node that is needed: %v", err)
	}
	if err := remove(dead); err != nil {
		t.Errorf("remove a node that is down: %v", err)
	}
	if err := remove(dead); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("removed twice: %v", err)
	}
	d.join(restarted(dead))
	eventually(t, func() error {
		err := remove(leader)
		var again *connect.Error
		if errors.As(err, &again) && again.Meta().Get("Mbchain-Try-Again") != "nothing" && again.Code() != connect.CodeNotFound {
			t.Errorf("remove the leader: %v", err)
		}
		return err
	})
	leader.kill()
	status, err := d.status(asked)
	if err != nil || len(status.Members) != 2 {
		t.Errorf("members %v, error %v", status.GetMembers(), err)
	}
	d.nodes = d.others(leader)
	if version := d.mustApply(policyOf(2)); version != 2 {
		t.Errorf("version %d, want 2", version)
	}
	d.agree(d.nodes...)
}

// restarted is a node that begins anew: what a removed one has is of no use.
func restarted(n *node) *node {
	n.lose()
	return n
}

// Every node answers, and says how new its answer is.
func TestAnyNodeAnswers(t *testing.T) {
	t.Parallel()
	d := newDomain(t, 3).form()
	d.mustApply(policyOf(1))
	d.agree(d.nodes...)
	for _, n := range d.nodes {
		ctx, info := connect.NewClientContext(t.Context())
		explained, err := protoconnect.NewPolicyServiceClient(d.http, "https://"+n.address).Explain(ctx, &proto.ExplainRequest{Tuple: &proto.Tuple{
			Source: "10.0.0.1", SourcePort: 1, Destination: "10.0.0.9", DestinationPort: 2, Protocol: 6,
		}})
		if err != nil || !explained.Matched || explained.Version != 1 {
			t.Errorf("%s explains: %v, error %v", n.id, explained, err)
		}
		if by := info.ResponseHeader().Get("Mbchain-Node"); by != n.id {
			t.Errorf("%s was answered by %q", n.id, by)
		}
		ctx, info = connect.NewClientContext(t.Context())
		if _, err := protoconnect.NewDomainServiceClient(d.http, "https://"+n.address).ListHosts(ctx, &proto.ListHostsRequest{}); err != nil {
			t.Errorf("%s lists hosts: %v", n.id, err)
		}
		if by := info.ResponseHeader().Get("Mbchain-Node"); by != d.leader().id {
			t.Errorf("%s had hosts listed by %q, want the leader", n.id, by)
		}
		if index := info.ResponseHeader().Get("Mbchain-Applied-Index"); index == "" || index == "0" {
			t.Errorf("%s answers as of index %q", n.id, index)
		}
	}
}
