// SPDX-License-Identifier: Apache-2.0

package mover

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
)

// observed takes down what an observer is told.
type observed struct {
	mu    sync.Mutex
	told  map[string]int
	times []time.Duration // that steps and migrations took
}

func (o *observed) note(took time.Duration, format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.told == nil {
		o.told = make(map[string]int)
	}
	o.told[fmt.Sprintf(format, args...)]++
	o.times = append(o.times, took)
}

func (o *observed) Began(g lock.Guarantee) { o.note(0, "%v began", g) }

func (o *observed) Stepped(g lock.Guarantee, step migrate.Step, took time.Duration) {
	o.note(took, "%v %v", g, step)
}

func (o *observed) Done(g lock.Guarantee, took time.Duration) { o.note(took, "%v is done", g) }

func (o *observed) Failed(g lock.Guarantee, why lock.Reason) { o.note(0, "%v failed: %v", g, why) }

func (o *observed) Released(g lock.Guarantee) { o.note(0, "%v released", g) }

func (o *observed) want(t *testing.T, want map[string]int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if diff := cmp.Diff(want, o.told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	for _, took := range o.times {
		if took < 0 || took > time.Minute {
			t.Errorf("something took %v", took)
		}
	}
}

// four makes hosts 1 to 4, and returns the plan that host 1 leads.
func four(w *world, guarantee lock.Guarantee) (*lock.Plan, *host) {
	for k := range 4 {
		w.add(k + 1)
	}
	synctest.Wait()
	p := w.plan(w.session(1, 1, 2, 4), 1, []int{2}, []int{3}, 4)
	p.Guarantee = guarantee
	return p, w.hosts[at(1)]
}

func TestObserverOfOneThatIsDone(t *testing.T) {
	inWorld(t, func(w *world) {
		p, leader := four(w, lock.Ordered)
		w.one(p)
		leader.observed.want(t, map[string]int{
			"ordered began": 1, "ordered locked": 1, "ordered committed": 1, "ordered done": 1, "ordered is done": 1,
		})
		for k := range 3 { // they lead nothing
			w.hosts[at(k+2)].observed.want(t, nil)
		}
	})
}

func TestObserverOfOneThatFails(t *testing.T) {
	inWorld(t, func(w *world) {
		p, leader := four(w, lock.Ordered)
		leader.refuses = errors.New("no memory")
		w.one(p)
		leader.observed.want(t, map[string]int{
			"ordered began": 1, "ordered locked": 1, "ordered aborted": 1, "ordered failed": 1, "ordered failed: module_failed": 1,
		})
	})
}

// Each one ends once, whether it was begun or still waited.
func TestObserverOfThoseThatAreGivenUp(t *testing.T) {
	inWorld(t, func(w *world) {
		_, leader := four(w, lock.LossFree)
		w.onTell = func(_ netip.Addr, m migrate.Message) bool { return m != migrate.Message(migrate.SynAck{}) }
		var plans []*lock.Plan
		for i := range lastWindow {
			plans = append(plans, w.plan(w.session(i+2, 1, 2, 4), 1, []int{2}, []int{3}, 4))
		}
		if err := leader.mover.Start(9, plans); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		queued, running, window := leader.mover.Load()
		if queued == 0 || running == 0 || running > window || queued+running != len(plans) {
			t.Errorf("%d queued, %d running, %d may", queued, running, window)
		}
		leader.mover.Abort(9, 0)
		time.Sleep(time.Minute)
		leader.observed.mu.Lock()
		began, failed := leader.observed.told["loss-free began"], leader.observed.told["loss-free failed: cancelled"]
		leader.observed.mu.Unlock()
		if began != len(plans) || failed != len(plans) {
			t.Errorf("%d began, %d were cancelled, want %d of each", began, failed, len(plans))
		}
		if queued, running, _ := leader.mover.Load(); queued+running != 0 {
			t.Errorf("afterwards: %d queued, %d running", queued, running)
		}
	})
}

// One that an agent before this one began is told of, without times that nobody knows.
func TestObserverOfOneThatIsTakenUpAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		p, leader := four(w, lock.LossFree)
		committed := make(chan struct{}, 1)
		w.onTell = func(_ netip.Addr, m migrate.Message) bool {
			if m == migrate.Message(migrate.Ack{}) {
				select {
				case committed <- struct{}{}:
				default:
				}
			}
			return true
		}
		if err := leader.mover.Start(1, []*lock.Plan{p}); err != nil {
			t.Fatal(err)
		}
		<-committed
		leader.stop()
		leader.observed = observed{}
		leader.start()
		time.Sleep(time.Minute)
		leader.observed.want(t, map[string]int{"loss-free began": 1, "loss-free is done": 1})
		if times := leader.observed.times; len(times) != 2 || times[1] != 0 {
			t.Errorf("times %v, want none", times)
		}
	})
}

// The right anchor holds packets, and leads nothing.
func TestObserverOfPacketsThatWereHeldTooLong(t *testing.T) {
	inWorld(t, func(w *world) {
		p, leader := four(w, lock.Ordered)
		w.onTell = func(to netip.Addr, m migrate.Message) bool { // no word of the commit
			return to != p.Right || m != migrate.Message(migrate.Ack{}) && m != migrate.Message(migrate.Close{})
		}
		if err := leader.mover.Start(1, []*lock.Plan{p}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * p.Patience)
		w.hosts[p.Right].observed.want(t, map[string]int{"ordered released": 1})
		w.mu.Lock()
		w.onTell = nil
		w.mu.Unlock()
		time.Sleep(5 * time.Minute)
		w.idle()
	})
}
