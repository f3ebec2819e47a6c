// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
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

// All agents are cut off from all nodes, while the policy changes. Outcome: they keep the
// one that they had, whole; policyd sees that they are gone, and nothing else is the worse
// for it; when they are back they get what has changed since, and no more than that.
func TestPartitionOfTheAgents(t *testing.T) {
	t.Parallel()
	d, w := newWiredDomain(t, 3)
	d.form()
	d.mustApply(policyOf(1))
	asAgents := *d
	asAgents.dial = w.dialAsAgent
	ctx, leave := context.WithCancel(t.Context())
	var following sync.WaitGroup
	defer following.Wait()
	defer leave()
	agents := []*agent{{name: "client", address: "10.0.0.1", rules: rulesThatStay + 3}, {name: "mb1", address: "10.0.0.2"}, {name: "mb2", address: "10.0.0.3"}}
	for i, a := range agents {
		a.d, a.at = &asAgents, i // each at another node
		following.Go(func() { a.follow(ctx) })
	}
	run := func(version uint64) {
		t.Helper()
		for _, a := range agents {
			eventually(t, func() error {
				if v := a.version(); v != version {
					return fmt.Errorf("%s runs version %d, want %d", a.name, v, version)
				}
				return nil
			})
		}
	}
	connected := func(n uint32) {
		t.Helper()
		domain := protoconnect.NewDomainServiceClient(d.http, "https://"+d.leader().address)
		eventually(t, func() error {
			status, err := domain.GetStatus(t.Context(), &proto.GetStatusRequest{})
			if err == nil && status.HostsConnected != n {
				err = fmt.Errorf("%d hosts are connected, want %d", status.HostsConnected, n)
			}
			return err
		})
	}
	run(1)
	connected(3)
	eventually(t, func() error { return acknowledged(t, d, 3) })
	wholes := agents[0].pushedWhole()

	for i := range d.nodes {
		w.part(i, agentsAt)
	}
	for n := range 5 {
		d.mustApply(policyOf(2 + n))
	}
	connected(0)
	for _, a := range agents {
		if v := a.version(); v != 1 {
			t.Errorf("%s runs version %d, and was cut off", a.name, v)
		}
	}
	for i := range d.nodes {
		w.heal(i)
	}
	run(6)
	connected(3)
	if n := agents[0].pushedWhole() - wholes; n != 0 {
		t.Errorf("the client was sent %d wholes when it was back, want what has changed", n)
	}
	leave()
	following.Wait()
	for _, a := range agents {
		for _, text := range a.wrong {
			t.Errorf("%s: %s", a.name, text)
		}
	}
	d.agree(d.nodes...)
}

// acknowledged says why not so many hosts have acknowledged the newest policy, or nil.
func acknowledged(t *testing.T, d *domain, n uint32) error {
	status, err := protoconnect.NewDomainServiceClient(d.http, "https://"+d.leader().address).GetStatus(t.Context(), &proto.GetStatusRequest{})
	if err == nil && status.HostsInSync != n {
		err = fmt.Errorf("%d hosts are in sync, want %d", status.HostsInSync, n)
	}
	return err
}
