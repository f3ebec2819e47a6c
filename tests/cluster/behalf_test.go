// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"connectrpc.com/connect"

	"mbchain/identity"
	"mbchain/identity/enroll"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// enroll joins a host with a token, by asking n.
func (d *domain) enroll(n *node, name, address string) *http.Client {
	d.t.Helper()
	token, err := enroll.ReadToken(d.tokenFor(n, "agent", name))
	if err != nil {
		d.t.Fatal(err)
	}
	request, err := identity.NewRequest(d.who.key, identity.Subject{Role: identity.Agent, Name: name}, []netip.Addr{netip.MustParseAddr(address)})
	if err != nil {
		d.t.Fatal(err)
	}
	leaf, ca, err := enroll.Join(d.t.Context(), enroll.Server{Address: n.address, Dial: d.dial}, token, request)
	if err != nil {
		d.t.Fatal(err)
	}
	b, err := identity.NewBundle(d.who.key, leaf, ca)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.client(b)
}

// Everybody speaks to a node that follows. Outcome: the leader knows who asks. A
// host joins, and whoever applies a policy stands in its history; who may only look
// is refused; who is revoked is cut off, and let in by no node any more.
func TestLeaderKnowsWhoAsksAFollower(t *testing.T) {
	t.Parallel()
	d := newDomain(t, 3).form()
	behind := d.others(d.leader())[0]
	url := "https://" + behind.address
	policies := protoconnect.NewPolicyServiceClient(d.http, url)
	if _, err := policies.Apply(t.Context(), &proto.ApplyRequest{Source: policyOf(1)}); err != nil {
		t.Fatal(err)
	}
	past, err := policies.History(t.Context(), &proto.HistoryRequest{})
	if err != nil || len(past.Versions) != 1 || past.Versions[0].By != "operator anna" {
		t.Errorf("history %v, error %v, want that anna applied it", past, err)
	}
	viewer := protoconnect.NewPolicyServiceClient(d.client(d.certify(identity.Viewer, "wall")), url)
	if _, err := viewer.Apply(t.Context(), &proto.ApplyRequest{Source: policyOf(2)}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a viewer applies: %v", err)
	}
	d.wantPolicy(1, policyOf(1))

	host := d.enroll(behind, "client", "10.0.0.1")
	subscribe := func(n *node, as string) (*connect.ServerStreamForClient[proto.Push], error) {
		stream, err := protoconnect.NewAgentServiceClient(host, "https://"+n.address).Subscribe(t.Context(),
			&proto.SubscribeRequest{Host: as, Addresses: []string{"10.0.0.1"}})
		if err != nil {
			return nil, err
		}
		if !stream.Receive() {
			_ = stream.Close()
			return nil, stream.Err()
		}
		return stream, nil
	}
	if _, err := subscribe(behind, "server"); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a host in another's name: %v", err)
	}
	stream, err := subscribe(behind, "client")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	ended := make(chan time.Time, 1)
	go func() {
		for stream.Receive() {
		}
		ended <- time.Now()
	}()
	began := time.Now()
	_, err = protoconnect.NewIdentityServiceClient(d.http, url).RevokeMember(t.Context(), &proto.RevokeMemberRequest{Role: "agent", Name: "client"})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case at := <-ended:
		t.Logf("cut off after %v", at.Sub(began).Round(time.Millisecond))
	case <-time.After(within):
		t.Fatal("a host that was revoked has its stream yet")
	}
	for _, n := range d.nodes {
		eventually(t, func() error {
			if _, err := subscribe(n, "client"); connect.CodeOf(err) != connect.CodeUnauthenticated {
				return fmt.Errorf("%s to a host that was revoked: %w", n.id, err)
			}
			return nil
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := d.cluster(behind).GetNode(ctx, &proto.GetNodeRequest{}); err != nil {
		t.Errorf("others are cut off, too: %v", err)
	}
}
