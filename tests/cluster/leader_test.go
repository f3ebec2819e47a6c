// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"syscall"
	"testing"
	"time"
)

// The leader is killed every 5 s. Outcome: no acknowledged change is lost, none
// is applied twice, the history is linearizable, and an agent is only ever
// pushed whole policies, in order.
func TestLeaderIsKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	const killEvery = 5 * time.Second
	kills := 4
	if soak() {
		kills = 60
	}
	d := newDomain(t, 3).form()
	l := begin(t, d)
	began := time.Now()
	for kill := range kills {
		// The load is what passes meanwhile.
		time.Sleep(time.Until(began.Add(time.Duration(kill+1) * killEvery)))
		leader := d.leader()
		leader.kill()
		l.more(t, 1) // the others go on before it is back
		leader.start()
	}
	l.more(t, 20)
	l.finish(t)
	d.agree(d.nodes...)
}

// Every node is stopped by SIGTERM and started again. Outcome: every node ends
// well, and a change waits for a leader less than an election takes.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	d := newDomain(t, 3).form()
	l := begin(t, d)
	l.more(t, 10)
	for _, n := range d.nodes {
		if status := n.stop(syscall.SIGTERM); status != 0 {
			t.Errorf("%s: status %d, want 0", n.id, status)
		}
		l.more(t, 5)
		n.start()
		d.await(n)
		l.more(t, 5)
	}
	l.finish(t)
	d.agree(d.nodes...)
}
