// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"net"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"mbchain/genl"
	"mbchain/policy"
)

// A rule that is required: the server drops what comes past the chain, and counts it.
// What comes through the chain, what the rule does not match, and connections from
// before the policy go on.
func TestRequiredRule(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		r := newRigOf(t, f, 1)
		client, server, mb := r.client(), r.server(), r.middleboxes()[0]
		stranger := r.attach(t) // has no policy, and goes straight to the server
		const rules = "match(dstport=5001 | dstport=5003) >> {mb1} enforce required\nmatch(dstport=5002) >> {mb1}\n"
		r.agentsOn(t, r.hosts...)
		r.load(t, rules, client)
		server.echo(t, 5001)
		server.echo(t, 5002)
		answers := server.answer(t, 5003)
		server.answer(t, 5004)
		server.answer(t, policy.AgentPort)
		old := stranger.connect(t, 0, server.port(5001))
		talk(t, old, 1000)
		r.guard(t, rules, server)

		before := server.counters(t)
		for _, port := range []uint16{5001, 5002} {
			c := client.connect(t, 0, server.port(port))
			talk(t, c, 100_000)
			r.chained(t, client.session(t, superOf(c)), client, mb, server)
		}
		talk(t, old, 100_000)
		talk(t, stranger.connect(t, 0, server.port(5002)), 1000)
		if risen := server.counters(t).since(before); risen["unchained"] != 0 {
			t.Errorf("counters of the server rose by %v, want nothing stopped", risen)
		}

		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			c, err := stranger.dial(ctx, stranger.port(0), server.port(5001))
			if err == nil {
				_ = c.Close()
			}
			done <- err
		}()
		server.awaitCounter(t, before, genl.ReasonUnchained, 2) // a SYN, and the same again
		cancel()
		if err := <-done; err == nil {
			t.Error("a connection past the chain came to be")
		}

		before = server.counters(t)
		through, past := client.datagrams(t, 0, nil), stranger.datagrams(t, 0, nil)
		for _, ask := range []struct {
			from *net.UDPConn
			port uint16
		}{{through, 5003}, {past, 5004}, {past, policy.AgentPort}} {
			for range 2 { // the second one is known to pass
				if err := exchange(ask.from, server.port(ask.port), 100); err != nil {
					t.Errorf("port %d: %v", ask.port, err)
				}
			}
		}
		if risen := server.counters(t).since(before); risen["unchained"] != 0 {
			t.Errorf("counters of the server rose by %v, want nothing stopped", risen)
		}
		if _, err := past.WriteToUDPAddrPort([]byte("past"), server.port(5003)); err != nil {
			t.Fatal(err)
		}
		server.awaitCounter(t, before, genl.ReasonUnchained, 1)
		if from := udpSuper(past, server.port(5003)).Source; slices.Contains(answers.from(), from) {
			t.Errorf("the server was given a datagram of %v, past the chain", from)
		}
	})
}

// The same by way of policyd and agentd: the server's agent is told what has to come
// through its chain, and nothing that policyd and the agents say is stopped.
func TestRequiredRuleReachesTheServer(t *testing.T) {
	l := useLab(t)
	client, server := l.client(), l.server()
	server.echo(t, 5001)
	answers := server.answer(t, 5001)
	l.apply(t, "match(any) >> {mb1} enforce required\n")
	before := server.counters(t)
	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 100_000)
	l.chained(t, client.session(t, superOf(c)), client, l.middleboxes()[0], server)

	past := client.datagrams(t, 0, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, genl.ControlPriority)
	})
	if _, err := past.WriteToUDPAddrPort([]byte("past"), server.port(5001)); err != nil {
		t.Fatal(err)
	}
	server.awaitCounter(t, before, genl.ReasonUnchained, 1)
	if from := udpSuper(past, server.port(5001)).Source; slices.Contains(answers.from(), from) {
		t.Errorf("the server was given a datagram of %v, past the chain", from)
	}
	l.apply(t, "match(any) >> {mb2} enforce required\n") // policyd still reaches all
	_ = c.Close()
	awaitSessions(t, 0, l.all()...)
}
