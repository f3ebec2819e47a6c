// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"mbchain/chain"
	"mbchain/genl"

	"golang.org/x/sys/unix"
)

// record returns what a host knows of the only migration that it takes part in.
func (h *host) record(t *testing.T) genl.MigrationRecord {
	t.Helper()
	records, err := h.module.Migrations(t.Context())
	if err != nil {
		t.Fatalf("ask %s: %v", h.name, err)
	}
	if len(records) != 1 {
		t.Fatalf("%s has the records %+v, want one", h.name, records)
	}
	return records[0]
}

// liveSession is a session through the first middlebox of a rig of its own.
func liveSession(t *testing.T, middleboxes int) (*livePath, net.Conn) {
	t.Helper()
	r := newRig(t, middleboxes)
	r.load(t, "match(dstport=5001) >> {mb1}\n")
	client, server := r.client(), r.server()
	server.echo(t, 5001)
	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 10_000)
	return &livePath{
		rig: r, session: client.session(t, superOf(c)),
		hosts: []*host{client, r.middleboxes()[0], server},
	}, c
}

// The hosts right of the left anchor learn by a packet that it has switched, not
// sooner, and their records say the same.
func TestNewPathUsed(t *testing.T) {
	p, c := liveSession(t, 2)
	mb := p.middleboxes()
	m := p.prepare(0, 2, mb[1])
	if err := m.steps(t, allSteps-1); err != nil {
		t.Fatal(err)
	}
	talk(t, c, 10_000) // to the left by the new path
	for _, h := range []*host{mb[1], p.server()} {
		if h.record(t).NewPathUsed {
			t.Errorf("%s says that the new path is used", h.name)
		}
	}
	if err := m.take(t, m.left); err != nil {
		t.Fatal(err)
	}
	talk(t, c, 10_000)
	for _, h := range []*host{mb[1], p.server()} {
		if got := h.record(t); !got.NewPathUsed || got.ID != m.id || string(got.Plan) != string(m.plan()) {
			t.Errorf("%s says %+v, want that the new path is used", h.name, got)
		}
	}
	if p.client().record(t).NewPathUsed {
		t.Error("the left anchor says that the new path is used")
	}
	before := mb[0].counters(t)
	m.finish(t)
	if got := mb[0].counters(t).since(before); got["end_moved"] != 1 {
		t.Errorf("counters of the old host rose by %v, want end_moved once", got)
	}
	noComplaints(t)
}

// What waits too long, or is too much, goes on by the old path, or is dropped if
// the agent wants that.
func TestPauseBounds(t *testing.T) {
	p, c := liveSession(t, 1)
	talk(t, c, 1_000_000) // TCP's window is open, and sends several packets at once
	client := p.client()
	tests := []struct {
		name  string
		pause genl.PauseRequest
	}{
		{"packets", genl.PauseRequest{Time: time.Minute, Packets: 1}},
		{"bytes", genl.PauseRequest{Time: time.Minute, Bytes: 2000}},
		{"dropped", genl.PauseRequest{Time: time.Minute, Packets: 1, Drop: true}},
		// Not over before there is something that waits, and so long that TCP gives up
		// its window: there would not be so many packets for the others after it.
		{"time", genl.PauseRequest{Time: time.Second}},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, id := t.Context(), uint64(i+1)
			lock := genl.LockRequest{Session: p.session.ID, ID: id, Role: genl.LeftAnchor, Plan: []byte{1}}
			if err := client.module.LockSession(ctx, lock); err != nil {
				t.Fatal(err)
			}
			before := client.counters(t)
			tt.pause.Session, tt.pause.ID = p.session.ID, id
			if err := client.module.Pause(ctx, tt.pause); err != nil {
				t.Fatal(err)
			}
			answered := make(chan error, 1)
			go func() { answered <- ask(c, 300_000) }()
			if tt.pause.Drop {
				client.awaitCounter(t, before, genl.ReasonHoldFull, 1)
				if got := client.record(t); !got.Paused || got.Overflow {
					t.Errorf("record %+v, want one that waits yet", got)
				}
				if err := client.module.SwitchPath(ctx, p.session.ID, id, genl.PathOld); err != nil {
					t.Fatal(err)
				}
			}
			if err := <-answered; err != nil {
				t.Fatal(err)
			}
			risen := client.counters(t).since(before)
			if over := risen["pause_over"] == 1; over == tt.pause.Drop || risen["paused"] == 0 {
				t.Errorf("counters rose by %v", risen)
			}
			if got := client.record(t); got.Paused || got.Overflow == tt.pause.Drop {
				t.Errorf("record %+v", got)
			}
			if err := client.module.EndMigration(ctx, p.session.ID, id, false); err != nil {
				t.Fatal(err)
			}
		})
	}
	noComplaints(t)
}

