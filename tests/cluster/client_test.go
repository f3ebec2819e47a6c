// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// tryFor is how long a client waits for one node before it asks the next.
const tryFor = 2 * time.Second

// client asks one node after the other until one answers.
type client struct {
	d  *domain
	at int // node that it asks first
}

// try calls f with the nodes' services until it has an answer: one that says
// that the call was done, or that it will never be.
func (c *client) try(ctx context.Context, f func(context.Context, protoconnect.PolicyServiceClient) error) error {
	for {
		n := c.d.nodes[c.at%len(c.d.nodes)]
		attempt, cancel := context.WithTimeout(ctx, tryFor)
		err := f(attempt, protoconnect.NewPolicyServiceClient(c.d.http, "https://"+n.address))
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case connect.CodeOf(err) == connect.CodeAborted, connect.CodeOf(err) == connect.CodeInvalidArgument:
			return err
		}
		c.at++
		select {
		case <-time.After(20 * time.Millisecond): // polls other processes
		case <-ctx.Done():
		}
	}
}

// apply applies a policy once, however often that takes to get an answer.
func (c *client) apply(ctx context.Context, source string, ifVersion *uint64) (version uint64, err error) {
	number := make([]byte, 16)
	rand.Read(number) // never fails
	err = c.try(ctx, func(ctx context.Context, policies protoconnect.PolicyServiceClient) error {
		ctx, info := connect.NewClientContext(ctx)
		info.RequestHeader().Set("Mbchain-Request", hex.EncodeToString(number))
		answer, err := policies.Apply(ctx, &proto.ApplyRequest{Source: source, IfVersion: ifVersion})
		version = answer.GetVersion()
		return err
	})
	return version, err
}

func (c *client) get(ctx context.Context) (version uint64, source string, err error) {
	err = c.try(ctx, func(ctx context.Context, policies protoconnect.PolicyServiceClient) error {
		answer, err := policies.Get(ctx, &proto.GetRequest{})
		version, source = answer.GetVersion(), answer.GetSource()
		return err
	})
	return version, source, err
}

// mustApply applies a policy through any node.
func (d *domain) mustApply(source string) uint64 {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), within)
	defer cancel()
	version, err := (&client{d: d}).apply(ctx, source, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return version
}

// wantPolicy checks what runs, through any node.
func (d *domain) wantPolicy(version uint64, source string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), within)
	defer cancel()
	v, s, err := (&client{d: d}).get(ctx)
	if err != nil || v != version || s != source {
		d.t.Errorf("version %d runs, %q, error %v; want version %d, %q", v, s, err, version, source)
	}
}

// rulesThatStay are in every policy, so that one differs little from the next.
const rulesThatStay = 20

// policyOf returns a policy that names n in each of its rules, for the host of
// the agents.
func policyOf(n int) string {
	stays := ""
	for i := range rulesThatStay {
		stays += fmt.Sprintf("match(srcip=10.0.0.1 & dstip=10.9.0.%d) >> {}\n", 1+i)
	}
	return stays + fmt.Sprintf("# %d\nmatch(srcip=10.0.0.1 & srcport=1 & dstport=%[2]d) >> {}\n"+
		"match(srcip=10.0.0.1 & srcport=2 & dstport=%[2]d) >> {}\nmatch(srcip=10.0.0.1 & srcport=3 & dstport=%[2]d) >> {}\n",
		n, 1+n%65000)
}
