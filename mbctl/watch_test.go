// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	"mbchain/mbctl/internal/chainview"
)

// endAfter makes watch end after n views.
func (tw *testWorld) endAfter(n int, each func(view int)) {
	shown := 0
	tw.sleep = func(context.Context, time.Duration) error {
		if shown++; shown == n {
			return context.Canceled
		}
		each(shown)
		return nil
	}
}

func TestGoldenWatch(t *testing.T) {
	crowd := func(f *fake, _ *testWorld) {
		for id := byte(0x60); id < 0x70; id++ {
			f.sessions.Sessions = append(f.sessions.Sessions, webSession(id)...)
		}
		f.sessions.Truncated = true
	}
	testGolden(t, movedLab, []goldenTest{
		{name: "help_watch", line: "watch  --help"},
		{name: "watch", line: "watch  --once"},
		{name: "watch_json", line: "watch  --once  --json"},
		{name: "watch_crowd", line: "watch  --once", set: crowd},
		{name: "watch_nothing", line: "watch  --once", set: func(f *fake, _ *testWorld) {
			f.sessions.Sessions, f.moves.list, f.hosts.Hosts, f.policies[0].Hosts = nil, nil, nil, nil
		}},
		{name: "watch_away", line: "watch  --once", set: failing(connect.CodeUnavailable, "no leader")},
		{name: "watch_every_wrong", line: "watch  --every  1ms"},
		// A view that fails is no end, and the next one is whole again.
		{name: "watch_piped", line: "watch  --json", set: func(f *fake, w *testWorld) {
			f.sessions.Sessions, f.moves.list = nil, nil
			w.endAfter(3, func(view int) {
				f.err = nil
				if view == 1 {
					f.err = connect.NewError(connect.CodeInternal, errors.New("no leader"))
				}
			})
		}},
		{name: "watch_fails_at_once", line: "watch", set: func(f *fake, _ *testWorld) {
			f.err = connect.NewError(connect.CodeInternal, errors.New("no leader"))
		}},
	}, func(*testWorld) {})
}

// On a terminal each view is written over the one before, within its lines, until q is
// typed; then all is put back.
func TestWatchOnATerminal(t *testing.T) {
	w := newTestWorld(t, movedLab())
	var press func(byte)
	taken, restored := 0, 0
	w.terminal = func(pressed func(byte)) (func(), error) {
		press = pressed
		taken++
		return func() { restored++ }, nil
	}
	w.size = func() (int, int) { return 40, 7 }
	views := 0
	w.sleep = func(ctx context.Context, _ time.Duration) error {
		if views++; views == 3 {
			press('q')
		} else {
			press('x')
		}
		return ctx.Err()
	}
	if code := w.run(t.Context(), []string{"watch"}); code != exitOK {
		t.Fatalf("exit %d: %s", code, &w.err)
	}
	if taken != 1 || restored != 1 {
		t.Errorf("taken %d times and put back %d times, want once each", taken, restored)
	}
	all := strings.Split(w.out.String(), "\x1b[H")
	if len(all) != 4 || views != 3 {
		t.Fatalf("%d views and %d pauses, want 3 of each", len(all)-1, views)
	}
	for _, view := range all[1:] {
		lines := strings.Split(strings.TrimSuffix(view, "\x1b[J"), "\r\n")
		if len(lines) != 7 {
			t.Errorf("%d lines of 7:\n%s", len(lines), view)
		}
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	w := newTestWorld(t, movedLab())
	ctx, cancel := context.WithCancel(t.Context())
	w.sleep = func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }
	if code := w.run(ctx, []string{"watch"}); code != exitOK || w.err.Len() > 0 {
		t.Errorf("exit %d: %s", code, &w.err)
	}
}

func TestWatchStopsWhenNobodyReads(t *testing.T) {
	w := newTestWorld(t, movedLab())
	w.stdout = fullDisk{}
	w.sleep = func(context.Context, time.Duration) error { t.Error("it goes on"); return context.Canceled }
	if code := w.run(t.Context(), []string{"watch", "--json"}); code != exitFailure {
		t.Errorf("exit %d, want %d", code, exitFailure)
	}
}

func TestRate(t *testing.T) {
	f := func(id string, packets, bytes uint64) flow {
		return flow{Chain: chainview.Chain{ID: id}, packets: packets, bytes: bytes}
	}
	before := &frame{at: now, chains: []flow{f("a", 10, 1000), f("b", 10, 1000), f("c", 10, 1000)}}
	after := &frame{at: now.Add(2 * time.Second), chains: []flow{
		f("a", 10, 1000), f("b", 20, 5000), f("c", 9, 900), // of another host
		f("d", 1, 70), // new
	}}
	after.rate(before)
	var got []string
	for _, s := range after.chains {
		got = append(got, s.ID)
	}
	if diff := cmp.Diff([]string{"b", "a", "c", "d"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if b := after.chains[0]; b.packetsPerSecond != 5 || b.bytesPer != 2000 {
		t.Errorf("b carries %v packets and %v bytes a second, want 5 and 2000", b.packetsPerSecond, b.bytesPer)
	}
	for _, s := range after.chains[1:] {
		if s.bytesPer != 0 || s.packetsPerSecond != 0 {
			t.Errorf("%s carries %v bytes a second, want 0", s.ID, s.bytesPer)
		}
	}
	same := &frame{at: now, chains: []flow{f("a", 20, 2000)}}
	same.rate(before) // the clock stood still
	if s := same.chains[0]; s.bytesPer != 0 {
		t.Errorf("%v bytes a second in no time", s.bytesPer)
	}
}
