// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// A crowd of agents knows one node alone, which follows. Outcome: all are
// connected through it, more of them than one HTTP/2 connection carries, a
// change reaches all, and all are back when another node leads.
func TestCrowdBehindAFollower(t *testing.T) {
	t.Parallel()
	crowd := 400
	if soak() {
		crowd = 2000
	}
	d := newDomain(t, 3).form()
	leader := d.leader()
	behind := &domain{t: t, nodes: d.others(leader)[:1], dial: d.dial, who: d.who, http: d.http}
	ctx, leave := context.WithCancel(t.Context())
	agents := make([]*agent, crowd)
	var following sync.WaitGroup
	for i := range agents {
		agents[i] = &agent{d: behind, name: fmt.Sprintf("host%d", i), address: fmt.Sprintf("10.1.%d.%d", i/250, 1+i%250)}
		following.Go(func() { agents[i].follow(ctx) })
	}
	connected := func() {
		t.Helper()
		began := time.Now()
		eventually(t, func() error {
			status, err := protoconnect.NewDomainServiceClient(d.http, "https://"+behind.nodes[0].address).GetStatus(t.Context(), &proto.GetStatusRequest{})
			if err == nil && status.HostsConnected != uint32(crowd) {
				err = fmt.Errorf("%d of %d are connected", status.HostsConnected, crowd)
			}
			return err
		})
		t.Logf("all %d connected after %v", crowd, time.Since(began).Round(time.Millisecond))
	}
	reached := func(version uint64) {
		t.Helper()
		began := time.Now()
		for _, a := range agents {
			eventually(t, func() error {
				if v := a.version(); v != version {
					return fmt.Errorf("%s runs version %d, want %d", a.name, v, version)
				}
				return nil
			})
		}
		t.Logf("version %d at all of them after %v", version, time.Since(began).Round(time.Millisecond))
	}
	connected()
	reached(d.mustApply(policyOf(1)))
	if leader = d.leader(); leader != behind.nodes[0] { // so busy a machine may have had an election
		leader.kill()
	}
	connected()
	reached(d.mustApply(policyOf(2)))
	leave()
	following.Wait()
	for _, a := range agents {
		for _, text := range a.wrong {
			t.Errorf("%s: %s", a.name, text)
		}
	}
}
