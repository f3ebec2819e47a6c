// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"testing"
)

// The chain of a live session changes any number of times, under load and while
// nobody says a word: nothing is lost or changed, and afterwards just
// the hosts of its path have it.
func TestChainOfALiveSession(t *testing.T) { eachFamily(t, testChainOfALiveSession) }

func testChainOfALiveSession(t *testing.T, f family) {
	r := newRigOf(t, f, 4)
	r.load(t, "match(dstport=5001) >> {mb1}\n")
	client, server, mb := r.client(), r.server(), r.middleboxes()
	server.echo(t, 5001)
	for _, row := range []struct {
		load      string
		guarantee guarantee
	}{
		{"idle", lossFree}, {"talking", lossFree}, {"idle", ordered}, {"talking", ordered},
		{"idle", substream}, {"talking", substream},
	} {
		if !soaking() && (row.load == "idle") != (f.number == ipv4.number) {
			continue // a sample
		}
		t.Run(fmt.Sprintf("%s, %s", row.load, row.guarantee), func(t *testing.T) {
			c := client.connect(t, 0, server.port(5001))
			talk(t, c, 100_000)
			p := &livePath{
				rig: r, session: client.session(t, superOf(c)), hosts: []*host{client, mb[0], server},
				guarantee: row.guarantee,
			}
			before := r.lost(t)
			stop := func() {}
			if row.load == "talking" {
				stop = keepTalking(t, c)
			}
			p.change(t, 1, 2, mb[1])        // insert before the server
			p.change(t, 0, 1, mb[2])        // insert at the client
			p.change(t, 1, 3)               // remove one of three
			p.change(t, 0, 3, mb[0], mb[3]) // from client to server
			p.change(t, 1, 3, mb[1], mb[2]) // one by two
			p.change(t, 0, 2, mb[3])        // replace
			p.change(t, 0, 4)               // all
			p.change(t, 0, 1, mb[0])        // and back
			stop()
			talk(t, c, 100_000)
			r.lostNone(t, before)
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			awaitSessions(t, 0, r.hosts...)
		})
	}
	noComplaints(t)
}

// Whoever gives a migration up is where it was before, whatever has been done.
func TestMigrationGivenUp(t *testing.T) {
	r := newRig(t, 2)
	r.load(t, "match(dstport=5001) >> {mb1}\n")
	client, server, mb := r.client(), r.server(), r.middleboxes()
	server.echo(t, 5001)
	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 100_000)
	p := &livePath{rig: r, session: client.session(t, superOf(c)), hosts: []*host{client, mb[0], server}}
	steps := []string{"locked", "begun", "new host", "begun at the right", "switched to the left", "switched to the right"}
	for n := range steps {
		t.Run(steps[n], func(t *testing.T) {
			before := r.lost(t)
			stop := keepTalking(t, c)
			m := p.prepare(1, 2, mb[1])
			if err := m.steps(t, n+1); err != nil {
				t.Fatal(err)
			}
			m.giveUp(t)
			stop()
			talk(t, c, 100_000)
			r.chained(t, client.session(t, superOf(c)), p.hosts...)
			r.lostNone(t, before)
		})
	}
	// It ends in the middle of one, at both anchors with all that belongs to it.
	m := p.prepare(1, 2, mb[1])
	if err := m.steps(t, len(steps)); err != nil {
		t.Fatal(err)
	}
	talk(t, c, 100_000)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	awaitSessions(t, 0, r.hosts...)
	noComplaints(t)
}
