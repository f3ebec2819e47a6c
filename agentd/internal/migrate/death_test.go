// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mbchain/agentd/internal/lock"
)

// deathShapes are those whose hosts die; the others add hosts, not states.
var deathShapes = [][2]int{{0, 1}, {1, 0}, {1, 1}, {2, 2}}

// TestAnyAgentMayCrashAtAnyStep crashes the agent of each host of a migration
// after each of the steps that it takes, and starts it again: the session is on
// one of the two paths whole all the time, and nothing stays locked.
func TestAnyAgentMayCrashAtAnyStep(t *testing.T) {
	die(t, func(w *world, victim *node, s *sim) {
		w.crash(victim)
		w.after(10*time.Millisecond, func() { w.lose(victim) })
		w.after(3*time.Second, func() { w.restart(victim) })
		w.run(5 * time.Minute)
		w.settled()
	})
}

// TestAnyAgentMayCrashUnnoticedAtAnyStep is the same where no connection tells of
// it, and the agent is back at once.
func TestAnyAgentMayCrashUnnoticedAtAnyStep(t *testing.T) {
	die(t, func(w *world, victim *node, s *sim) {
		w.crash(victim)
		w.after(10*time.Millisecond, func() { w.restart(victim) })
		w.run(5 * time.Minute)
		w.settled()
	})
}

// TestAnyHostMayDieAtAnyStep takes the module too, for good. If the session's
// path has another host then, it goes on; if not it is broken, as it would be
// without a migration, and ends in silence. Either way nothing stays locked.
func TestAnyHostMayDieAtAnyStep(t *testing.T) {
	die(t, func(w *world, victim *node, s *sim) {
		w.kill(victim)
		w.after(10*time.Millisecond, func() { w.lose(victim) })
		w.run(5 * time.Minute)
		if slices.Contains(w.path(s), victim) {
			w.finish(s)
			w.run(5 * time.Minute)
		}
		w.settled()
	})
}

// die plays a migration once for each host of it and each step of that host, and
// has something happen after the step.
func die(t *testing.T, happen func(*world, *node, *sim)) {
	for _, g := range guarantees {
		for _, shape := range deathShapes {
			w, s, plan := oneWorld(t, g, shape[0], shape[1])
			steps := make(map[string]int)
			w.watcher = func(n *node, _ lock.ID, _ Event, _ []Order) { steps[n.name]++ }
			w.chatter(s, 20)
			if err := w.want(plan); err != nil {
				t.Fatal(err)
			}
			w.run(5 * time.Minute)
			for _, n := range w.nodes {
				if plan.Role(n.addr) == lock.NoRole {
					continue
				}
				for k := range steps[n.name] {
					t.Run(fmt.Sprintf("%v/%d by %d/%s after step %d", g, shape[0], shape[1], n, k+1), func(t *testing.T) {
						dieAt(t, g, shape, n.name, k+1, happen)
					})
				}
			}
		}
	}
}

func dieAt(t *testing.T, g lock.Guarantee, shape [2]int, name string, step int, happen func(*world, *node, *sim)) {
	w, s, plan := oneWorld(t, g, shape[0], shape[1])
	i := slices.IndexFunc(w.nodes, func(n *node) bool { return n.name == name })
	w.watcher = func(n *node, _ lock.ID, _ Event, _ []Order) {
		if n == w.nodes[i] {
			step--
		}
	}
	w.chatter(s, 20)
	if err := w.want(plan); err != nil {
		t.Fatal(err)
	}
	for step > 0 && w.next() {
	}
	w.watcher = nil
	happen(w, w.nodes[i], s)
}
