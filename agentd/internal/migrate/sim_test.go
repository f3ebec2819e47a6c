// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"mbchain/agentd/internal/lock"
)

// size is how much a simulation is to simulate.
type size struct {
	hosts, sessions int
	every           time.Duration // between migrations, on average
	ends            float64       // percent of the sessions that end within moments
}

// seed returns the one to use, and has a failure say it.
func seed(t *testing.T) uint64 {
	n := uint64(time.Now().UnixNano())
	if text := os.Getenv("MBCHAIN_SEED"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 0, 64); err != nil {
			t.Fatalf("read MBCHAIN_SEED: %v", err)
		}
	}
	t.Logf("MBCHAIN_SEED=%d", n)
	return n
}

// counts are of a simulation.
type counts struct {
	wants, committed, aborted, failed, tries int
	released, ended                          int
}

// TestRandomMigrationsNeverBreakAPath plays migrations of all kinds on sessions
// of all lengths, several of one session at once, while messages are lost,
// doubled and late, hosts cut off, agents crash (between any two orders) and start
// again, and sessions end. After every order to a module the session it is about
// must have exactly one path in each direction; every packet must arrive, once,
// and in order where that is promised; and in the end nothing is under way.
func TestRandomMigrationsNeverBreakAPath(t *testing.T) {
	sz := size{200, 4000, 2 * time.Millisecond, 3}
	if os.Getenv("MBCHAIN_SOAK") == "1" {
		sz.sessions = 20000
	}
	w := newWorld(t, seed(t))
	var c counts
	w.onReport = func(_ *node, _ Order, r Report) {
		switch r.Step {
		case StepLocked:
			c.tries++
		case StepCommitted:
			c.committed++
		case StepAborted:
			c.aborted++
		case StepFailed:
			c.failed++
		case StepReleased:
			c.released++
		case StepEnded:
			c.ended++
		}
	}
	w.populate(sz)
	w.trouble(time.Duration(sz.sessions) * sz.every)
	w.wishes(sz, &c)
	w.run(time.Duration(sz.sessions) * sz.every)
	w.calm()
	w.run(10 * time.Minute)
	w.settled()
	t.Logf("%d hosts, %d sessions: %d wishes, %d segments locked, %d committed, %d aborted, %d failed, %d ended with their session, "+
		"%d released what they held; %d steps", sz.hosts, sz.sessions, c.wants, c.tries, c.committed, c.aborted, c.failed, c.ended, c.released, w.steps)
	if c.committed < c.wants/2 {
		t.Errorf("%d of %d wishes were committed, want half of them", c.committed, c.wants)
	}
}

func (w *world) populate(sz size) {
	for i := range sz.hosts {
		w.addNode(fmt.Sprintf("h%d", i))
	}
	for range sz.sessions {
		w.addSession(guarantees[w.rng.IntN(len(guarantees))], w.choose(nil, 3+w.rng.IntN(5))...)
	}
	w.afterOrder = func(s *sim) {
		if w.chance(10) {
			w.send(s, Direction(w.rng.IntN(2)))
		}
	}
}

// choose returns n hosts that are not among others, each once.
func (w *world) choose(others []*node, n int) []*node {
	var chosen []*node
	taken := map[*node]bool{}
	for _, o := range others {
		taken[o] = true
	}
	for len(chosen) < n {
		if h := w.nodes[w.rng.IntN(len(w.nodes))]; !taken[h] {
			taken[h] = true
			chosen = append(chosen, h)
		}
	}
	return chosen
}

// wishes has one migration begin every now and then, for each session in turn,
// sometimes another one of the same session within moments.
func (w *world) wishes(sz size, c *counts) {
	for i, s := range w.sessions {
		w.after(time.Duration(i)*sz.every, func() { w.wish(s, c) })
		for w.chance(25) {
			w.after(time.Duration(i)*sz.every+w.between(0, 100*time.Millisecond), func() { w.wish(s, c) })
		}
		if w.chance(sz.ends) {
			w.after(time.Duration(i)*sz.every+w.between(0, 100*time.Millisecond), func() { w.finish(s) })
		}
	}
}

// wish asks for a random change of a session.
func (w *world) wish(s *sim, c *counts) {
	if s.over {
		return
	}
	path := w.path(s)
	i := w.rng.IntN(len(path) - 1)
	j := i + 1 + w.rng.IntN(min(4, len(path)-1-i))
	m := w.rng.IntN(3)
	if j == i+1 {
		m++
	}
	if path[i].host == nil || len(path)+m > 14 {
		return
	}
	c.wants++
	for d := range Leftward + 1 {
		w.send(s, d)
	}
	plan := w.planFor(s, path, i, j, w.choose(path, m)...)
	if err := w.want(plan); err != nil {
		w.fail(s, "%v", err)
	}
	if w.unlucky() {
		w.after(w.between(0, 50*time.Millisecond), func() { w.withdraw(path[i], plan.ID) })
	}
}

// withdraw has whoever wanted a migration change his mind.
func (w *world) withdraw(n *node, id lock.ID) {
	if host := n.host; host != nil {
		e := Withdrawn{}
		w.obey(n, id, e, w.noting(n, e, func() []Order { return host.Withdraw(id, w.clock()) }))
	}
}

// trouble makes the network and the agents unreliable.
func (w *world) trouble(d time.Duration) {
	cut := map[*node]bool{}
	w.outage = 4 * time.Second
	w.fate = func(from, to *node, _ lock.ID, _ Message) []time.Duration {
		late := func() time.Duration {
			if w.chance(1) {
				return w.between(0, 3*time.Second)
			}
			return w.latency(from, to)
		}
		switch {
		case cut[from] || cut[to] || w.chance(2):
			return nil
		case w.chance(2):
			return []time.Duration{late(), late()}
		}
		return []time.Duration{late()}
	}
	w.losesMark = func() bool { return w.chance(5) }
	w.unlucky = func() bool { return w.chance(1) }
	w.work = func() time.Duration {
		if w.chance(90) {
			return 0
		}
		return w.between(0, 50*time.Millisecond)
	}
	w.breaks = func(n *node) bool {
		if !w.chance(0.05) {
			return false
		}
		w.lateRestart(n)
		return true
	}
	for at := time.Duration(0); at < d; at += w.between(0, 200*time.Millisecond) {
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		switch {
		case w.chance(50):
			w.after(at, func() {
				w.crash(n)
				w.lateRestart(n)
			})
		default:
			w.after(at, func() {
				cut[n] = true
				w.after(w.between(0, time.Second), func() { w.lose(n) })
				w.after(w.between(0, 2*w.outage), func() { delete(cut, n) })
			})
		}
	}
}

// lateRestart has a crashed agent noticed, sometimes, and started again.
func (w *world) lateRestart(n *node) {
	if w.chance(80) {
		w.after(w.between(0, 50*time.Millisecond), func() { w.lose(n) })
	}
	w.after(w.between(0, w.outage), func() { w.restart(n) })
}

// calm ends all trouble.
func (w *world) calm() {
	w.fate = func(from, to *node, _ lock.ID, _ Message) []time.Duration {
		return []time.Duration{w.latency(from, to)}
	}
	w.losesMark = func() bool { return false }
	w.unlucky = func() bool { return false }
	w.work = func() time.Duration { return 0 }
	w.breaks = func(*node) bool { return false }
	for _, n := range w.nodes {
		w.restart(n)
	}
}
