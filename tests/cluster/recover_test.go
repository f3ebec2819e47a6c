// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/identity"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// Two of three nodes are lost for good. Outcome: nothing can be changed, the
// last node says so and still shows its copy of the policy; with --recover it
// goes on alone from what it has, and new nodes join it.
func TestLostQuorum(t *testing.T) {
	t.Parallel()
	d := newDomain(t, 3).form()
	last := d.nodes[1]
	d.mustApply(policyOf(1))
	d.agree(d.nodes...)
	for _, n := range d.others(last) {
		n.lose()
	}
	policies := protoconnect.NewPolicyServiceClient(d.http, "https://"+last.address)
	eventually(t, func() error {
		status, err := d.status(last)
		if err == nil && status.Leader != "" {
			err = connect.NewError(connect.CodeUnknown, errLeader(status.Leader))
		}
		return err
	})
	_, err := policies.Apply(t.Context(), &proto.ApplyRequest{Source: policyOf(2)})
	if connect.CodeOf(err) != connect.CodeUnavailable {
		t.Errorf("apply without a quorum: %v, want unavailable", err)
	}
	ctx, info := connect.NewClientContext(t.Context())
	info.RequestHeader().Set("Mbchain-Read", "local")
	if got, err := policies.Get(ctx, &proto.GetRequest{}); err != nil || got.Source != policyOf(1) {
		t.Errorf("the node's copy: %v, error %v", got, err)
	}
	if index := info.ResponseHeader().Get("Mbchain-Applied-Index"); index == "" || index == "0" {
		t.Errorf("the copy is of index %q", index)
	}

	if status := last.stop(syscall.SIGTERM); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
	last.start("--recover")
	d.leader()
	d.wantPolicy(1, policyOf(1))
	if version := d.mustApply(policyOf(2)); version != 2 {
		t.Errorf("version %d, want 2", version)
	}
	for _, n := range d.others(last) {
		d.join(n)
	}
	d.agree(d.nodes...)
	last.kill()
	d.wantPolicy(2, policyOf(2))
}

type errLeader string

func (e errLeader) Error() string { return "it takes " + string(e) + " for the leader" }

// A cluster is gone, but for a snapshot of it. Outcome: a new cluster goes on
// from the snapshot, with the same policy, version and set-up keys, so that
// hosts which still run it refuse no session.
func TestRestoreIntoANewCluster(t *testing.T) {
	t.Parallel()
	old := newDomain(t, 1).form()
	old.mustApply(policyOf(1))
	old.mustApply(policyOf(2))
	client := old.client(old.certify(identity.Agent, "client", "10.0.0.1"))
	before := old.firstPush(old.nodes[0], client)
	snapshot, err := old.cluster(old.leader()).TakeSnapshot(t.Context(), &proto.TakeSnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	old.nodes[0].lose()

	d := newDomain(t, 3).form()
	d.mustApply("")
	follower := d.others(d.leader())[0]
	damaged := append([]byte{}, snapshot.Data...)
	damaged[len(damaged)/2]++
	_, err = d.cluster(follower).RestoreSnapshot(t.Context(), &proto.RestoreSnapshotRequest{Data: damaged})
	if connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("damaged snapshot: %v, want it refused", err)
	}
	// Any node takes it.
	restored, err := d.cluster(follower).RestoreSnapshot(t.Context(), &proto.RestoreSnapshotRequest{Data: snapshot.Data})
	if err != nil || restored.PolicyVersion != 3 {
		t.Fatalf("restored %v, error %v, want version 3: 1 and 2 are taken", restored, err)
	}
	d.who, d.http = old.who, old.http // the CA came with the snapshot
	d.wantPolicy(3, policyOf(2))
	after := old.firstPush(follower, client)
	after.Version = before.Version
	if diff := cmp.Diff(before, after, protocmp.Transform()); diff != "" {
		t.Errorf("what a host is pushed (-before +after):\n%s", diff)
	}
	d.agree(d.nodes...)
	d.leader().kill()
	d.wantPolicy(3, policyOf(2))
}

// firstPush subscribes as the host of the policy and returns its subpolicy.
func (d *domain) firstPush(n *node, client *http.Client) (s *proto.Subpolicy) {
	d.t.Helper()
	eventually(d.t, func() error {
		ctx, cancel := context.WithTimeout(d.t.Context(), 10*time.Second)
		defer cancel()
		stream, err := protoconnect.NewAgentServiceClient(client, "https://"+n.address).Subscribe(ctx,
			&proto.SubscribeRequest{Host: "client", Addresses: []string{"10.0.0.1"}})
		if err != nil {
			return err
		}
		defer stream.Close()
		if !stream.Receive() || stream.Msg().GetSubpolicy() == nil {
			return fmt.Errorf("no subpolicy: %w", stream.Err())
		}
		s = stream.Msg().GetSubpolicy()
		return nil
	})
	return s
}
