// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// domain is a cluster of policyds, and the way to them.
type domain struct {
	t     *testing.T
	nodes []*node
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	who   who
	http  *http.Client // of an operator
}

// newDomain makes n nodes on loopback addresses of their own, none of which
// runs yet.
func newDomain(t *testing.T, n int) *domain {
	d := &domain{t: t}
	// No two tests get the same: 16 million addresses are this host's.
	net1, net2 := 1+rand.IntN(254), rand.IntN(255)
	for i := range n {
		d.add(fmt.Sprintf("127.%d.%d.%d", net1, net2, i+1))
	}
	d.dial = (&net.Dialer{Timeout: time.Second}).DialContext
	return d
}

func (d *domain) add(ip string) *node {
	dir, err := os.MkdirTemp("", "policyd") // short, for the socket's sake
	if err != nil {
		d.t.Fatal(err)
	}
	n := &node{
		t: d.t, id: fmt.Sprintf("policyd%d", len(d.nodes)+1), data: filepath.Join(d.t.TempDir(), "data"),
		socket:  filepath.Join(dir, "sock"),
		address: ip + ":7400", raft: ip + ":7401",
	}
	d.nodes = append(d.nodes, n)
	d.t.Cleanup(func() {
		n.stop(syscall.SIGKILL)
		os.RemoveAll(dir)
		if n.said("panic: ") || n.said("DATA RACE") {
			d.t.Errorf("%s has a fault of its own", n.id)
		}
		if d.t.Failed() {
			n.showLog()
		}
	})
	return n
}

// form starts the nodes and joins them.
func (d *domain) form() *domain {
	d.t.Helper()
	d.found()
	d.leader()
	for _, n := range d.nodes[1:] {
		d.join(n)
	}
	return d
}

// join starts a node with a token, and waits until it votes.
func (d *domain) join(n *node) {
	d.t.Helper()
	d.begin(n)
	d.await(n)
}

// begin starts a node with a token.
func (d *domain) begin(n *node) {
	d.t.Helper()
	leader := d.leader()
	n.start("--join", leader.address, "--token-file", d.token(leader, n.id))
}

// await waits until a node votes and follows.
func (d *domain) await(n *node) {
	d.t.Helper()
	eventually(d.t, func() error {
		status, err := d.status(n)
		if err != nil {
			return err
		}
		for _, m := range status.Members {
			if m.Name == n.id && m.Voter && status.Leader != "" {
				return nil
			}
		}
		return fmt.Errorf("%s does not vote: %v", n.id, status)
	})
}

func (d *domain) cluster(n *node) protoconnect.ClusterServiceClient {
	return protoconnect.NewClusterServiceClient(d.http, "https://"+n.address)
}

func (d *domain) status(n *node) (*proto.NodeStatus, error) {
	ctx, cancel := context.WithTimeout(d.t.Context(), 2*time.Second)
	defer cancel()
	return d.cluster(n).GetNode(ctx, &proto.GetNodeRequest{})
}

// leads returns the node that leads in the newest term, nil if none does.
func (d *domain) leads() *node {
	var leader *node
	newest := uint64(0)
	for _, n := range d.nodes {
		if status, err := d.status(n); err == nil && status.State == "leader" && status.Term > newest {
			leader, newest = n, status.Term
		}
	}
	return leader
}

// leader waits for a node that leads and answers.
func (d *domain) leader() (leader *node) {
	d.t.Helper()
	eventually(d.t, func() error {
		if leader = d.leads(); leader == nil {
			return errors.New("no node leads")
		}
		ctx, cancel := context.WithTimeout(d.t.Context(), 2*time.Second)
		defer cancel()
		_, err := protoconnect.NewPolicyServiceClient(d.http, "https://"+leader.address).Get(ctx, &proto.GetRequest{})
		return err
	})
	return leader
}

// others returns the nodes but n.
func (d *domain) others(n *node) []*node {
	var list []*node
	for _, other := range d.nodes {
		if other != n {
			list = append(list, other)
		}
	}
	return list
}

// agree waits until all running nodes have applied the same.
func (d *domain) agree(nodes ...*node) {
	d.t.Helper()
	eventually(d.t, func() error {
		first, err := d.status(nodes[0])
		if err != nil {
			return err
		}
		for _, n := range nodes[1:] {
			status, err := d.status(n)
			if err != nil {
				return err
			}
			if status.AppliedIndex != first.AppliedIndex || status.PolicyVersion != first.PolicyVersion {
				return fmt.Errorf("%s has applied %d, version %d, and %s %d, version %d", n.id, status.AppliedIndex,
					status.PolicyVersion, first.Name, first.AppliedIndex, first.PolicyVersion)
			}
		}
		return nil
	})
}
