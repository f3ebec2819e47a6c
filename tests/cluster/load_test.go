// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	writers    = 4
	readers    = 2
	writeEvery = writers * 50 * time.Millisecond // all together 20 times a second
	readEvery  = readers * 100 * time.Millisecond
)

// load is clients that change and read the policy, and an agent that follows it.
type load struct {
	*history
	d      *domain
	agent  *agent
	stop   context.CancelFunc // no new operations
	ended  sync.WaitGroup
	follow sync.WaitGroup
	leave  context.CancelFunc
}

// begin starts the clients. An operation that has begun goes on until it has an
// answer, also after stop.
func begin(t *testing.T, d *domain) *load {
	ctx, stop := context.WithCancel(t.Context())
	following, leave := context.WithCancel(t.Context())
	l := &load{history: newHistory(), d: d, agent: &agent{d: d, name: "client", address: "10.0.0.1", rules: rulesThatStay + 3}, stop: stop, leave: leave}
	l.follow.Go(func() { l.agent.follow(following) })
	var number atomic.Int64
	for id := range writers + readers {
		l.ended.Go(func() {
			every := writeEvery
			if id >= writers {
				every = readEvery
			}
			tick := time.NewTicker(every)
			defer tick.Stop()
			c := &client{d: d, at: id}
			for turn := 0; ; turn++ {
				select {
				case <-tick.C:
				case <-ctx.Done():
					return
				}
				patient, cancel := context.WithTimeout(t.Context(), within)
				switch {
				case id >= writers:
					l.read(patient, id, c)
				case turn%4 == 0: // read, and set if nobody was quicker
					seen := l.read(patient, id, c)
					l.apply(patient, id, c, policyOf(int(number.Add(1))), &seen)
				default:
					l.apply(patient, id, c, policyOf(int(number.Add(1))), nil)
				}
				cancel()
			}
		})
	}
	return l
}

// acked waits until n more changes are acknowledged.
func (l *load) more(t *testing.T, n int) {
	t.Helper()
	count := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.acked)
	}
	want := count() + n
	eventually(t, func() error {
		if have := count(); have < want {
			return fmt.Errorf("%d changes are acknowledged, want %d", have, want)
		}
		return nil
	})
}

// finish waits for the clients, and checks what they and the agent saw.
func (l *load) finish(t *testing.T) {
	t.Helper()
	l.stop()
	l.ended.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	last, _, err := (&client{d: l.d}).get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if v := l.agent.version(); v != last {
			return fmt.Errorf("the agent runs version %d, want %d", v, last)
		}
		return nil
	})
	l.leave()
	l.follow.Wait()
	l.check(t, last)
	l.agent.check(t, l.history)
}
