// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"testing"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/policy"
)

// Instances of one type get sessions in turn, by their weights, or all those of one
// client, as its type says.
func TestInstanceChoice(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		r := newRigOf(t, f, 3)
		client, server, mbs := r.client(), r.server(), r.middleboxes()
		instances := fmt.Sprintf("{ %s weight 2, %s, %s }", mbs[0].addr, mbs[1].addr, mbs[2].addr)
		const rounds, first = 3, 41000
		server.echo(t, 5001)
		// got says which middlebox each of the next sessions passes.
		got := func(t *testing.T, how string) (path []int) {
			r.load(t, fmt.Sprintf("type nf %s %s\nmatch(dstport=5001) >> {nf}\n", instances, how))
			for i := range 4 * rounds {
				c := client.connect(t, uint16(first+i), server.port(5001))
				talk(t, c, 10)
				s := client.session(t, superOf(c))
				for k, mb := range mbs {
					if len(s.Hops) == 2 && s.Hops[0] == mb.addr {
						path = append(path, k)
					}
				}
				_ = c.Close()
			}
			awaitSessions(t, 0, r.hosts...)
			return path
		}
		t.Run("round-robin", func(t *testing.T) {
			want := fmt.Sprint([]int{0, 0, 1, 2, 0, 0, 1, 2, 0, 0, 1, 2})
			if path := got(t, "choose round-robin"); fmt.Sprint(path) != want {
				t.Errorf("sessions pass %v, want %v", path, want)
			}
		})
		t.Run("sticky-source", func(t *testing.T) {
			path := got(t, "choose sticky-source")
			p, err := policy.Parse(fmt.Sprintf("type nf %s choose sticky-source", instances))
			if err != nil {
				t.Fatal(err)
			}
			choice := policy.Choose(rigSeed, p.Types[0], 0, chain.FiveTuple{
				Source: client.port(1), Destination: server.port(5001), Protocol: chain.ProtocolTCP})
			for i, k := range path {
				if mbs[k].addr != choice.Address || len(path) != 4*rounds {
					t.Fatalf("session %d of %d passes %s, want all of them by %s", i, len(path), mbs[k].name, choice.Address)
				}
			}
		})
	})
}

// A rule says how its chains are set up: by the agents although the neighbour takes
// SYNs with payload, and in-band although it does not.
func TestSetUpAsTheRuleSays(t *testing.T) {
	r := newRig(t, 1)
	client, server, mb := r.client(), r.server(), r.middleboxes()[0]
	r.agentsOn(t, client, mb)
	r.load(t, "match(dstport=5001) >> {mb1} set-up out-of-band\nmatch(dstport=5002) >> {mb1}\n"+
		"match(dstport=5003) >> {mb1} set-up in-band on-failure bypass\nmatch(dstport=5004) >> {mb1} set-up in-band\n")
	for port, want := range map[uint16]chain.Setup{5001: chain.SetupDone, 5002: chain.SetupInBand, 5003: chain.SetupInBand} {
		server.echo(t, port)
		c := client.connect(t, 0, server.port(port))
		talk(t, c, 1000)
		if s := client.session(t, superOf(c)); s.Setup != want {
			t.Errorf("port %d: the chain is set up %v, want %v", port, s.Setup, want)
		}
		if s := mb.session(t, superOf(c)); len(s.Hops) != 1 {
			t.Errorf("port %d: %s passes it on to %v", port, mb.name, s.Hops)
		}
	}

	// A neighbour that swallows SYNs with payload: nobody asks the agents.
	swallow(t, mb, ipv4)
	before := client.counters(t)
	server.echo(t, 5004)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		c, err := client.dial(ctx, client.port(0), server.port(5004))
		if err == nil {
			_ = c.Close()
		}
		done <- err
	}()
	client.awaitCounter(t, before, genl.ReasonSetupRepeated, 3) // the third one would wait
	cancel()
	if err := <-done; err == nil {
		t.Error("in-band, past a neighbour that swallows the header, a connection came to be")
	}
	if risen := client.counters(t).since(before); risen["setup_waited"] != 0 || risen["peer_noted"] != 0 {
		t.Errorf("counters of the client rose by %v, want no wait for agents", risen)
	}
}
