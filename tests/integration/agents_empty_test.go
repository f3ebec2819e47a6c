// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mbchain/proto"
)

// One command takes all live sessions off a middlebox. It says how far it is, none of
// them breaks, and none is left there.
func TestOneCommandEmptiesAMiddlebox(t *testing.T) {
	const port, dialers = 5001, 8
	n := int(sampled(60, 10_000))
	allowFiles(t, uint64(4*n+1000)) // the server copies through pipes
	l := useLab(t)
	l.apply(t, fmt.Sprintf("match(dstport=%d) >> {mb1}\n", port))
	client, server, mb := l.client(), l.server(), l.middleboxes()
	server.echo(t, port)

	began := time.Now()
	conns := make(chan net.Conn, n)
	errs := make(chan error, dialers)
	for i := range dialers {
		go func() {
			for k := i; k < n; k += dialers {
				c, err := client.dial(t.Context(), client.port(0), server.port(port))
				if err != nil {
					errs <- err
					return
				}
				conns <- c
			}
			errs <- nil
		}()
	}
	for range dialers {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	awaitSessions(t, uint32(n), client, mb[0], server)
	before := l.lost(t)
	t.Logf("%d sessions set up in %v", n, time.Since(began).Round(time.Millisecond))

	policyd := l.migrations()
	begun, err := policyd.Start(t.Context(), &proto.StartMigrationsRequest{
		Match: fmt.Sprintf("dstport=%d", port), PatienceMs: patientMs, Guarantee: proto.Guarantee_GUARANTEE_LOSS_FREE,
		Change: &proto.StartMigrationsRequest_Replace{Replace: &proto.ReplaceHosts{
			From: []string{mb[0].name}, To: []string{mb[2].name},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if begun.Begun != uint32(n) || len(begun.Skipped)+len(begun.Missing) > 0 {
		t.Fatalf("%d of %d begun, skipped %v, missing %v", begun.Begun, n, begun.Skipped, begun.Missing)
	}
	var counts *proto.MigrationCounts
	told := time.Now()
	// Each look has all agents count what they have led.
	looks := time.NewTicker(time.Duration(n) * 200 * time.Microsecond)
	defer looks.Stop()
	eventually(t, late+time.Duration(n)*500*time.Millisecond, func() error {
		<-looks.C
		list, err := policyd.List(t.Context(), &proto.ListMigrationsRequest{Job: begun.Job, Limit: 1})
		if err != nil {
			return err
		}
		counts = list.Counts
		if counts.Queued+counts.Running > 0 {
			if time.Since(told) > time.Minute { // it takes long where processors are emulated
				told = time.Now()
				t.Logf("so far: %v", counts)
			}
			return fmt.Errorf("not all are over: %v", counts)
		}
		return nil
	})
	span := time.Duration(counts.SpanUs) * time.Microsecond
	t.Logf("%d moved in %v, %.0f a second; one takes %d us in the median, %d us in 99 of 100",
		counts.Done, span.Round(time.Millisecond), float64(counts.Done)/span.Seconds(), counts.MedianUs, counts.P99Us)
	if counts.Done != uint32(n) {
		t.Errorf("counts are %v, want %d done", counts, n)
	}
	awaitSessions(t, uint32(n), client, mb[2], server)
	awaitSessions(t, 0, mb[0], mb[1])
	for range n {
		c := <-conns
		if err := ask(c, 100); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	l.lostNone(t, before, proto.Guarantee_GUARANTEE_LOSS_FREE)
	awaitSessions(t, 0, l.all()...)
}

// allowFiles lets this program have so many files open, until the test ends.
func allowFiles(t *testing.T, n uint64) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if old.Cur >= n {
		return
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: max(n, old.Max)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &old) })
}
