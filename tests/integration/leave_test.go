// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"mbchain/genl"
)

// A host whose module goes is a plain router that nobody has told the others of: it
// answers what comes for its subsessions as a stack does that knows no such
// connection. Taken out of the policy first, and left alone until its sessions have
// ended, it is missed by nobody. docs/OPERATIONS.md tells operators.
func TestHostLeavesTheChain(t *testing.T) { eachFamily(t, testHostLeavesTheChain) }

func testHostLeavesTheChain(t *testing.T, f family) {
	const rule = "match(dstport=5001) >> "
	t.Run("at once", func(t *testing.T) {
		r := newRigOf(t, f, 2)
		client, server, mb := r.client(), r.server(), r.middleboxes()[0]
		r.load(t, rule+"{mb1 -> mb2}\n")
		r.agentsOn(t, r.hosts...)
		e := server.echo(t, 5001)
		c := client.connect(t, 0, server.port(5001))
		talk(t, c, 1000)
		answers := server.answer(t, 5001)
		u := client.datagrams(t, 0, nil)
		if err := exchange(u, server.port(5001), 100); err != nil {
			t.Fatal(err)
		}

		unload(t, mb)
		if err := ask(c, 1000); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a session of before: %v, want it reset", err)
		}
		// The host's stack refuses new sessions, header and all.
		connections, before := e.count(), client.counters(t)
		if _, err := client.dial(t.Context(), client.port(0), server.port(5001)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a new session: %v, want it refused", err)
		}
		client.awaitCounter(t, before, genl.ReasonSYNRefused, 1)
		strays := map[byte]string{4: "UdpNoPorts", 6: "Udp6NoPorts"}[f.number]
		datagrams := mb.netstatOf(t, strays)
		if err := u.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := u.WriteToUDPAddrPort(make([]byte, 100), server.port(5001)); err != nil {
			t.Fatal(err)
		}
		eventually(t, soon, func() error {
			if got := mb.netstatOf(t, strays) - datagrams; got != 1 {
				return fmt.Errorf("%s of %s rose by %d, want 1", strays, mb.name, got)
			}
			return nil
		})
		if n, m := e.count()-connections, len(answers.from())-1; n != 0 || m != 0 {
			t.Errorf("%d connections and %d datagrams came past %s, want none", n, m, mb.name)
		}
	})
	t.Run("at once, with a way past it", func(t *testing.T) {
		r := newRigOf(t, f, 2)
		client, server, mb := r.client(), r.server(), r.middleboxes()
		r.load(t, rule+"{mb1 -> mb2} on-failure bypass\n")
		e := server.echo(t, 5001)
		unload(t, mb[1])

		counted := make(map[*host]counters)
		for _, h := range []*host{client, mb[0]} {
			counted[h] = h.counters(t)
		}
		c := client.attempt(t, e, 5001).connection(t) // the SYN repeated, a second later
		talk(t, c, 100_000)
		client.awaitCounter(t, counted[client], genl.ReasonSYNRefused, 1)
		mb[0].awaitCounter(t, counted[mb[0]], genl.ReasonSYNRefused, 1)
		if got := client.counters(t).since(counted[client]); got["bypassed"] == 0 {
			t.Errorf("counters of the client rose by %v, want packets bypassed", got)
		}
	})
	t.Run("out of the policy first", func(t *testing.T) {
		r := newRigOf(t, f, 2)
		client, server, mb := r.client(), r.server(), r.middleboxes()[0]
		r.load(t, rule+"{mb1 -> mb2}\n")
		server.echo(t, 5001)
		old := client.connect(t, 0, server.port(5001))
		talk(t, old, 1000)

		r.load(t, rule+"{mb2}\n")
		c := client.connect(t, 0, server.port(5001))
		talk(t, c, 1000)
		r.chained(t, client.session(t, superOf(c)), client, r.middleboxes()[1], server)
		talk(t, old, 1000)
		r.chained(t, client.session(t, superOf(old)), r.hosts...)
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		awaitSessions(t, 0, mb)

		unload(t, mb)
		talk(t, c, 100_000)
		talk(t, client.connect(t, 0, server.port(5001)), 100_000)
	})
}

// unload leaves nothing of a host's sessions and keys, as rmmod does: all hosts of
// a rig share one module.
func unload(t *testing.T, h *host) {
	t.Helper()
	plain(t, h)
	for _, s := range h.sessions(t) {
		if err := h.module.DeleteSession(t.Context(), s.ID); err != nil {
			t.Fatalf("end session %v on %s: %v", s.ID, h.name, err)
		}
	}
	awaitSessions(t, 0, h)
}
