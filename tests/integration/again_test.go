// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"mbchain/genl"
)

// A client may use a tuple again at once, while hosts still remember the
// session that had it.
func TestTupleUsedAgain(t *testing.T) { eachFamily(t, testTupleUsedAgain) }

func testTupleUsedAgain(t *testing.T, f family) {
	const (
		port = 5001
		from = 42000
	)
	r := newRigOf(t, f, 2)
	client, server := r.client(), r.server()
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n")
	for _, h := range r.hosts {
		h.configure(t, genl.Config{CloseTimeout: 10 * time.Minute})
	}
	e := server.echo(t, port)

	rows := []struct {
		name string
		end  func(t *testing.T, c *net.TCPConn)
	}{
		{"reset by the client", reset},
		{"closed by the server first", func(t *testing.T, c *net.TCPConn) {
			e.hangUp(t, superOf(c).Source)
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Fatalf("read after the end: %v, want EOF", err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := client.connect(t, from, server.port(port))
			talk(t, c, 1000)
			old := client.session(t, superOf(c))
			row.end(t, c)

			var before []counters
			for _, h := range r.hosts {
				before = append(before, h.counters(t))
			}
			c = client.connect(t, from, server.port(port))
			talk(t, c, 100_000)
			s := client.session(t, superOf(c))
			if s.ID == old.ID {
				t.Errorf("the session has the old id %v", s.ID)
			}
			r.chained(t, s, r.hosts...)
			awaitSessions(t, 1, r.hosts...)
			for i, h := range r.hosts {
				if got := h.counters(t).since(before[i])["end_replaced"]; got != 1 {
					t.Errorf("end_replaced of %s rose by %d, want 1", h.name, got)
				}
			}
			reset(t, c)
		})
	}
}
