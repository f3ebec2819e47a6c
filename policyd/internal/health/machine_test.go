// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// world drives a machine as policyd does: it looks every quarter of a second, and the
// agent reports as often as it is told.
type world struct {
	m     *Machine
	began time.Time
	now   time.Time
	last  State
	log   []string // "12s overloaded"
}

func newWorld() *world {
	began := time.UnixMilli(1_000_000)
	return &world{m: New(began), began: began, now: began}
}

// run goes on for so long with an agent that reports r; nil: it does not report.
func (w *world) run(d time.Duration, r *Report) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(250 * time.Millisecond)
		if r != nil && w.now.Sub(w.began)%ReportEvery == 0 {
			w.m.Report(*r, ReportEvery, w.now)
		}
		if v := w.m.Look(w.now); v.State != w.last {
			w.last = v.State
			w.log = append(w.log, fmt.Sprintf("%v %v", w.now.Sub(w.began), v.State))
			if (v.Why != "") != (v.State > OK) {
				w.log = append(w.log, fmt.Sprintf("because %q", v.Why))
			}
		}
	}
}

var (
	fine = &Report{CPU: 100, Sessions: 10, Max: 1000}
	busy = &Report{CPU: 950, Sessions: 10, Max: 1000, TooBusy: 900}
	poll = &Report{CPU: 1000, NFCPU: 1000, Max: 1000}
	half = &Report{CPU: 800, Sessions: 10, Max: 1000, TooBusy: 900}
	full = &Report{CPU: 100, Sessions: 960, Max: 1000}
	nf   = &Report{CPU: 100, NFCPU: 990, Max: 1000, TooBusy: 900}
	lame = &Report{Impaired: "no module"}
	bad  = &Report{CPU: 100, Max: 1000, Failure: "probe: no answer"}
)

func TestVerdicts(t *testing.T) {
	tests := []struct {
		name string
		play func(w *world)
		want string
	}{
		{"an agent that reports", func(w *world) { w.m.Connected(); w.run(time.Minute, fine) }, "250ms ok"},
		{"an agent of an older release never reports", func(w *world) { w.m.Connected(); w.run(time.Minute, nil) }, "250ms ok"},
		{"nobody ever connects", func(w *world) { w.run(time.Minute, nil) }, "2s silent"},
		{"killed", func(w *world) { w.m.Connected(); w.run(5*time.Second, fine); w.m.Lost(w.now); w.run(time.Minute, nil) },
			"250ms ok, 7s silent"},
		{"started anew", func(w *world) {
			w.m.Connected()
			w.run(5*time.Second, fine)
			w.m.Lost(w.now)
			w.run(1500*time.Millisecond, nil)
			w.m.Connected()
			w.run(time.Minute, fine)
		}, "250ms ok"},
		{"frozen", func(w *world) { w.m.Connected(); w.run(5*time.Second, fine); w.run(time.Minute, nil) }, "250ms ok, 7s silent"},
		{"frozen and thawed", func(w *world) {
			w.m.Connected()
			w.run(5*time.Second, fine)
			w.run(5*time.Second, nil)
			w.run(time.Minute, fine)
		}, "250ms ok, 7s silent, 15.5s ok"},
		{"a probe fails", func(w *world) {
			w.m.Connected()
			w.run(5*time.Second, fine)
			w.run(5*time.Second, bad)
			w.run(time.Minute, fine)
		},
			"250ms ok, 5.5s failed, 15.5s ok"},
		{"no module for a while", func(w *world) {
			w.m.Connected()
			w.run(5*time.Second, fine)
			w.run(5*time.Second, lame)
			w.run(time.Minute, fine)
		},
			"250ms ok, 5.5s impaired, 15.5s ok"},
		{"a burst is no overload", func(w *world) {
			w.m.Connected()
			w.run(5*time.Second, fine)
			w.run(time.Second, busy)
			w.run(time.Minute, fine)
		},
			"250ms ok"},
		{"overloaded", func(w *world) {
			w.m.Connected()
			w.run(5*time.Second, fine)
			w.run(10*time.Second, busy)
			w.run(time.Minute, fine)
		},
			"250ms ok, 7s overloaded, 20.5s ok"},
		{"not much better", func(w *world) { w.m.Connected(); w.run(5*time.Second, busy); w.run(time.Minute, half) },
			"250ms ok, 2s overloaded"},
		{"much to do, and not too much", func(w *world) { w.m.Connected(); w.run(time.Minute, half) }, "250ms ok"},
		{"a full table", func(w *world) { w.m.Connected(); w.run(5*time.Second, full) }, "250ms ok, 2s overloaded"},
		{"an NF that polls", func(w *world) { w.m.Connected(); w.run(5*time.Second, poll) }, "250ms ok"},
		{"a busy NF", func(w *world) { w.m.Connected(); w.run(5*time.Second, nf) }, "250ms ok, 2s overloaded"},
		{"a failure that overload follows", func(w *world) {
			w.m.Connected()
			w.run(5*time.Second, bad)
			w.run(20*time.Second, busy)
			w.run(time.Minute, fine)
		},
			"250ms ok, 500ms failed, 10.5s overloaded, 30.5s ok"},
		{"a failure while it is silent", func(w *world) {
			w.m.Connected()
			w.run(5*time.Second, fine)
			w.run(5*time.Second, nil)
			w.run(5*time.Second, bad)
		}, "250ms ok, 7s silent, 10.5s failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			tt.play(w)
			if got := strings.Join(w.log, ", "); got != tt.want {
				t.Errorf("verdicts %s, want %s", got, tt.want)
			}
		})
	}
}

