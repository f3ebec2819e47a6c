// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"mbchain/identity"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// nfs are calls about instances, to one node.
func (d *domain) nfs(n *node) protoconnect.NFServiceClient {
	return protoconnect.NewNFServiceClient(d.client(d.certify(identity.Operator, "anna")), "https://"+n.address)
}

// listed waits until a node lists the two instances like this: "mb1 drained, mb3 ok".
func (d *domain) listed(n *node, want string) {
	d.t.Helper()
	nfs := d.nfs(n)
	eventually(d.t, func() error {
		got, err := nfs.List(d.t.Context(), &proto.ListNFsRequest{})
		if err != nil {
			return err
		}
		var list []string
		for _, in := range got.Instances {
			list = append(list, in.Host+" "+in.State)
		}
		if all := strings.Join(list, ", "); all != want {
			return fmt.Errorf("instances %s, want %s", all, want)
		}
		return nil
	})
}

// An instance is drained by a node that follows, and the leader is killed. Outcome: it is
// drained still, by whom it was, and what the new leader has heard of hosts is new.
func TestDrainSurvivesTheLeader(t *testing.T) {
	t.Parallel()
	d := newDomain(t, 3).form()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{}, 2)
	for i, name := range []string{"mb1", "mb3"} {
		a := &agent{d: d, name: name, address: fmt.Sprintf("10.9.0.%d", 2+i)}
		go func() { a.follow(ctx); done <- struct{}{} }()
	}
	defer func() { cancel(); <-done; <-done }()
	d.mustApply("type fw { mb1 10.9.0.2, mb3 10.9.0.3 }\nmatch(dstport=80) >> {fw}\n")
	leader := d.leader()
	d.listed(leader, "mb1 ok, mb3 ok")
	follower := d.others(leader)[0]
	if _, err := d.nfs(follower).Drain(t.Context(), &proto.DrainRequest{Host: "mb1", Type: "fw"}); err != nil {
		t.Fatal(err)
	}
	d.listed(follower, "mb1 drained, mb3 ok")
	leader.kill()
	d.listed(follower, "mb1 drained, mb3 ok")
	got, err := d.nfs(follower).List(t.Context(), &proto.ListNFsRequest{})
	if err != nil || len(got.Drains) != 1 || got.Drains[0].By != "operator anna" || got.Instances[0].Chosen || !got.Instances[1].Chosen {
		t.Errorf("instances %v, error %v", got, err)
	}
	if r, err := d.nfs(follower).Undrain(t.Context(), &proto.DrainRequest{Host: "mb1"}); err != nil || r.Unchanged {
		t.Errorf("undrain: %v, error %v", r, err)
	}
	d.listed(follower, "mb1 ok, mb3 ok")
}
