// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"mbchain/chain"
	"mbchain/genl"
)

// attempt is a connection that may never come about.
type attempt struct {
	cancel context.CancelFunc
	done   chan struct{}
	conn   *net.TCPConn
	err    error
}

// attempt dials until the test ends or it is given up.
func (h *host) attempt(t *testing.T, to *echo, port uint16) *attempt {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	a := &attempt{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		a.conn, a.err = h.dial(ctx, h.port(0), to.port(port))
	}()
	t.Cleanup(func() {
		cancel()
		<-a.done
		if a.conn != nil {
			_ = a.conn.Close()
		}
	})
	return a
}

// giveUp ends an attempt, which must have been in vain until now.
func (a *attempt) giveUp(t *testing.T) {
	t.Helper()
	a.cancel()
	<-a.done
	if a.err == nil || !errors.Is(a.err, context.Canceled) {
		t.Errorf("connection came to %v, want it to get no answer", a.err)
	}
}

// connection waits until the attempt succeeds.
func (a *attempt) connection(t *testing.T) *net.TCPConn {
	t.Helper()
	<-a.done
	if a.err != nil {
		t.Fatalf("connect: %v", a.err)
	}
	return a.conn
}

// A full table refuses what is new by the rule's choice and leaves what is old
// alone; the counters tell.
func TestTableFull(t *testing.T) {
	const (
		blockPort  = 5001
		bypassPort = 5002
		room       = 2
	)
	r := newRig(t, 1)
	client, mb, server := r.client(), r.middleboxes()[0], r.server()
	r.load(t, `
		match(dstport=5001) >> {mb1}
		match(dstport=5002) >> {mb1} on-failure bypass
	`)
	// Ids are remembered for twice the freshness, as many as there may be
	// sessions: what the limit of sessions lets in, that of ids must not
	// keep out for long.
	for _, h := range r.hosts {
		h.configure(t, genl.Config{Freshness: time.Second})
	}
	blocked, bypassed := server.echo(t, blockPort), server.echo(t, bypassPort)

	// fill opens as many sessions as there is room for.
	fill := func(t *testing.T, h *host) []*net.TCPConn {
		t.Helper()
		h.configure(t, genl.Config{MaxSessions: room})
		var conns []*net.TCPConn
		for range room {
			c := client.connect(t, 0, server.port(blockPort))
			talk(t, c, 1000)
			conns = append(conns, c)
		}
		awaitSessions(t, room, r.hosts...)
		return conns
	}
	// leave closes them, after a look at whether they live.
	leave := func(t *testing.T, conns []*net.TCPConn) {
		t.Helper()
		for _, c := range conns {
			talk(t, c, 100_000)
			_ = c.Close()
		}
		awaitSessions(t, 0, r.hosts...)
	}

	t.Run("at the client, block", func(t *testing.T) {
		conns := fill(t, client)
		before, served := client.counters(t), blocked.count()
		a := client.attempt(t, blocked, blockPort)
		client.awaitCounter(t, before, genl.ReasonTableFull, 2) // the SYN is sent again
		client.awaitCounter(t, before, genl.ReasonBlocked, 2)
		a.giveUp(t)
		if got := client.counters(t).since(before); got["bypassed"] != 0 || got["setup_started"] != 0 {
			t.Errorf("counters rose by %v, want nothing started or bypassed", got)
		}
		if got := blocked.count(); got != served {
			t.Errorf("%d connections came to the server, want none", got-served)
		}
		leave(t, conns)
		leave(t, fill(t, client)) // there is room again
	})

	t.Run("at the client, bypass", func(t *testing.T) {
		conns := fill(t, client)
		before := client.counters(t)
		c := client.attempt(t, bypassed, bypassPort).connection(t)
		talk(t, c, 100_000)
		if got := client.counters(t).since(before); got["table_full"] != 1 || got["bypassed"] != 1 || got["blocked"] != 0 {
			t.Errorf("counters rose by %v, want table_full and bypassed by 1, not blocked", got)
		}
		if !bypassed.has(superOf(c).Source) {
			t.Errorf("the server does not know the client as %v", superOf(c).Source)
		}
		awaitSessions(t, room, r.hosts...)
		_ = c.Close()
		leave(t, conns)
	})

	for _, h := range []*host{mb, server} {
		t.Run("at "+h.name+", block", func(t *testing.T) {
			conns := fill(t, h)
			before, atClient := h.counters(t), client.counters(t)
			a := client.attempt(t, blocked, blockPort)
			h.awaitCounter(t, before, genl.ReasonTableFull, 1)
			a.giveUp(t)
			if got := client.counters(t).since(atClient); got["setup_started"] != 1 || got["bypassed"] != 0 {
				t.Errorf("counters of the client rose by %v, want one session started, none bypassed", got)
			}
			forgetSYNs(t, r.hosts...)
			leave(t, conns)
		})
	}

	t.Run("at the middlebox, bypass", func(t *testing.T) {
		conns := fill(t, mb)
		before := client.counters(t)
		c := client.attempt(t, bypassed, bypassPort).connection(t)
		talk(t, c, 100_000)
		if got := client.counters(t).since(before); got["no_answer"] != 1 || got["bypassed"] != 1 {
			t.Errorf("counters of the client rose by %v, want no_answer and bypassed by 1", got)
		}
		awaitSessions(t, room, r.hosts...)
		_ = c.Close()
		leave(t, conns)
	})
}

// A host remembers the ids of sessions that are over, too; when it cannot
// remember another one it takes no session in.
func TestTooManyIDsToRemember(t *testing.T) {
	r := newRig(t, 1)
	client, mb, server := r.client(), r.middleboxes()[0], r.server()
	r.load(t, "match(dstport=5001) >> {mb1}\n")
	e := server.echo(t, 5001)
	mb.configure(t, genl.Config{MaxSessions: 2})
	for range 2 {
		c := client.connect(t, 0, server.port(5001))
		talk(t, c, 100)
		_ = c.Close()
		awaitSessions(t, 0, r.hosts...)
	}

	before := mb.counters(t)
	a := client.attempt(t, e, 5001)
	mb.awaitCounter(t, before, genl.ReasonSeenFull, 1)
	a.giveUp(t)
	if got := mb.counters(t).since(before); got["setup_accepted"] != 0 {
		t.Errorf("counters rose by %v, want nothing accepted", got)
	}
}

// forgetSYNs deletes the sessions that were never answered.
func forgetSYNs(t *testing.T, hosts ...*host) {
	t.Helper()
	for _, h := range hosts {
		for _, s := range h.sessions(t) {
			if s.State != chain.StateSYN {
				continue
			}
			if err := h.module.DeleteSession(t.Context(), s.ID); err != nil {
				t.Errorf("forget session on %s: %v", h.name, err)
			}
		}
	}
}