// A marker does not wait for ever for what will never come: the NF has dropped it.
// The host behind does not wait for it at all, for it is told what has left the NF.
func TestMarkerOfWhatIsDropped(t *testing.T) {
	p, c := liveSession(t, 1)
	client, mb, server := p.client(), p.middleboxes()[0], p.server()
	m := p.prepare(0, 2)
	if err := m.steps(t, 1); err != nil {
		t.Fatal(err)
	}
	talk(t, c, 10_000) // so that each host has seen some of it since the lock
	t.Run("dropped", func(t *testing.T) {
		mb.nft(t, "fw", "chain forward {\ntype filter hook forward priority 0;\ntcp dport 5001 meta length > 500 drop;\n}")
		atMB, atServer := mb.counters(t), server.counters(t)
		if _, err := c.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		mb.awaitCounter(t, atMB, genl.ReasonRewrittenIn, 1)
		if err := client.module.Mark(t.Context(), p.session.ID, m.id); err != nil {
			t.Fatal(err)
		}
		m.awaitMarkers(t, mb, genl.Rightward)
		m.awaitMarkers(t, server, genl.Rightward)
		for _, tt := range []struct {
			h    *host
			rose counters
			late uint64
		}{{mb, mb.counters(t).since(atMB), 1}, {server, server.counters(t).since(atServer), 0}} {
			if tt.rose["marker"] != 1 || tt.rose["marker_late"] != tt.late {
				t.Errorf("counters of %s rose by %v, want a marker, %d of them late", tt.h.name, tt.rose, tt.late)
			}
		}
	})
	t.Run("dropped with the marker", func(t *testing.T) {
		mb.nft(t, "fw", "chain forward {\ntype filter hook forward priority 0;\ntcp sport 5001 drop;\n}")
		atMB := mb.counters(t)
		if err := server.module.Mark(t.Context(), p.session.ID, m.id); err != nil {
			t.Fatal(err)
		}
		mb.awaitCounter(t, atMB, genl.ReasonMarkerLate, 1)
	})
	eventually(t, soon, func() error {
		for h, want := range map[*host]genl.Ways{client: genl.Leftward, mb: genl.Rightward | genl.Leftward, server: genl.Rightward} {
			if got := h.record(t).Passed; got != want {
				return fmt.Errorf("record of %s: markers passed %b, want %b", h.name, got, want)
			}
		}
		return nil
	})
	m.giveUp(t)
	noComplaints(t)
}

