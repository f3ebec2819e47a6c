// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"testing"
)

// The daemons die while traffic flows: it flows on, and new sessions are still
// set up. A restarted agent knows all of them.
func TestDaemonsKilled(t *testing.T) {
	const idleSessions = 5
	l := useLab(t)
	l.apply(t, fmt.Sprintf("match(dstport=%d | dstport=5001) >> %s\n", webPort, l.chain(2)))
	w := l.serve(t)
	size := amount(16 * mib)
	w.file(t, "file", size)
	l.server().echo(t, 5001)
	path := append(l.hosts[:3:3], l.hosts[len(l.hosts)-1])
	var live []interface{ Close() error }
	for range idleSessions {
		c := l.client().connect(t, 0, l.server().port(5001))
		talk(t, c, 1000)
		live = append(live, c)
	}
	down := w.begin(t, w.download, size)
	down.await(t, size/8)
	awaitSessions(t, idleSessions+1, path[0].host)

	daemons := []string{l.policyd, path[0].name, path[1].name, path[3].name}
	for _, name := range daemons {
		l.run(t, "agent", name, "kill9")
	}
	t.Cleanup(func() {
		for _, name := range daemons {
			if t.Failed() {
				_, _ = l.command("agent", name, "start") // unless it runs
			}
		}
	})
	c := l.client().connect(t, 0, l.server().port(5001))
	talk(t, c, 100_000)
	l.chained(t, l.client().session(t, superOf(c)), l.all()[0], l.all()[1], l.all()[2], l.server())
	down.gate.open()
	if err := <-down.result; err != nil {
		t.Errorf("download without daemons: %v", err)
	}
	awaitSessions(t, idleSessions+1, path[0].host)

	// Together: policyd is ready when it has its hosts back.
	started := make(chan error, len(daemons))
	for _, name := range daemons {
		go func() {
			_, err := l.command("agent", name, "start")
			started <- err
		}()
	}
	for range daemons {
		if err := <-started; err != nil {
			t.Fatal(err)
		}
	}
	l.awaitPolicy(t)
	for _, h := range path {
		want := make(map[string]bool)
		for _, s := range h.sessions(t) {
			want[s.ID.String()] = true
		}
		if len(want) != idleSessions+1 {
			t.Errorf("%s carries %d sessions, want %d", h.name, len(want), idleSessions+1)
		}
		eventually(t, soon, func() error {
			var listed struct{ Sessions []struct{ ID string } }
			l.mbctl(t, &listed, "--agent", h.Socket, "session", "list")
			for _, s := range listed.Sessions {
				delete(want, s.ID)
			}
			if len(want) > 0 {
				return fmt.Errorf("the agent of %s lists %d sessions and not %v", h.name, len(listed.Sessions), want)
			}
			return nil
		})
	}
	for _, c := range live {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}
