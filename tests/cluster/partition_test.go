// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"slices"
	"testing"

	"connectrpc.com/connect"

	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// The leader is cut off from the others; clients and agents still reach it.
// Outcome: it stops leading within seconds and answers nothing old; the others
// go on; nothing acknowledged is lost, and it follows when it is back.
func TestPartitionOfTheLeader(t *testing.T) {
	t.Parallel()
	d, w := newWiredDomain(t, 3)
	d.form()
	l := begin(t, d)
	l.more(t, 10)
	leader := d.leader()
	at := slices.Index(d.nodes, leader)
	w.cut(at, len(d.nodes))
	eventually(t, func() error {
		if now := d.leads(); now == nil || now == leader {
			return fmt.Errorf("%v leads", now)
		}
		status, err := d.status(leader)
		if err == nil && status.State == "leader" {
			err = fmt.Errorf("%s takes itself for the leader yet", leader.id)
		}
		return err
	})
	l.more(t, 20)
	policies := protoconnect.NewPolicyServiceClient(d.http, "https://"+leader.address)
	if _, err := policies.Get(t.Context(), &proto.GetRequest{}); connect.CodeOf(err) != connect.CodeUnavailable {
		t.Errorf("the node that is cut off: %v, want unavailable", err)
	}
	w.heal(at)
	d.await(leader)
	l.more(t, 10)
	l.finish(t)
	d.agree(d.nodes...)
}

// A follower is cut off. Outcome: nobody else notices; what is asked of it is
// Unavailable, or its own copy on demand; when it is back it catches up, and
// makes nobody elect anew.
func TestPartitionOfAFollower(t *testing.T) {
	t.Parallel()
	d, w := newWiredDomain(t, 3)
	d.form()
	l := begin(t, d)
	l.more(t, 10)
	leader := d.leader()
	before, err := d.status(leader)
	if err != nil {
		t.Fatal(err)
	}
	follower := d.others(leader)[0]
	at := slices.Index(d.nodes, follower)
	w.cut(at, len(d.nodes))
	eventually(t, func() error {
		status, err := d.status(follower)
		if err == nil && status.Leader != "" {
			err = errLeader(status.Leader)
		}
		return err
	})
	l.more(t, 30)
	policies := protoconnect.NewPolicyServiceClient(d.http, "https://"+follower.address)
	if _, err := policies.Get(t.Context(), &proto.GetRequest{}); connect.CodeOf(err) != connect.CodeUnavailable {
		t.Errorf("the node that is cut off: %v, want unavailable", err)
	}
	ctx, info := connect.NewClientContext(t.Context())
	info.RequestHeader().Set("Mbchain-Read", "local")
	if got, err := policies.Get(ctx, &proto.GetRequest{}); err != nil || got.Version == 0 {
		t.Errorf("its copy: %v, error %v", got, err)
	}
	w.heal(at)
	d.await(follower)
	l.finish(t)
	d.agree(d.nodes...)
	if after, err := d.status(leader); err != nil || after.Term != before.Term || after.State != "leader" {
		t.Errorf("status of the leader %v, error %v: want term %d as before", after, err, before.Term)
	}
}
