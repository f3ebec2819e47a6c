// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// crowd is agents that know the same nodes.
type crowd struct {
	t      *testing.T
	d      *domain // with the nodes that they know
	agents []*agent
	leave  func()

	want atomic.Uint64 // version
	left atomic.Int64  // agents that do not run it yet
	all  chan time.Time
}

// gather connects n agents to nodes, and waits until all are.
func gather(d *domain, nodes []*node, n int) *crowd {
	d.t.Helper()
	c := &crowd{
		t: d.t, d: &domain{t: d.t, nodes: nodes, dial: d.dial, who: d.who, http: d.http},
		all: make(chan time.Time, 1),
	}
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	c.leave = sync.OnceFunc(func() { cancel(); following.Wait() })
	d.t.Cleanup(c.leave)
	for i := range n {
		a := &agent{d: c.d, rules: anyRules, patient: true, name: fmt.Sprintf("host%d", i), address: fmt.Sprintf("10.1.%d.%d", i/250, 1+i%250), told: c.reached}
		c.agents = append(c.agents, a)
		following.Go(func() { a.follow(ctx) })
	}
	c.connected()
	return c
}

// counted waits until policyd counts all of the crowd in one way.
func (c *crowd) counted(how string, count func(*proto.GetStatusResponse) uint32) {
	c.t.Helper()
	domain := protoconnect.NewDomainServiceClient(c.d.http, "https://"+c.d.nodes[0].address)
	c.eventually(func() error {
		status, err := domain.GetStatus(c.t.Context(), &proto.GetStatusRequest{})
		if err == nil && count(status) != uint32(len(c.agents)) {
			err = fmt.Errorf("%d of %d are %s", count(status), len(c.agents), how)
		}
		return err
	})
}

// eventually is for what takes a crowd longer than a few elections: 2,000 handshakes on
// a machine that has others to do.
func (c *crowd) eventually(f func() error) {
	c.t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // polls other processes
	}
}

func (c *crowd) connected() {
	c.t.Helper()
	began := time.Now()
	c.counted("connected", (*proto.GetStatusResponse).GetHostsConnected)
	c.t.Logf("all %d connected after %v", len(c.agents), time.Since(began).Round(time.Millisecond))
}

// expect is called before the policy of a version is applied.
func (c *crowd) expect(version uint64) {
	c.left.Store(int64(len(c.agents)))
	c.want.Store(version)
}

// reached is called by an agent each time that it gets to run another version.
func (c *crowd) reached(version uint64) {
	if version == c.want.Load() && c.left.Add(-1) == 0 {
		c.all <- time.Now()
	}
}

// spread applies a policy and returns after how long all agents ran it.
func (c *crowd) spread(source string) time.Duration {
	c.t.Helper()
	c.expect(c.want.Load() + 1)
	began := time.Now()
	if v := c.d.mustApply(source); v != c.want.Load() {
		c.t.Fatalf("applied version %d, want %d", v, c.want.Load())
	}
	select {
	case at := <-c.all:
		return at.Sub(began)
	case <-time.After(within):
		c.t.Fatalf("version %d has not come to %d agents", c.want.Load(), c.left.Load())
		return 0
	}
}

// check ends the crowd and says what it found wrong.
func (c *crowd) check() {
	c.t.Helper()
	c.leave()
	for _, a := range c.agents {
		for _, text := range a.wrong {
			c.t.Errorf("%s: %s", a.name, text)
		}
	}
}

// A crowd of agents knows one node alone, which follows. Outcome: all are
// connected through it, more of them than one HTTP/2 connection carries, a
// change reaches all, and all are back when another node leads.
func TestCrowdBehindAFollower(t *testing.T) {
	t.Parallel()
	size := 400
	if soak() {
		size = 2000
	}
	d := newDomain(t, 3).form()
	leader := d.leader()
	c := gather(d, d.others(leader)[:1], size)
	t.Logf("version 1 at all of them after %v", c.spread(policyOf(1)).Round(time.Millisecond))
	if leader = d.leader(); leader != c.d.nodes[0] { // so busy a machine may have had an election
		leader.kill()
	}
	c.connected()
	t.Logf("version 2 at all of them after %v", c.spread(policyOf(2)).Round(time.Millisecond))
	c.check()
}
