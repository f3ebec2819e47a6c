// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"slices"
	"testing"
)

// An NF that is itself a source NAT stays in its chain: what is right of it has
// the address that it gave, and is the same session.
func TestSourceNAT(t *testing.T) { eachFamily(t, testSourceNAT) }

func testSourceNAT(t *testing.T, f family) {
	r := newRigOf(t, f, 3)
	client, server := r.client(), r.server()
	nat := r.middleboxes()[1]
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2 -> mb3}\n")
	r.agentsOn(t, r.hosts...)
	nat.nft(t, f.nft+" nat", `chain post {
		type nat hook postrouting priority 100;
		snat to `+nat.addr.String()+`
	}`)
	e := server.echo(t, 5001)
	server.answer(t, 5001)

	before := server.counters(t)
	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 300_000)
	s := client.session(t, superOf(c))
	for _, h := range r.hosts {
		sessions := h.sessions(t)
		if len(sessions) != 1 || sessions[0].ID != s.ID {
			t.Fatalf("%s has sessions %v, want %v alone", h.name, sessions, s.ID)
		}
		right := slices.Index(r.hosts, h) > slices.Index(r.hosts, nat)
		if changed := sessions[0].Super.Source != s.Super.Source; changed != right {
			t.Errorf("%s knows the client as %v; want it to be %v left of the NAT, and another right of it",
				h.name, sessions[0].Super.Source, s.Super.Source)
		}
	}
	if e.has(superOf(c).Source) {
		t.Errorf("the server knows the client as %v, want the NAT in between", superOf(c).Source)
	}
	if got := server.counters(t).since(before); got["setup_accepted"] != 1 {
		t.Errorf("counters of the server rose by %v, want one session accepted", got)
	}
	_ = c.Close()
	awaitSessions(t, 0, r.hosts...)

	u := client.datagrams(t, 0, nil)
	for range 3 {
		if err := exchange(u, server.port(5001), 1000); err != nil {
			t.Fatal(err)
		}
	}
	awaitSessions(t, 1, r.hosts...)
}
