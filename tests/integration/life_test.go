// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mbchain/genl"
)

// However a connection ends, every host forgets it, for the right reason.
func TestSessionsEnd(t *testing.T) { eachFamily(t, testSessionsEnd) }

func testSessionsEnd(t *testing.T, f family) {
	const (
		port   = 5001
		closed = 5002 // nobody listens
	)
	r := newRigOf(t, f, 2)
	client, server := r.client(), r.server()
	r.load(t, "match(dstport=5001-5002) >> {mb1 -> mb2}\n")
	e := server.echo(t, port)

	rows := []struct {
		name string
		end  func(t *testing.T)
		want genl.Reason
	}{
		{"closed by the client", func(t *testing.T) {
			c := client.connect(t, 0, server.port(port))
			talk(t, c, 1000)
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}, genl.ReasonEndFIN},
		{"closed by the server", func(t *testing.T) {
			c := client.connect(t, 0, server.port(port))
			talk(t, c, 1000)
			e.hangUp(t, superOf(c).Source)
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Fatalf("read after the end: %v, want EOF", err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}, genl.ReasonEndFIN},
		{"half closed for a while", func(t *testing.T) {
			c := client.connect(t, 0, server.port(port))
			if _, err := c.Write([]byte("last words")); err != nil {
				t.Fatal(err)
			}
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(c); err != nil || string(got) != "last words" {
				t.Fatalf("read %q, %v after closing one half, want all of it", got, err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}, genl.ReasonEndFIN},
		{"reset by the client", func(t *testing.T) {
			c := client.connect(t, 0, server.port(port))
			talk(t, c, 1000)
			reset(t, c)
		}, genl.ReasonEndRST},
		{"refused by the server", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), late)
			defer cancel()
			if _, err := client.dial(ctx, client.port(0), server.port(closed)); !errors.Is(err, unix.ECONNREFUSED) {
				t.Fatalf("connect to a closed port: %v, want connection refused", err)
			}
		}, genl.ReasonEndRST},
		{"idle", func(t *testing.T) {
			for _, h := range r.hosts {
				h.configure(t, genl.Config{IdleTimeout: 2 * time.Second})
			}
			c := client.connect(t, 0, server.port(port))
			talk(t, c, 1000)
		}, genl.ReasonEndIdle},
		{"never answered", func(t *testing.T) {
			for _, h := range r.hosts[:3] {
				h.configure(t, genl.Config{SYNTimeout: time.Second})
			}
			r.middleboxes()[1].nft(t, "lose", "chain c { type filter hook forward priority 0; tcp dport 5001 drop; }")
			a := client.attempt(t, e, port)
			awaitSessions(t, 1, r.hosts[:3]...)
			a.giveUp(t)
			awaitSessions(t, 0, r.hosts...)
		}, genl.ReasonEndSYNTimeout},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			path := r.hosts
			if row.want == genl.ReasonEndSYNTimeout {
				path = r.hosts[:3]
			}
			var before []counters
			for _, h := range r.hosts {
				before = append(before, h.counters(t))
			}
			row.end(t)
			for i, h := range path {
				h.awaitCounter(t, before[i], row.want, 1)
			}
			awaitSessions(t, 0, r.hosts...)
			for i, h := range path {
				risen := h.counters(t).since(before[i])
				for _, other := range []genl.Reason{genl.ReasonEndFIN, genl.ReasonEndRST, genl.ReasonEndSYNTimeout, genl.ReasonEndIdle} {
					if other != row.want && risen[other.String()] != 0 {
						t.Errorf("%s of %s rose by %d, want only %s", other, h.name, risen[other.String()], row.want)
					}
				}
			}
		})
	}
}

// A live session is not idle, however long it lives.
func TestBusySessionIsNotIdle(t *testing.T) {
	const port = 5001
	r := newRig(t, 1)
	client, server := r.client(), r.server()
	r.load(t, "match(dstport=5001) >> {mb1}\n")
	server.echo(t, port)
	for _, h := range r.hosts {
		h.configure(t, genl.Config{IdleTimeout: 2 * time.Second})
	}
	busy, quiet := client.connect(t, 0, server.port(port)), client.connect(t, 0, server.port(port))
	talk(t, quiet, 100)
	before := client.counters(t)
	eventually(t, soon, func() error {
		if err := ask(busy, 100); err != nil {
			t.Fatal(err)
		}
		if client.counters(t).since(before)["end_idle"] == 0 {
			return errors.New("the quiet session still lives")
		}
		return nil
	})
	r.chained(t, client.session(t, superOf(busy)), r.hosts...)
}

// A session that the operator deletes on one host is a stranger's there.
func TestSessionDeleted(t *testing.T) {
	const port = 5001
	r := newRig(t, 1)
	client, server, mb := r.client(), r.server(), r.middleboxes()[0]
	r.load(t, "match(dstport=5001) >> {mb1}\n")
	server.echo(t, port)
	c := client.connect(t, 0, server.port(port))
	talk(t, c, 1000)
	s := client.session(t, superOf(c))

	before := mb.counters(t)
	if err := mb.module.DeleteSession(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
	mb.awaitCounter(t, before, genl.ReasonEndDeleted, 1)
	if err := mb.module.DeleteSession(t.Context(), s.ID); !errors.Is(err, genl.ErrNotFound) {
		t.Errorf("deleted again: %v, want %v", err, genl.ErrNotFound)
	}
	if _, err := mb.module.Session(t.Context(), s.ID); !errors.Is(err, genl.ErrNotFound) {
		t.Errorf("asked for it: %v, want %v", err, genl.ErrNotFound)
	}
	r.chained(t, s, client, server)
}
