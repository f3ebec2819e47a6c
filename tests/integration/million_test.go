// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"mbchain/chain"
	"mbchain/genl"
)

const (
	million    = 1_000_000
	fewer      = 20_000 // in a run that is no soak
	stallLimit = 50 * time.Millisecond
	quietTime  = 2 * time.Second
	aSample    = 100 // sessions of a crowd whose server answers
)

// A million sessions come to one middlebox by their SYNs, as fast as these can be
// sent. Meanwhile the tables double again and again; a session that stands is
// held up by no more than stallLimit, and a transfer goes on. Then they are all
// listed, and deleted, and the memory is back.
//
// What is timed is worth something in a guest that counts instructions only
// (tests/vm/run --icount): there is one processor, for the SYNs and for the probe,
// and what the probe waits for is what the kernel would not leave off.
func TestMillionSessions(t *testing.T) {
	n := fewer
	if os.Getenv("MBCHAIN_SOAK") == "1" {
		n = million
	}
	if text := os.Getenv("MBCHAIN_SESSIONS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("read MBCHAIN_SESSIONS: %v", err)
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))  // threads that sleep in the kernel keep theirs for a while
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // see comeFirst

	r := newRig(t, 1)
	client, mb, server := r.client(), r.middleboxes()[0], r.server()
	r.load(t, "match(dstport=5001) >> {mb1}\nmatch(dstport=5002) >> {mb1}\n")
	for _, h := range r.hosts {
		h.configure(t, genl.Config{MaxSessions: 2 * million, SYNTimeout: 10 * time.Minute, PortMin: crowdLast + 1})
	}
	p := newProbe(t, r, 5001)
	server.echo(t, 5002)
	transfer := client.connect(t, 0, server.port(5002))
	talk(t, transfer, 100_000)
	const own = 2 // sessions of the probe and the transfer
	awaitSessions(t, own, mb)

	// Neither the crowd's server nor its client is there: the one says nothing,
	// the other hears nothing.
	server.nft(t, "netdev crowd", "chain c { type filter hook ingress device left priority 0; tcp flags & (syn | ack) == syn counter drop; }")
	client.nft(t, "netdev crowd", fmt.Sprintf(
		"chain c { type filter hook ingress device right priority 0; tcp sport <= %d drop; }", crowdLast))
	c := newCrowd(t, r)
	c.flood(t, 1000, false) // caches of the kernel's fill
	before, memory := mb.counters(t), measureMemory(t)

	measure := func(what string, during func()) latencies {
		moved := keepMoving(transfer)
		p.start()
		begun := time.Now()
		during()
		took := time.Since(begun)
		got := p.stop(t)
		bytes, err := moved()
		if err != nil {
			t.Errorf("transfer while %s: %v", what, err)
		}
		if bytes == 0 {
			t.Errorf("transfer while %s: nothing moved", what)
		}
		for _, stall := range p.stalls {
			t.Logf("%s: a stall of %s", what, stall)
		}
		p.stalls = nil
		t.Logf("%s: %v for %v; the transfer moved %d kB", what, got, took.Round(time.Millisecond), bytes/1000)
		return got
	}
	measure("nothing else happens", func() { time.Sleep(quietTime) })
	measure("SYNs pass that set nothing up", func() {
		c.flood(t, fewer, false)
		t.Logf("%v", c.sent)
	})
	growing := measure("sessions come", func() {
		c.flood(t, n, true)
		t.Logf("%v", c.sent)
	})
	if os.Getenv("MBCHAIN_ICOUNT") == "1" && growing.max() > stallLimit {
		t.Errorf("the longest stall was %v, want %v at most", growing.max(), stallLimit)
	}

	if got := mb.info(t).Sessions; got != uint32(n+own) {
		t.Errorf("%d sessions, want %d", got, n+own)
	}
	risen := mb.counters(t).since(before)
	if risen["setup_accepted"] != uint64(n) {
		t.Errorf("setup_accepted rose by %d, want %d; all that rose: %v", risen["setup_accepted"], n, risen)
	}
	for _, reason := range []genl.Reason{genl.ReasonTableFull, genl.ReasonSeenFull, genl.ReasonNoMemory, genl.ReasonNoPort,
		genl.ReasonTupleTaken, genl.ReasonHdrReplay, genl.ReasonHdrStale, genl.ReasonSetupRepeated} {
		if risen[reason.String()] != 0 {
			t.Errorf("%v rose by %d, want 0", reason, risen[reason.String()])
		}
	}
	grown := measureMemory(t).minus(memory)
	t.Logf("a session takes %d bytes, says the module; the kernel's memory: %v", mb.info(t).SessionBytes, grown.each(n))

	measure("they are listed", func() { c.listed(t, n, own) })
	crowdAnswered(t, r, c, n)
	measure("they are deleted", func() { c.remove(t, n) })
	awaitSessions(t, own, mb)
	talk(t, transfer, 100_000)
	if err := p.once(); err != nil {
		t.Errorf("probe after all: %v", err)
	}
	// Ids of sessions are remembered for a minute more.
	eventually(t, late, func() error {
		left := measureMemory(t).minus(memory)
		if kept := left.available; kept > grown.available/10+8*mib {
			return fmt.Errorf("of %d MB that the sessions took %d MB are still taken: %v", grown.available/1e6, kept/1e6, left)
		}
		return nil
	})
}

// crowdAnswered lets the server answer the SYNs of some sessions, which must be
// established then.
func crowdAnswered(t *testing.T, r *rig, c *crowd, n int) {
	t.Helper()
	mb := r.middleboxes()[0]
	var ids []chain.SessionID
	for i := range min(n, aSample) {
		id := c.id(i * n / aSample)
		s, err := mb.module.Session(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		answer := segment{tuple: s.Right.Tuple.Reverse(), flags: flagSYN | flagACK, seq: 1, ack: crowdISN + 1}
		if err := r.server().send(answer.packet()); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	eventually(t, soon, func() error {
		for _, id := range ids {
			s, err := mb.module.Session(t.Context(), id)
			if err != nil {
				return err
			}
			if s.State != chain.StateEstablished {
				return fmt.Errorf("session %v is %v, want it established", id, s.State)
			}
		}
		return nil
	})
}
