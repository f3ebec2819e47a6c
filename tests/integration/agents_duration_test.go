// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"mbchain/genl"
)

// How long a migration takes, from the command at the left anchor to the old path given
// up, by guarantee and load: a report, for docs/BENCHMARKS.md. MBCHAIN_MIGRATIONS says
// how many of each there are.
func TestReportOfDurations(t *testing.T) {
	n := int(sampled(1, 200))
	if text := os.Getenv("MBCHAIN_MIGRATIONS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("read MBCHAIN_MIGRATIONS: %v", err)
		}
	}
	l := useLab(t)
	l.apply(t, "match(dstport=5001) >> {mb1}\n")
	l.server().echo(t, 5001)
	client, server, mb := l.client(), l.server(), l.middleboxes()
	for _, g := range guarantees {
		for _, load := range []string{"idle", "half", "full"} {
			t.Run(guaranteeText(g)+", "+load, func(t *testing.T) {
				c := client.connect(t, 0, server.port(5001))
				talk(t, c, 100_000)
				p := &chainOfLab{lab: l, t: t, guarantee: g, session: client.session(t, superOf(c))}
				if load == "idle" {
					t.Logf("round trip of a byte: %v", roundTrip(t, c))
				}
				stop := p.load(c, load)
				var took []time.Duration
				var messages uint32
				steps := map[string][]time.Duration{}
				at := 0
				warm := min(n, 2*len(mb)) // until all agents that will have spoken to each other
				for i := range warm + n {
					next := (at + 2) % len(mb)
					p.free(mb[next])
					m := p.begin(replacement(mb[at], mb[next]))
					if m.State != "done" {
						t.Fatalf("migration is %v", m)
					}
					at = next
					if i < warm {
						continue
					}
					took = append(took, time.Duration(m.Steps[len(m.Steps)-1].AtUs)*time.Microsecond)
					messages = max(messages, m.Messages)
					for _, s := range m.Steps {
						steps[s.Name] = append(steps[s.Name], time.Duration(s.AtUs)*time.Microsecond)
					}
				}
				stop()
				slices.Sort(took)
				for _, name := range []string{"locked", "committed", "done"} {
					slices.Sort(steps[name])
					t.Logf("%s after %v in the median", name, steps[name][len(steps[name])/2])
				}
				t.Logf("%d migrations: median %v, 99 %% %v, longest %v; %d messages of the left anchor at most",
					n, took[n/2], took[(n*99-1)/100], took[n-1], messages)
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
				awaitSessions(t, 0, l.all()...)
			})
		}
	}
}

// load keeps a connection idle, or busy half the time or all of it.
func (p *chainOfLab) load(c net.Conn, load string) (stop func()) {
	switch load {
	case "full":
		return keepTalking(p.t, c)
	case "half":
		return keepAsking(p.t, c, 100_000, 2)
	}
	return func() {}
}

// free waits until a host has forgotten the session, which it left.
func (p *chainOfLab) free(h *host) {
	p.t.Helper()
	eventually(p.t, soon, func() error {
		if slices.ContainsFunc(h.sessions(p.t), func(s genl.Session) bool { return s.ID == p.session.ID }) {
			return fmt.Errorf("%s still has the session", h.name)
		}
		return nil
	})
}

// roundTrip is the median of a byte there and back.
func roundTrip(t *testing.T, c net.Conn) time.Duration {
	t.Helper()
	var took []time.Duration
	for range 21 {
		begun := time.Now()
		talk(t, c, 1)
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return took[len(took)/2]
}