// An old host that has left knows a marker that comes again no more, and its kernel answers
// it by a RST with the right number. Where the other marker was lost that reset the session.
func TestMarkerForAHostThatHasLeft(t *testing.T) {
	p, c := liveSession(t, 2)
	ctx, client, server, old, next := t.Context(), p.client(), p.server(), p.middleboxes()[0], p.middleboxes()[1]
	m := p.prepare(0, 2, next)
	if err := m.steps(t, 4); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*host{server, client} {
		if err := h.module.SwitchPath(ctx, p.session.ID, m.id, genl.PathNew); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.module.EndMigration(ctx, p.session.ID, m.id, true); err != nil {
		t.Fatal(err)
	}
	m.forgotten(t, m.old)
	m.old = nil
	atClient, atServer := client.counters(t), server.counters(t)
	for _, h := range []*host{client, server} {
		if err := h.module.Mark(ctx, p.session.ID, m.id); err != nil {
			t.Fatal(err)
		}
	}
	client.awaitCounter(t, atClient, genl.ReasonLateRST, 1)
	server.awaitCounter(t, atServer, genl.ReasonLateRST, 1)
	talk(t, c, 10_000)
	m.end(t)
	noComplaints(t)
}

// An anchor's agent orders the marker again until it hears that it came. Where nothing has
// passed since the lock the second one, too, waits for nothing, and is not late.
func TestMarkerThatComesAgain(t *testing.T) {
	p, _ := liveSession(t, 1)
	client, mb, server := p.client(), p.middleboxes()[0], p.server()
	m := p.prepare(0, 2)
	if err := m.steps(t, 1); err != nil {
		t.Fatal(err)
	}
	atMB, atServer := mb.counters(t), server.counters(t)
	for i := range uint64(2) {
		if err := client.module.Mark(t.Context(), p.session.ID, m.id); err != nil {
			t.Fatal(err)
		}
		server.awaitCounter(t, atServer, genl.ReasonMarker, i+1) // so the middlebox is done with it
		if i == 0 {
			m.awaitMarkers(t, mb, genl.Rightward)
		}
	}
	if rose := mb.counters(t).since(atMB); rose["marker"] != 2 || rose["marker_late"] != 0 {
		t.Errorf("counters of the middlebox rose by %v, want two markers, none of them late", rose)
	}
	m.giveUp(t)
	noComplaints(t)
}

// What was sent before a checkpoint and has to be sent again goes on; what is new
// waits.
func TestCheckpoint(t *testing.T) { eachFamily(t, testCheckpoint) }

func testCheckpoint(t *testing.T, f family) {
	p := lockedStream(t, f)
	const n = 100
	const tooOld = "TcpExtPAWSEstab"
	before := p.server.netstatOf(t, tooOld)
	t.Run("the first one is lost", func(t *testing.T) {
		p.lose(t, n)
		p.pause(t)
		if p.client.record(t).AckReached {
			t.Error("all is acknowledged, although it is lost")
		}
		p.write(t, make([]byte, n))
		p.client.awaitCounter(t, p.before, genl.ReasonPaused, 1)
	})
	p.client.awaitAcknowledged(t)
	p.resume(t)
	p.read(t, make([]byte, 2*n))
	if got := p.server.netstatOf(t, tooOld) - before; got != 0 {
		t.Errorf("the server dropped %d packets, for they were sent before what overtook them, want none", got)
	}
	talk(t, p.c, 10_000)
	noComplaints(t)
}

// What waits goes on with a timestamp no older than of what went ahead, wherever its
// option stands and whoever is to finish the checksum.
func TestCheckpointRenewsTimestamps(t *testing.T) { eachFamily(t, testCheckpointRenewsTimestamps) }

func testCheckpointRenewsTimestamps(t *testing.T, f family) {
	p := lockedStream(t, f)
	seq, ack := sequences(t, p.c)
	p.pause(t)
	p.client.awaitAcknowledged(t)
	stamped := func(seq, stamp uint32, before int) packet {
		options := slices.Repeat([]byte{1}, 12)
		options[before], options[before+1] = 8, 10
		binary.BigEndian.PutUint32(options[before+2:], stamp)
		made := segment{
			tuple: p.super, flags: flagPSH | flagACK, seq: seq, doff: 8, payload: append(options, 'x'),
		}.packet()
		made.acknowledge(ack)
		return made
	}
	const first, newest = 1 << 20, 1<<20 + 1000
	waiting := []packet{stamped(seq, first, 0), stamped(seq+1, first+1, 1), stamped(seq+2, newest+1, 2)}
	tap := p.client.capture(t)
	if err := p.client.send(append(waiting, stamped(seq-1, newest, 2))...); err != nil {
		t.Fatal(err)
	}
	p.client.awaitCounter(t, p.before, genl.ReasonPaused, uint64(len(waiting)))
	p.resume(t)
	var got []uint32
	for _, sent := range tap.packets(t) {
		if !sent.out || sent.seq()-seq >= uint32(len(waiting)) || len(sent.payload()) == 0 {
			continue
		}
		at := 2 + sent.seq() - seq
		got = append(got, binary.BigEndian.Uint32(sent.options()[at:]))
		if !sent.intact() {
			t.Errorf("its checksum is wrong: % x", sent.packet)
		}
	}
	if want := []uint32{newest, newest, newest + 1}; !slices.Equal(got, want) {
		t.Errorf("timestamps of what waited: %d, want %d", got, want)
	}
	if err := errors.Join(p.c.SetLinger(0), p.c.Close()); err != nil { // it never said any of this
		t.Fatal(err)
	}
	noComplaints(t)
}

// What was sent before the lock counts as well: the client's socket knows of it, though
// the module has seen no packet since.
func TestCheckpointOfWhatWasSentBeforeTheLock(t *testing.T) {
	eachFamily(t, testCheckpointOfWhatWasSentBeforeTheLock)
}

func testCheckpointOfWhatWasSentBeforeTheLock(t *testing.T, f family) {
	p := openStream(t, f)
	const n = 100
	t.Run("it is lost", func(t *testing.T) {
		p.lose(t, n)
		p.lock(t)
		p.pause(t)
		if p.client.record(t).AckReached {
			t.Error("all is acknowledged, although it is lost")
		}
	})
	p.client.awaitAcknowledged(t)
	p.resume(t)
	p.read(t, make([]byte, n))
	talk(t, p.c, 10_000)
	noComplaints(t)
}

// A packet that has something of both is cut, and acknowledges ahead what it does.
func TestCheckpointInAPacket(t *testing.T) { eachFamily(t, testCheckpointInAPacket) }

func testCheckpointInAPacket(t *testing.T, f family) {
	p := lockedStream(t, f)
	const n = 100
	seq, ack := sequences(t, p.c)
	p.pause(t)
	p.client.awaitAcknowledged(t) // nothing was on its way
	fresh := make([]byte, n)
	for i := range fresh {
		fresh[i] = byte(i)
	}
	both := segment{
		tuple: p.super, flags: flagPSH | flagACK, seq: seq - n,
		payload: append(make([]byte, n), fresh...),
	}.packet()
	both.acknowledge(ack)
	atMB, tap := p.mb.counters(t), p.client.capture(t)
	if err := p.client.send(both); err != nil {
		t.Fatal(err)
	}
	p.client.awaitCounter(t, p.before, genl.ReasonPauseSplit, 1)
	p.mb.awaitCounter(t, atMB, genl.ReasonRewrittenIn, 1)
	for _, sent := range tap.packets(t) {
		if sent.out && sent.tuple() == p.super {
			t.Errorf("what goes ahead goes to the server, and not to the next host: %v", sent.tuple())
		}
	}
	p.write(t, fresh) // so that the client has sent what the server gets
	p.client.awaitCounter(t, p.before, genl.ReasonPaused, 2)
	p.resume(t)
	got := make([]byte, n)
	p.read(t, got)
	if !bytes.Equal(got, fresh) {
		t.Errorf("the server got % x, want % x", got, fresh)
	}
	talk(t, p.c, 10_000)
	noComplaints(t)
}

// acknowledge sets the acknowledgement number, and the checksum right.
func (p packet) acknowledge(ack uint32) {
	th := p.tcp()
	binary.BigEndian.PutUint32(th[8:], ack)
	binary.BigEndian.PutUint16(th[16:], 0)
	binary.BigEndian.PutUint16(th[16:], checksum(th, p.pseudoSum()))
}

// stream is a session that is to be locked at its client.
type stream struct {
	client, mb, server *host

	c      *net.TCPConn
	super  chain.FiveTuple
	id     chain.SessionID
	before counters
}

// lockedStream is one that is locked.
func lockedStream(t *testing.T, f family) *stream {
	t.Helper()
	p := openStream(t, f)
	p.lock(t)
	talk(t, p.c, 10_000)
	p.before = p.client.counters(t)
	return p
}

func openStream(t *testing.T, f family) *stream {
	t.Helper()
	r := newRigOf(t, f, 1)
	r.load(t, "match(dstport=5001) >> {mb1}\n")
	r.server().echo(t, 5001)
	p := &stream{client: r.client(), mb: r.middleboxes()[0], server: r.server()}
	p.c = p.client.connect(t, 0, r.server().port(5001))
	talk(t, p.c, 10_000)
	p.super = superOf(p.c)
	p.id = p.client.session(t, p.super).ID
	return p
}

func (p *stream) lock(t *testing.T) {
	t.Helper()
	lock := genl.LockRequest{Session: p.id, ID: 1, Role: genl.LeftAnchor, Plan: []byte{1}}
	if err := p.client.module.LockSession(t.Context(), lock); err != nil {
		t.Fatal(err)
	}
}

func (p *stream) pause(t *testing.T) {
	t.Helper()
	pause := genl.PauseRequest{Session: p.id, ID: 1, Time: time.Minute, Checkpoint: true}
	if err := p.client.module.Pause(t.Context(), pause); err != nil {
		t.Fatal(err)
	}
}

func (p *stream) resume(t *testing.T) {
	t.Helper()
	if err := p.client.module.SwitchPath(t.Context(), p.id, 1, genl.PathOld); err != nil {
		t.Fatal(err)
	}
}

// lose writes n bytes that come as far as the NF, which lets nothing pass until the test
// ends.
func (p *stream) lose(t *testing.T, n int) {
	t.Helper()
	p.mb.nft(t, "fw", "chain forward {\ntype filter hook forward priority 0;\ntcp dport 5001 drop;\n}")
	before := p.mb.counters(t)
	p.write(t, make([]byte, n))
	p.mb.awaitCounter(t, before, genl.ReasonRewrittenIn, 1)
}

func (p *stream) write(t *testing.T, b []byte) {
	t.Helper()
	if _, err := p.c.Write(b); err != nil {
		t.Fatal(err)
	}
}

func (p *stream) read(t *testing.T, b []byte) {
	t.Helper()
	if err := p.c.SetReadDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(p.c, b); err != nil {
		t.Fatal(err)
	}
}

// sequences returns the numbers of what a connection sends next, and gets next.
func sequences(t *testing.T, c *net.TCPConn) (seq, ack uint32) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	const on, offQuietly, receiveQueue, sendQueue = 1, -1, 1, 2
	var failed error
	err = raw.Control(func(fd uintptr) {
		set := func(option, value int) {
			failed = errors.Join(failed, unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, option, value))
		}
		get := func(queue int) uint32 {
			set(unix.TCP_REPAIR_QUEUE, queue)
			n, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUEUE_SEQ)
			failed = errors.Join(failed, err)
			return uint32(n)
		}
		set(unix.TCP_REPAIR, on)
		seq, ack = get(sendQueue), get(receiveQueue)
		set(unix.TCP_REPAIR, offQuietly)
	})
	if err = errors.Join(err, failed); err != nil {
		t.Fatalf("ask for sequence numbers: %v", err)
	}
	return seq, ack
}

// A host is asked for a lock of a session that it does not have, or which another
// migration has.
func TestLockRefused(t *testing.T) {
	p, _ := liveSession(t, 1)
	for _, h := range p.hosts {
		lock := genl.LockRequest{Session: chain.SessionID{1}, ID: 1, Role: genl.LeftAnchor, Plan: []byte{1}}
		if h == p.server() {
			lock.Role = genl.RightAnchor
		}
		wantLock := func(want error) {
			t.Helper()
			if err := h.module.LockSession(t.Context(), lock); !errors.Is(err, want) {
				t.Errorf("lock on %s: %v, want %v", h.name, err, want)
			}
		}
		wantLock(genl.ErrNotFound)
		lock.Session = p.session.ID
		wantLock(nil)
		wantLock(nil)
		lock.ID++
		wantLock(genl.ErrBusy)
	}
}