// What comes and goes again and again is believed ever less.
func TestNothingFlaps(t *testing.T) {
	w := newWorld()
	w.m.Connected()
	for range 60 { // ten minutes
		w.run(4*time.Second, bad)
		w.run(6*time.Second, fine)
	}
	if len(w.log) > 4 {
		t.Errorf("verdicts %v, want few", w.log)
	}
	w.run(70*time.Second, fine)
	if w.last != OK {
		t.Errorf("state %v after a minute without trouble", w.last)
	}
	w.run(3*time.Minute, fine)
	n := len(w.log)
	w.run(5*time.Second, bad)
	w.run(6*time.Second, fine)
	if got := w.log[n:]; len(got) != 2 {
		t.Errorf("verdicts %v, want that old trouble is forgotten", got)
	}
}

// From any fact to its verdict it takes less than what is promised, less half a second
// for the way to the hosts.
func TestVerdictsAreQuick(t *testing.T) {
	for name, r := range map[string]*Report{"probe": bad, "load": busy, "table": full, "silence": nil} {
		for offset := time.Duration(0); offset < time.Second; offset += 250 * time.Millisecond {
			w := newWorld()
			w.m.Connected()
			w.run(10*time.Second+offset, fine)
			began := w.now
			w.run(10*time.Second, r)
			if took := w.m.Verdict().Since.Sub(began); w.last <= OK || took > 2500*time.Millisecond {
				t.Errorf("%s: %v after %v", name, w.last, took)
			}
		}
	}
}

// Steps follow the load, and neither noise nor every change of it.
func TestSteps(t *testing.T) {
	w := newWorld()
	w.m.Connected()
	if got := w.m.Verdict().Step; got != Steps/2 {
		t.Errorf("step %d before any report", got)
	}
	w.run(20*time.Second, &Report{CPU: 500})
	if got := w.m.Verdict().Step; got != 8 {
		t.Errorf("step %d of half a load, want 8", got)
	}
	changes, last := 0, uint32(8)
	for i := range 200 {
		w.run(500*time.Millisecond, &Report{CPU: 480 + 40*uint32(i%2)})
		if s := w.m.Verdict().Step; s != last {
			changes, last = changes+1, s
		}
	}
	if changes > 0 {
		t.Errorf("%d changes by noise", changes)
	}
	began := w.now
	for i := range 40 {
		w.run(500*time.Millisecond, &Report{CPU: 1000 * uint32(i/8%2)})
		if s := w.m.Verdict().Step; s != last {
			changes, last = changes+1, s
		}
	}
	if most := int(w.now.Sub(began)/StepEvery) + 1; changes == 0 || changes > most {
		t.Errorf("%d changes, want some and %d at most", changes, most)
	}
	w.run(20*time.Second, &Report{CPU: 5000}) // whatever an agent says
	if got := w.m.Verdict().Step; got != Steps {
		t.Errorf("step %d of more than all, want %d", got, Steps)
	}
}
