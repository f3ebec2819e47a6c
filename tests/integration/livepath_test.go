// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mbchain/chain"
	"mbchain/genl"
)

// livePath is the path of a live session, and changes it as agents do.
type livePath struct {
	*rig
	session   genl.Session
	hosts     []*host // client to server
	guarantee guarantee
}

// guarantee is what a migration promises (paper section 5).
type guarantee string

const (
	lossFree  guarantee = "loss-free"
	ordered   guarantee = "ordered"   // nothing goes by the new path before all by the old one has come
	substream guarantee = "substream" // and what was sent by the old one is acknowledged by it
)

// change replaces what is between the hosts i and j of the path.
func (p *livePath) change(t *testing.T, i, j int, by ...*host) {
	t.Helper()
	m := p.prepare(i, j, by...)
	if err := m.steps(t, allSteps); err != nil {
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
	before      []passed // packets that passed the old hosts until the new path was taken
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

// allSteps of a migration: see steps.
const allSteps = 6

// steps does the first n steps.
func (m *liveChange) steps(t *testing.T, n int) error {
	ctx, id := t.Context(), m.path.session.ID
	if err := m.listen(t); err != nil {
		return err
	}
	if err := m.lock(t); err != nil || n == 1 {
		return err
	}
	hops := append(hops(append(slices.Clone(m.new), m.right)...), m.rest...)
	next, err := m.left.module.BeginMigration(ctx, genl.MigrationRequest{Session: id, ID: m.id, Hops: hops})
	if err != nil || n == 2 {
		return err
	}
	for i, h := range m.new {
		next, err = h.module.NewSession(ctx, genl.SessionRequest{
			ID: id, Super: m.path.session.Super, Left: next.Right.Tuple, Hops: hops[i+1:], Live: true,
			Migration: m.id, Plan: m.plan(),
		})
		if err != nil {
			return err
		}
	}
	if n == 3 {
		return nil
	}
	if _, err := m.right.module.BeginMigration(ctx, genl.MigrationRequest{Session: id, ID: m.id, Left: next.Right.Tuple}); err != nil || n == 4 {
		return err
	}
	if m.pauses() {
		if err := m.pause(t); err != nil {
			return err
		}
	}
	if err := m.take(t, m.right); err != nil || n == 5 {
		return err
	}
	return m.take(t, m.left)
}

// plan is what the record is to keep.
func (m *liveChange) plan() []byte { return fmt.Appendf(nil, "migration %d", m.id) }

// lock makes the record on all hosts of the old path, left to right.
func (m *liveChange) lock(t *testing.T) error {
	role := genl.LeftAnchor
	for _, h := range slices.Concat([]*host{m.left}, m.old, []*host{m.right}) {
		if h == m.right {
			role = genl.RightAnchor
		}
		err := h.module.LockSession(t.Context(), genl.LockRequest{
			Session: m.path.session.ID, ID: m.id, Role: role, Plan: m.plan(),
		})
		if err != nil {
			return err
		}
		role = genl.OldHost
	}
	return nil
}

// take sends an anchor's packets by the new path, and a marker behind those by the
// old one, unless it has gone before.
func (m *liveChange) take(t *testing.T, h *host) error {
	ctx, id := t.Context(), m.path.session.ID
	if err := h.module.SwitchPath(ctx, id, m.id, genl.PathNew); err != nil || m.pauses() {
		return err
	}
	return h.module.Mark(ctx, id, m.id)
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

// awaitAll waits until nothing is on the old path any more.
func (m *liveChange) awaitAll(t *testing.T) {
	t.Helper()
	for _, h := range m.old {
		m.awaitMarkers(t, h, genl.BothWays)
	}
	m.awaitMarkers(t, m.left, genl.Leftward)
	m.awaitMarkers(t, m.right, genl.Rightward)
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
			if marker, ok := e.(genl.MigrationEvent); ok && marker.Session == m.path.session.ID && marker.Migration == m.id {
				got |= marker.Passed
			}
		}
	}
}

func (m *liveChange) pauses() bool {
	return m.path.guarantee == ordered || m.path.guarantee == substream
}

// pause holds the session at both anchors until nothing is between them.
func (m *liveChange) pause(t *testing.T) error {
	ctx, id := t.Context(), m.path.session.ID
	for _, h := range []*host{m.left, m.right} {
		err := h.module.Pause(ctx, genl.PauseRequest{
			Session: id, ID: m.id, Time: time.Minute, Checkpoint: m.path.guarantee == substream,
		})
		if err != nil {
			return err
		}
	}
	for _, h := range []*host{m.left, m.right} {
		if m.path.guarantee == substream {
			h.awaitAcknowledged(t)
		}
		if err := h.module.Mark(ctx, id, m.id); err != nil {
			return err
		}
	}
	m.awaitAll(t)
	for _, h := range m.old {
		m.before = append(m.before, h.passed(t, m.path.session.ID))
	}
	return nil
}

// awaitAcknowledged waits until all that was sent before the checkpoint is
// acknowledged.
func (h *host) awaitAcknowledged(t *testing.T) {
	t.Helper()
	eventually(t, soon, func() error {
		if r := h.record(t); !r.AckReached {
			return fmt.Errorf("record of %s: %+v, want that all is acknowledged", h.name, r)
		}
		return nil
	})
}

// finish gives up the old path when nothing is on it any more.
func (m *liveChange) finish(t *testing.T) {
	t.Helper()
	if !m.pauses() {
		m.awaitAll(t)
	}
	for i, h := range m.old {
		if !m.pauses() {
			break
		}
		got, bound := h.passed(t, m.path.session.ID).since(m.before[i]), passed{}
		if m.path.guarantee == substream {
			bound = passed{got.packets, got.packets * longestACK}
		}
		if got.packets > bound.packets || got.bytes > bound.bytes {
			t.Errorf("%+v passed %s after its state would have moved, want no data", got, h.name)
		}
	}
	m.end(t)
}

// forgotten waits until hosts that the session has left have forgotten it.
func (m *liveChange) forgotten(t *testing.T, hosts []*host) {
	t.Helper()
	for _, h := range hosts {
		eventually(t, soon, func() error {
			_, err := h.module.Session(t.Context(), m.path.session.ID)
			if errors.Is(err, genl.ErrNotFound) {
				return nil
			}
			return fmt.Errorf("%s still has the session: %v", h.name, err)
		})
	}
}

// end is in the order of which host may still send to which.
func (m *liveChange) end(t *testing.T) {
	t.Helper()
	for _, h := range slices.Concat([]*host{m.right}, m.new, []*host{m.left}, m.old) {
		if err := h.module.EndMigration(t.Context(), m.path.session.ID, m.id, slices.Contains(m.old, h)); err != nil {
			t.Fatalf("end migration on %s: %v", h.name, err)
		}
	}
	m.forgotten(t, m.old)
}

// giveUp goes back to the old path from wherever it is.
func (m *liveChange) giveUp(t *testing.T) {
	t.Helper()
	ctx, id := t.Context(), m.path.session.ID
	for _, h := range []*host{m.left, m.right} {
		if err := h.module.SwitchPath(ctx, id, m.id, genl.PathOld); err != nil {
			t.Errorf("switch %s back: %v", h.name, err)
		}
	}
	for _, h := range slices.Concat([]*host{m.left, m.right}, m.old, m.new) {
		err := h.module.EndMigration(ctx, id, m.id, slices.Contains(m.new, h))
		if err != nil && !slices.Contains(m.new, h) { // which may not have got that far
			t.Errorf("end migration on %s: %v", h.name, err)
		}
	}
	m.forgotten(t, m.new)
}

// passed is what a host has sent, both ways.
type passed struct{ packets, bytes uint64 }

// longestACK is how long a packet without data can be: IPv6, and TCP with all options.
const longestACK = 100

func (p passed) since(before passed) passed {
	return passed{p.packets - before.packets, p.bytes - before.bytes}
}

// passed counts the packets of a session that a host has sent.
func (h *host) passed(t *testing.T, id chain.SessionID) passed {
	t.Helper()
	for _, s := range h.sessions(t) {
		if s.ID == id {
			return passed{s.Left.OutPackets + s.Right.OutPackets, s.Left.OutBytes + s.Right.OutBytes}
		}
	}
	return passed{}
}

// keepTalking asks without an end until it is told to stop.
func keepTalking(t *testing.T, c net.Conn) (stop func()) {
	t.Helper()
	return keepAsking(t, c, 1_000_000, 1)
}

// keepAsking does so with questions of n bytes, one of so many parts of the time. A
// slow kernel gets fewer: it is to have time for agents, too.
func keepAsking(t *testing.T, c net.Conn, n int, parts int64) (stop func()) {
	t.Helper()
	enough := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		for {
			begun := time.Now()
			if err := ask(c, n); err != nil {
				done <- err
				return
			}
			select {
			case <-enough:
				done <- nil
				return
			case <-time.After(time.Duration(parts*slow-1) * time.Since(begun)):
			}
		}
	}()
	stop = sync.OnceFunc(func() {
		close(enough)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop) // if the test fails before it does
	return stop
}

// lost counts the segments that both ends sent again because what was behind them
// had come, but for those of which the receiver said that they were there already
// (D-SACK). What they sent again because they lost patience does not count: in a
// slow guest they do that without any migration.
func (r *rig) lost(t *testing.T) int64 { return lostBy(t, r.client(), r.server()) }

func lostBy(t *testing.T, ends ...*host) int64 {
	t.Helper()
	var n int64
	for _, h := range ends {
		counted, err := h.netstat()
		if err != nil {
			t.Fatal(err)
		}
		n += max(0, counted["TcpExtTCPFastRetrans"]-counted["TcpExtTCPDSACKRecvSegs"])
	}
	return n
}

// lostNone waits until the receivers have said so.
func (r *rig) lostNone(t *testing.T, before int64) { lostNone(t, before, r.hosts) }

// lostNone is that of a rig for hosts from client to server.
func lostNone(t *testing.T, before int64, hosts []*host) {
	t.Helper()
	eventually(t, soon, func() error {
		if n := lostBy(t, hosts[0], hosts[len(hosts)-1]) - before; n > 0 {
			return fmt.Errorf("%d segments were lost, want none; the modules dropped %v, processors' queues %d since the guest began; the ends: %v",
				n, dropped(t, hosts), overrun(t), recovered(t, hosts[0], hosts[len(hosts)-1]))
		}
		return nil
	})
}

// dropped counts the packets of live sessions that the modules have dropped.
func dropped(t *testing.T, hosts []*host) counters {
	t.Helper()
	sum := make(counters)
	for _, h := range hosts {
		for name, n := range h.counters(t) {
			switch name {
			case "hold_full", "bad_packet", "not_writable", "route_gone", "no_memory", "pause_over", "blocked":
				sum[h.name+" "+name] = n
			}
		}
	}
	return sum
}

// recovered is what both ends have counted since they are there that tells a loss from
// other disorder.
func recovered(t *testing.T, ends ...*host) counters {
	t.Helper()
	all := make(counters)
	for _, h := range ends {
		counted, err := h.netstat()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{
			"PAWSEstab", "TCPBacklogDrop", "TCPDSACKIgnoredDubious", "TCPDSACKOfoRecv", "TCPDSACKOfoSent", "TCPDSACKOldSent",
			"TCPDSACKRecv", "TCPDSACKRecvSegs", "TCPFastRetrans", "TCPLossProbes", "TCPLostRetransmit", "TCPOFODrop",
			"TCPOFOQueue", "TCPRcvQDrop", "TCPSACKReorder", "TCPSackRecovery", "TCPTSReorder", "TCPTimeouts", "TCPZeroWindowDrop",
		} {
			if n := counted["TcpExt"+name]; n != 0 {
				all[h.name+" "+name] = uint64(n)
			}
		}
		all[h.name+" InErrs"] = uint64(counted["TcpInErrs"])
	}
	return all
}

// overrun counts the packets for which a processor's queue of what came in had no room,
// of all hosts.
func overrun(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/net/softnet_stat")
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	for line := range strings.Lines(string(text)) {
		dropped, err := strconv.ParseInt(strings.Fields(line)[1], 16, 64)
		if err != nil {
			t.Fatalf("read softnet_stat: %v", err)
		}
		n += dropped
	}
	return n
}
