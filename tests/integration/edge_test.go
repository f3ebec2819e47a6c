// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net/netip"
	"slices"
	"testing"

	"mbchain/chain"
	"mbchain/genl"
)

// A server without mbchain gets ordinary sessions of the last middlebox.
func TestServerWithoutAgent(t *testing.T) { eachFamily(t, testServerWithoutAgent) }

func testServerWithoutAgent(t *testing.T, f family) {
	r := newRigOf(t, f, 2)
	client, last, server := r.client(), r.middleboxes()[1], r.server()
	r.agents = r.hosts[:3]
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n", r.agents...)
	r.agentsOn(t, r.agents...)
	e, a := server.echo(t, 5001), server.answer(t, 5001)
	tap := server.capture(t)

	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 300_000)
	s := client.session(t, superOf(c))
	r.chained(t, s, r.agents...)
	if !slices.Equal(s.Hops, hops(r.middleboxes()...)) {
		t.Errorf("the path is %v, want the middleboxes alone", s.Hops)
	}
	right := last.session(t, superOf(c)).Right.Tuple
	if right.Source.Addr() != last.addr || right.Destination != server.port(5001) || !e.has(right.Source) {
		t.Errorf("the last middlebox speaks as %v, want its own address and the server's port", right)
	}
	for _, p := range tap.packets(t) {
		if p.isTCP() && p.flags() == flagSYN && len(p.payload()) > 0 {
			t.Errorf("a SYN with %d bytes of payload came to the server", len(p.payload()))
		}
	}
	_ = c.Close()
	awaitSessions(t, 0, r.hosts...)

	u := client.datagrams(t, 0, nil)
	for _, n := range []int{0, 100, 10_000} {
		if err := exchange(u, server.port(5001), n); err != nil {
			t.Error(err)
		}
	}
	if got := client.session(t, udpSuper(u, server.port(5001))); got.Setup != chain.SetupDone {
		t.Errorf("set up %v, want it by the agents", got.Setup)
	}
	if from := a.from(); slices.ContainsFunc(from, func(p netip.AddrPort) bool { return p.Addr() != last.addr }) {
		t.Errorf("datagrams came from %v, want %v alone", from, last.addr)
	}
}

// A server that is away or refuses is as it would be without the chain.
func TestServerWithoutAgentRefuses(t *testing.T) { eachFamily(t, testServerWithoutAgentRefuses) }

func testServerWithoutAgentRefuses(t *testing.T, f family) {
	r := newRigOf(t, f, 1)
	client, server := r.client(), r.server()
	r.agents = r.hosts[:2]
	r.load(t, "match(dstport=5001) >> {mb1}\n", r.agents...)

	if c, err := client.dial(t.Context(), netip.AddrPort{}, server.port(5001)); err == nil {
		_ = c.Close()
		t.Error("somebody answers, want the connection refused")
	}
	awaitSessions(t, 0, r.hosts...)
}

// Sessions of a client without mbchain are chained by the gateway they pass.
func TestGateway(t *testing.T) { eachFamily(t, testGateway) }

func testGateway(t *testing.T, f family) {
	r := newRigOf(t, f, 3)
	client, gateway, server := r.client(), r.hosts[1], r.server()
	r.agents = r.hosts[1:]
	rules := "match(dstport=5001) >> {mb2 -> mb3}\nmatch(any) >> {}\n"
	r.loadGateway(t, rules, gateway, client)
	r.agentsOn(t, r.agents...)
	e := server.echo(t, 5001)
	a := server.answer(t, 5001)
	server.answer(t, 5002)

	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 300_000)
	s := gateway.session(t, superOf(c))
	if s.Role != chain.RoleClient {
		t.Errorf("the gateway is the %v, want it in the client's place", s.Role)
	}
	r.chained(t, s, r.agents...)
	if !e.has(superOf(c).Source) {
		t.Errorf("the server does not know the client as %v", superOf(c).Source)
	}
	_ = c.Close()
	awaitSessions(t, 0, r.hosts...)

	u := client.datagrams(t, 0, nil)
	for _, n := range []int{0, 100, 10_000, 100} {
		if err := exchange(u, server.port(5001), n); err != nil {
			t.Error(err)
		}
	}
	r.chained(t, gateway.session(t, udpSuper(u, server.port(5001))), r.agents...)
	if got := a.from(); len(got) != 4 {
		t.Errorf("datagrams came from %v, want four", got)
	}
	if err := exchange(u, server.port(5002), 10_000); err != nil {
		t.Error(err)
	}
	awaitSessions(t, 1, r.agents...)

	// Who has an agent decides for itself.
	r.agents = r.hosts
	r.loadGateway(t, rules, gateway, client)
	before := gateway.counters(t)
	talk(t, client.connect(t, 0, server.port(5001)), 1000)
	if got := gateway.counters(t).since(before); got[genl.ReasonSetupStarted.String()] != 0 {
		t.Errorf("the gateway set up %d sessions of a host with an agent", got[genl.ReasonSetupStarted.String()])
	}
}

// Only two hosts in the middle run mbchain, and the first one translates the
// addresses of its network.
func TestMiddleboxesAlone(t *testing.T) { eachFamily(t, testMiddleboxesAlone) }

func testMiddleboxesAlone(t *testing.T, f family) {
	r := newRigOf(t, f, 2)
	client, gateway, last, server := r.client(), r.hosts[1], r.hosts[2], r.server()
	r.agents = r.middleboxes()
	r.loadGateway(t, "match(dstport=5001) >> {mb2}\n", gateway, client)
	r.agentsOn(t, r.agents...)
	gateway.nft(t, f.nft+" nat", `chain post {
		type nat hook postrouting priority 100;
		snat to `+gateway.addr.String()+`
	}`)
	e := server.echo(t, 5001)
	server.answer(t, 5001)

	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 300_000)
	awaitSessions(t, 1, r.agents...)
	super := last.sessions(t)[0].Super
	if super.Source.Addr() != gateway.addr {
		t.Errorf("the session is %v, want the gateway's address", super)
	}
	if right := last.session(t, super).Right.Tuple; !e.has(right.Source) {
		t.Errorf("the server does not know %v", right)
	}
	_ = c.Close()
	awaitSessions(t, 0, r.hosts...)

	u := client.datagrams(t, 0, nil)
	for range 3 {
		if err := exchange(u, server.port(5001), 5000); err != nil {
			t.Fatal(err)
		}
	}
	awaitSessions(t, 1, r.agents...)
}
