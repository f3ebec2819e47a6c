// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"testing"

	"mbchain/chain"
	"mbchain/policy"
)

// Every policyd is dead, and agents are killed whose modules have lost what they had.
// Outcome: the agents come up without policyd, load what they have on disk, and new
// sessions are chained, over TCP by the modules and over UDP by the agents, too. When
// policyd is back, a newer policy reaches all of them.
func TestHostsWorkWithoutPolicyd(t *testing.T) {
	l := useLab(t)
	t.Cleanup(func() { l.forget(t) })
	rules := fmt.Sprintf("match(dstport=5001) >> %s\nmatch(dstport=53) >> %[1]s\n", l.chain(2))
	l.apply(t, "match(any) >> {}\n") // so that there is an older one than that which is on disk
	l.apply(t, rules)
	client, server, mb := l.client(), l.server(), l.middleboxes()
	server.echo(t, 5001)
	l.serveNames(t)

	l.run(t, "agent", l.policyd, "kill9")
	t.Cleanup(func() {
		if t.Failed() {
			_, _ = l.command("agent", l.policyd, "start") // unless it runs
		}
	})
	for _, h := range []*host{client, mb[0]} {
		l.run(t, "agent", h.name, "kill9")
		l.lose(t, h)
		l.run(t, "agent", h.name, "start")
	}
	l.awaitPolicy(t)

	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 100_000)
	l.chained(t, client.session(t, superOf(c)), client, mb[0], mb[1], server)
	_ = c.Close()
	const port = 40070
	eventually(t, soon, func() error { return l.ask(port, patient) })
	l.wantSetup(t, port, chain.SetupDone)

	l.run(t, "agent", l.policyd, "start")
	l.apply(t, rules+"match(dstport=5002) >> {mb1}\n")
}

// lose makes a module have no keys, and a policy without rules that is older than the
// newest one.
func (l *lab) lose(t *testing.T, h *host) {
	t.Helper()
	running, err := h.module.Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	none, err := (&rig{version: l.version - 1}).compile(&policy.Subpolicy{})
	if err != nil {
		t.Fatal(err)
	}
	none.Seed = running.Seed
	if err := errors.Join(h.module.LoadPolicy(t.Context(), none), h.module.SetKeys(t.Context(), nil)); err != nil {
		t.Fatalf("take the policy away from %s: %v", h.name, err)
	}
}
