// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"mbchain/chain"
	"mbchain/genl"
)

// request is for session k of a middlebox, which no packet belongs to.
func (r *rig) request(k int) genl.SessionRequest {
	var id chain.SessionID
	binary.BigEndian.PutUint32(id[:], uint32(k+1))
	low, high := uint16(1024+k%60000), uint16(1024+k/60000)
	client, mb, server := r.client(), r.middleboxes()[0], r.server()
	return genl.SessionRequest{
		ID:    id,
		Super: chain.FiveTuple{Source: client.port(low), Destination: server.port(high), Protocol: chain.ProtocolUDP},
		Left:  chain.FiveTuple{Source: client.port(low), Destination: mb.port(high), Protocol: chain.ProtocolUDP},
		Hops:  hops(server),
	}
}

// crowd installs sessions from to to on the middlebox, and leaves them set up.
func (r *rig) crowd(ctx context.Context, module *genl.Client, from, to int) error {
	for k := from; k < to; k++ {
		q := r.request(k)
		if _, err := module.NewSession(ctx, q); err != nil {
			return fmt.Errorf("install session %d: %w", k, err)
		}
		if err := module.FinishSetup(ctx, q.ID, chain.SetupDone, genl.ReasonNone); err != nil {
			return fmt.Errorf("finish session %d: %w", k, err)
		}
	}
	return nil
}

// anotherModule is another connection to a host's module, for who does not wait for others.
func (h *host) anotherModule(t *testing.T) *genl.Client {
	t.Helper()
	module, err := within(h, genl.New)
	if err != nil {
		t.Fatalf("ask %s: %v", h.name, err)
	}
	t.Cleanup(func() { _ = module.Close() })
	return module
}

// While sessions come and go, so many that the tables change their size again
// and again, each dump that says that it is whole has every session that stays,
// once.
func TestDumpsWhileTheTableChangesItsSize(t *testing.T) {
	const stay = 500
	many := int(amount(sampled(2_000, 4_000)))
	r := newRig(t, 1)
	mb := r.middleboxes()[0]
	mb.configure(t, genl.Config{UDPTimeout: time.Hour}) // none goes by itself
	if err := r.crowd(t.Context(), mb.module, 0, stay); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	come, leave := mb.anotherModule(t), mb.anotherModule(t)
	done := make(chan error, 1)
	go func() { done <- comeAndGo(ctx, r, come, leave, stay, many) }()
	whole, broken := 0, 0
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			running = false
		default:
		}
		switch list, err := mb.module.Sessions(t.Context()); {
		case errors.Is(err, genl.ErrInterrupted):
			broken++
		case err != nil:
			t.Fatal(err)
		default:
			whole++
			wholeDump(t, r, list, stay)
		}
	}
	t.Logf("%d dumps, and %d that were interrupted too often", whole, broken)
	awaitSessions(t, stay, mb)
}

// comeAndGo installs sessions and deletes them again, twice: the deletions begin
// when half of the sessions have come.
func comeAndGo(ctx context.Context, r *rig, come, leave *genl.Client, from, n int) error {
	for range 2 {
		if err := r.crowd(ctx, come, from, from+n/2); err != nil {
			return err
		}
		rest := make(chan error, 1)
		go func() { rest <- r.crowd(ctx, come, from+n/2, from+n) }()
		gone := func(from, to int) error {
			for k := from; k < to; k++ {
				if err := leave.DeleteSession(ctx, r.request(k).ID); err != nil {
					return fmt.Errorf("delete session %d: %w", k, err)
				}
			}
			return nil
		}
		if err := errors.Join(gone(from, from+n/2), <-rest, gone(from+n/2, from+n)); err != nil {
			return err
		}
	}
	return nil
}

func wholeDump(t *testing.T, r *rig, list []genl.Session, stay int) {
	t.Helper()
	seen := make(map[chain.SessionID]int)
	for _, s := range list {
		seen[s.ID]++
	}
	again, missing := 0, 0
	for _, n := range seen {
		again += n - 1
	}
	for k := range stay {
		if seen[r.request(k).ID] == 0 {
			missing++
		}
	}
	if again > 0 || missing > 0 {
		t.Errorf("in a dump of %d sessions %d are there again, and %d are missing", len(list), again, missing)
	}
}

// The range of ports moves while clients connect. Each session has its ports
// from one of the ranges, whole, and works.
func TestPortRangeChangedUnderLoad(t *testing.T) {
	const (
		port  = 5001
		width = 100
	)
	r := newRig(t, 1)
	r.load(t, "match(dstport=5001) >> {mb1}\n")
	r.server().echo(t, port)
	ranges := []uint16{2000, 30000, 65535 - width}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, h := range r.hosts {
		module := h.anotherModule(t)
		configure := func(i int) error {
			low := ranges[i%len(ranges)]
			return module.SetConfig(t.Context(), genl.Config{PortMin: low, PortMax: low + width})
		}
		if err := configure(0); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := configure(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	defer wg.Wait()
	defer cancel()
	in := func(n uint16) bool {
		for _, low := range ranges {
			if n >= low && n <= low+width {
				return true
			}
		}
		return false
	}
	for range amount(sampled(40, 100)) {
		c := r.client().connect(t, 0, r.server().port(port))
		talk(t, c, 100)
		for _, tuple := range r.wire(t, superOf(c)) {
			if !in(tuple.Source.Port()) || !in(tuple.Destination.Port()) {
				t.Errorf("subsession %v has a port of no range", tuple)
			}
		}
		reset(t, c)
	}
}

// The module goes with many sessions, some of which wait for agents with packets
// in their hands, while their packets come.
func TestUnloadWithManySessions(t *testing.T) {
	ko := moduleFile(t)
	many := int(amount(sampled(1_000, 8_000)))
	r := newRig(t, 1)
	client, mb, server := r.client(), r.middleboxes()[0], r.server()
	r.load(t, "match(dstport=5001) >> {mb1}\nmatch(proto=udp & dstport=5002) >> {mb1}\n")
	server.echo(t, 5001)
	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 1000)
	if err := r.crowd(t.Context(), mb.module, 0, many); err != nil {
		t.Fatal(err)
	}
	idle, err := within(client, client.module.SubscribeSetup) // somebody undertakes to, and does not
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = idle.Close() }()
	const waiting = 100
	for range waiting {
		u := client.datagrams(t, 0, nil)
		for range 3 {
			if _, err := u.WriteToUDPAddrPort([]byte("patience"), server.port(5002)); err != nil {
				t.Fatal(err)
			}
		}
	}
	awaitSessions(t, waiting+1, client)

	ctx, cancel := context.WithCancel(t.Context())
	flooded := make(chan error, 1)
	go func() { flooded <- r.flood(ctx, many) }()
	remove := exec.Command("rmmod", "mbchain")
	begun := time.Now()
	out, err := remove.CombinedOutput()
	took := time.Since(begun)
	cancel()
	if err := <-flooded; err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Fatalf("unload module: %v: %s", err, out)
	}
	t.Logf("unloaded with %d sessions in %v", many, took.Round(time.Millisecond))
	loadModule(t, ko)
	talk(t, c, 100_000) // a plain connection now
	noComplaints(t)
}

// flood sends packets of a crowd's sessions to the middlebox.
func (r *rig) flood(ctx context.Context, n int) error {
	var packets []packet
	for k := range min(n, 1000) {
		packets = append(packets, datagram{tuple: r.request(k).Left, payload: []byte("more")}.packet())
	}
	for ctx.Err() == nil {
		if err := r.client().send(packets...); err != nil {
			return err
		}
	}
	return nil
}
