// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"sync"
	"testing"
)

// Two clients that use the same port, through the same middlebox, to the same
// server: each has a session of its own, and nobody reads the other's bytes.
func TestClientsWithTheSamePort(t *testing.T) { eachFamily(t, testClientsWithTheSamePort) }

func testClientsWithTheSamePort(t *testing.T, f family) {
	const (
		port = 5001
		from = 41000
	)
	r := newRigOf(t, f, 1)
	second := r.attach(t)
	server, mb := r.server(), r.middleboxes()[0]
	r.load(t, "match(dstport=5001) >> {mb1}\n")
	r.load(t, "match(dstport=5001) >> {mb1}\n", second)
	e := server.echo(t, port)

	clients := []*host{r.client(), second}
	errs := make([]error, len(clients))
	var wg sync.WaitGroup
	for i, h := range clients {
		c := h.connect(t, from, server.port(port))
		// The echo sends random bytes back, which are different ones.
		wg.Go(func() { errs[i] = ask(c, 4*mib) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("from %s: %v", clients[i].name, err)
		}
		if end := clients[i].port(from); !e.has(end) {
			t.Errorf("the server does not know %v", end)
		}
	}
	awaitSessions(t, 2, mb, server)
	awaitSessions(t, 1, clients...)
	for _, h := range []*host{mb, server} {
		sessions := h.sessions(t)
		if sessions[0].ID == sessions[1].ID || sessions[0].Left.Tuple == sessions[1].Left.Tuple {
			t.Errorf("%s has the sessions %+v, want two of different ids and tuples", h.name, sessions)
		}
	}
}
