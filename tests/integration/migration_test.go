// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"

	"mbchain/chain"
	"mbchain/genl"
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
		load    string
		ordered bool
	}{{"idle", false}, {"talking", false}, {"idle", true}, {"talking", true}} {
		t.Run(fmt.Sprintf("%s, ordered %t", row.load, row.ordered), func(t *testing.T) {
			c := client.connect(t, 0, server.port(5001))
			talk(t, c, 100_000)
			p := &livePath{
				rig: r, session: client.session(t, superOf(c)), hosts: []*host{client, mb[0], server},
				ordered: row.ordered,
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
	steps := []string{"begun", "new host", "begun at the right", "switched to the left", "switched to the right"}
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

// livePath is the path of a live session, and changes it as agents will.
type livePath struct {
	*rig
	session genl.Session
	hosts   []*host // client to server
	ordered bool    // nothing goes by the new path before all by the old one has come
}

// change replaces what is between the hosts i and j of the path.
func (p *livePath) change(t *testing.T, i, j int, by ...*host) {
	t.Helper()
	m := p.prepare(i, j, by...)
	if err := m.steps(t, 5); err != nil {
		t.Fatalf("replace %d hosts by %d: %v", len(m.old), len(by), err)
	}
	m.finish(t)
	p.hosts = slices.Concat(p.hosts[:i+1], by, p.hosts[j:])
	p.chained(t, p.hosts[0].session(t, p.session.Super), p.hosts...)
}

// liveChange is one migration.
type liveChange struct {
	path        *livePath
	id          uint64
	left, right *host
	old, new    []*host
	rest        []netip.Addr // right of the right anchor
	markers     map[*host]*genl.Events
	before      []uint64 // packets that passed the old hosts until the new path was taken
}

func (p *livePath) prepare(i, j int, by ...*host) *liveChange {
	m := &liveChange{
		path: p, id: rand.Uint64(), left: p.hosts[i], right: p.hosts[j],
		old: p.hosts[i+1 : j], new: by,
	}
	for _, h := range p.hosts[j+1:] {
		m.rest = append(m.rest, h.addr)
	}
	return m
}

// steps does the first n steps.
func (m *liveChange) steps(t *testing.T, n int) error {
	ctx, id := t.Context(), m.path.session.ID
	var hops []netip.Addr
	for _, h := range append(slices.Clone(m.new), m.right) {
		hops = append(hops, h.addr)
	}
	hops = append(hops, m.rest...)
	if err := m.listen(t); err != nil {
		return err
	}
	for _, h := range m.old {
		if _, err := h.module.BeginMigration(ctx, genl.MigrationRequest{Session: id, ID: m.id}); err != nil {
			return err
		}
	}
	next, err := m.left.module.BeginMigration(ctx, genl.MigrationRequest{Session: id, ID: m.id, Hops: hops})
	if err != nil || n == 1 {
		return err
	}
	for i, h := range m.new {
		next, err = h.module.NewSession(ctx, genl.SessionRequest{
			ID: id, Super: m.path.session.Super, Left: next.Right.Tuple, Hops: hops[i+1:], Live: true,
		})
		if err != nil {
			return err
		}
	}
	if n == 2 {
		return nil
	}
	if _, err := m.right.module.BeginMigration(ctx, genl.MigrationRequest{Session: id, ID: m.id, Left: next.Right.Tuple}); err != nil || n == 3 {
		return err
	}
	if m.path.ordered {
		if err := m.pause(t); err != nil {
			return err
		}
	}
	if err := m.right.module.SwitchPath(ctx, id, m.id, genl.PathNew); err != nil || n == 4 {
		return err
	}
	return m.left.module.SwitchPath(ctx, id, m.id, genl.PathNew)
}

// listen waits for markers on all hosts of the old path from now on.
func (m *liveChange) listen(t *testing.T) error {
	m.markers = make(map[*host]*genl.Events)
	for _, h := range append([]*host{m.left, m.right}, m.old...) {
		events, err := within(h, h.module.Subscribe)
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = events.Close() })
		m.markers[h] = events
	}
	return nil
}

// awaitAll waits until nothing is on the old path any more. A packet that another
// processor sends may be a moment behind the marker.
func (m *liveChange) awaitAll(t *testing.T) {
	t.Helper()
	for _, h := range m.old {
		m.awaitMarkers(t, h, genl.BothWays)
	}
	m.awaitMarkers(t, m.left, genl.Leftward)
	m.awaitMarkers(t, m.right, genl.Rightward)
	m.drained(t, m.old)
}

// awaitMarkers waits until nothing more comes over the old path to a host.
func (m *liveChange) awaitMarkers(t *testing.T, h *host, want genl.Ways) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	var got genl.Ways
	for got != want {
		events, err := m.markers[h].Receive(ctx)
		if err != nil {
			t.Fatalf("markers %b came to %s, want %b: %v", got, h.name, want, err)
		}
		for _, e := range events {
			if marker, ok := e.(genl.MarkerCame); ok && marker.Session == m.path.session.ID && marker.Migration == m.id {
				got |= marker.Passed
			}
		}
	}
}

// pause holds the session at both anchors until nothing is between them.
func (m *liveChange) pause(t *testing.T) error {
	for _, h := range []*host{m.left, m.right} {
		if err := h.module.Pause(t.Context(), m.path.session.ID, m.id); err != nil {
			return err
		}
	}
	m.awaitAll(t)
	for _, h := range m.old {
		m.before = append(m.before, h.passed(t, m.path.session.ID))
	}
	return nil
}

// finish gives up the old path when nothing is on it any more.
func (m *liveChange) finish(t *testing.T) {
	t.Helper()
	if !m.path.ordered {
		m.awaitAll(t)
	}
	for i, h := range m.old {
		if got := h.passed(t, m.path.session.ID); m.path.ordered && got != m.before[i] {
			t.Errorf("%d packets passed %s after its state would have moved, want none", got-m.before[i], h.name)
		}
		if err := h.module.DeleteSession(t.Context(), m.path.session.ID); err != nil {
			t.Fatalf("delete session on %s: %v", h.name, err)
		}
	}
	m.end(t)
}

func (m *liveChange) end(t *testing.T) {
	t.Helper()
	for _, h := range []*host{m.left, m.right} {
		if err := h.module.EndMigration(t.Context(), m.path.session.ID, m.id); err != nil {
			t.Fatalf("end migration on %s: %v", h.name, err)
		}
	}
}

// giveUp goes back to the old path from wherever it is.
func (m *liveChange) giveUp(t *testing.T) {
	t.Helper()
	ctx, id := t.Context(), m.path.session.ID
	for _, h := range []*host{m.left, m.right} {
		_ = h.module.SwitchPath(ctx, id, m.id, genl.PathOld) // if it has got that far
	}
	m.drained(t, m.new)
	for _, h := range m.new {
		_ = h.module.DeleteSession(ctx, id)
	}
	for _, h := range append([]*host{m.left, m.right}, m.old...) {
		_ = h.module.EndMigration(ctx, id, m.id)
	}
}

// drained waits until hosts have passed on nothing of the session for a while.
func (m *liveChange) drained(t *testing.T, hosts []*host) {
	t.Helper()
	const polls = 5
	for _, h := range hosts {
		var before uint64
		same := 0
		eventually(t, soon, func() error {
			now := h.passed(t, m.path.session.ID)
			if same++; now != before {
				before, same = now, 0
			}
			if same < polls {
				return fmt.Errorf("packets of the session still pass %s", h.name)
			}
			return nil
		})
	}
}

// passed counts the packets of a session that a host has sent, both ways.
func (h *host) passed(t *testing.T, id chain.SessionID) uint64 {
	t.Helper()
	for _, s := range h.sessions(t) {
		if s.ID == id {
			return s.Left.OutPackets + s.Right.OutPackets
		}
	}
	return 0
}

// keepTalking asks without an end until it is told to stop.
func keepTalking(t *testing.T, c net.Conn) (stop func()) {
	t.Helper()
	var enough atomic.Bool
	done := make(chan error, 1)
	go func() {
		for !enough.Load() {
			if err := ask(c, 1_000_000); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	return func() {
		t.Helper()
		enough.Store(true)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// lost counts the segments that both ends sent again because what was behind them
// had come, but for those of which the receiver said that they were there already
// (D-SACK). What they sent again because they lost patience does not count: in a
// slow guest they do that without any migration.
func (r *rig) lost(t *testing.T) int64 {
	t.Helper()
	var n int64
	for _, h := range []*host{r.client(), r.server()} {
		counted, err := h.netstat()
		if err != nil {
			t.Fatal(err)
		}
		n += max(0, counted["TcpExtTCPFastRetrans"]-counted["TcpExtTCPDSACKRecvSegs"])
	}
	return n
}

// lostNone waits until the receivers have said so.
func (r *rig) lostNone(t *testing.T, before int64) {
	t.Helper()
	eventually(t, soon, func() error {
		if n := r.lost(t) - before; n > 0 {
			return fmt.Errorf("%d segments were lost, want none", n)
		}
		return nil
	})
}
