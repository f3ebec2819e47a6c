// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"mbchain/agentd/internal/lock"
)

// shapes are numbers of old and new hosts.
var shapes = [][2]int{{0, 1}, {1, 0}, {1, 1}, {2, 1}, {1, 3}, {3, 0}, {0, 2}}

var guarantees = []lock.Guarantee{lock.LossFree, lock.Ordered, lock.Substream}

// oneWorld returns a session client, left, n old hosts, right, server, and m new
// hosts beside it.
func oneWorld(t testing.TB, g lock.Guarantee, n, m int) (*world, *sim, lock.Plan) {
	w := newWorld(t, 1)
	path := []*node{w.addNode("client"), w.addNode("left")}
	for i := range n {
		path = append(path, w.addNode(fmt.Sprintf("old%d", i+1)))
	}
	path = append(path, w.addNode("right"), w.addNode("server"))
	var fresh []*node
	for i := range m {
		fresh = append(fresh, w.addNode(fmt.Sprintf("new%d", i+1)))
	}
	s := w.addSession(g, path...)
	return w, s, w.planFor(s, path, 1, n+2, fresh...)
}

// chatter has both applications send a packet every 5 ms, n times.
func (w *world) chatter(s *sim, n int) {
	w.send(s, Rightward)
	w.send(s, Leftward)
	if n > 1 {
		w.after(5*time.Millisecond, func() { w.chatter(s, n-1) })
	}
}

func TestUndisturbedMigrationGoesToTheNewPath(t *testing.T) {
	for _, g := range guarantees {
		for _, shape := range shapes {
			t.Run(fmt.Sprintf("%v/%d by %d", g, shape[0], shape[1]), func(t *testing.T) {
				w, s, plan := oneWorld(t, g, shape[0], shape[1])
				w.chatter(s, 100)
				w.run(20 * time.Millisecond)
				if err := w.want(plan); err != nil {
					t.Fatal(err)
				}
				w.run(time.Minute)
				w.settled()
				if got, want := len(w.path(s)), 4+shape[1]; got != want {
					t.Errorf("path has %d hosts, want %d: %v", got, want, w.path(s))
				}
			})
		}
	}
}

// Packets take up to 40 ms a hop and messages one, or the other way round: what is
// on a slow path must not be overtaken on a fast one, nor come to an NF before its
// state.
func TestOrderIsKeptWhicheverPathIsFaster(t *testing.T) {
	for seed := range uint64(60) {
		for _, g := range guarantees[1:] {
			shape := shapes[int(seed)%len(shapes)]
			w, s, plan := oneWorld(t, g, shape[0], shape[1])
			w.rng = rand.New(rand.NewPCG(seed, 2))
			slow := make(map[[2]*node]time.Duration)
			w.latency = func(from, to *node) time.Duration {
				if slow[[2]*node{from, to}] == 0 {
					slow[[2]*node{from, to}] = w.between(time.Millisecond, 40*time.Millisecond)
				}
				return slow[[2]*node{from, to}]
			}
			if seed%3 > 0 {
				w.fate = func(*node, *node, lock.ID, Message) []time.Duration { return []time.Duration{time.Millisecond} }
			}
			if seed%3 > 1 {
				w.work = func() time.Duration { return w.between(0, 30*time.Millisecond) }
			}
			w.chatter(s, 100)
			w.run(w.between(0, 50*time.Millisecond))
			if err := w.want(plan); err != nil {
				t.Fatal(err)
			}
			w.run(time.Minute)
			w.settled()
			if got, want := len(w.path(s)), 4+shape[1]; s.released || got != want {
				t.Errorf("%v, seed %d: order given up: %t; %d hosts, want %d", g, seed, s.released, got, want)
			}
		}
	}
}

// Two and a half round trips between the anchors, as nothing takes time but the
// way: one to lock, one to establish, half of one for the last packet.
func TestLossFreeClosesTheOldPathWithinTwoAndAHalfRoundTrips(t *testing.T) {
	const oneWay = 12 * time.Millisecond
	for _, shape := range shapes {
		w, s, plan := oneWorld(t, lock.LossFree, shape[0], shape[1])
		w.latency = func(from, to *node) time.Duration {
			// The way between the anchors takes as long over any path; to whom is
			// told directly, no longer.
			if w.node(plan.Left) == from && w.node(plan.Right) == to || w.node(plan.Right) == from && w.node(plan.Left) == to {
				return oneWay
			}
			hops := shape[0] + 1
			if plan.Role(from.addr) == lock.NewHost || plan.Role(to.addr) == lock.NewHost {
				hops = shape[1] + 1
			}
			return oneWay / time.Duration(hops)
		}
		open := len(plan.Old) + 1
		var closed time.Duration
		w.onReport = func(_ *node, _ Order, r Report) {
			if r.Step == StepDrained {
				if open--; open == 0 {
					closed = w.now
				}
			}
		}
		w.chatter(s, 40)
		began := w.now
		if err := w.want(plan); err != nil {
			t.Fatal(err)
		}
		w.run(time.Minute)
		w.settled()
		if took := closed - began; open > 0 || took > 5*oneWay {
			t.Errorf("%d by %d: old path closed after %.2f round trips, want 2.5 at most; %d hosts left",
				shape[0], shape[1], float64(took)/float64(2*oneWay), open)
		}
	}
}
