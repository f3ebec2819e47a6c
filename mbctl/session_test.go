// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"strings"
	"testing"

	"mbchain/proto"
)

// The widest addresses, ports, counters and names there can be.
func TestDrawingFits100Columns(t *testing.T) {
	f := lab()
	parts := webSession(0x3f)
	long := strings.Repeat("middlebox.", 6) + "x"
	for _, p := range parts {
		p.AgeMs, p.IdleMs = math.MaxUint64, math.MaxUint64
		for _, s := range []*proto.Side{p.Left, p.Right} {
			if s != nil {
				s.Tuple = tuple("255.255.255.255", 65535, "254.254.254.254", 65534)
				s.InPackets, s.InBytes, s.OutPackets, s.OutBytes = 9_999_999_999, 1<<60, 9_999_999_999, 1<<60
			}
		}
	}
	parts[0].Left.Tuple.SourcePort--
	f.sessions.Sessions = parts[:3] // mb2 is missing
	f.sessions.Missing = []*proto.Missing{{Host: "mb2", Error: strings.Repeat("deadline exceeded ", 10)}}
	parts[0].Host, parts[1].Host = long, long+"1"
	w := newTestWorld(t, f)
	if code := w.run(t.Context(), []string{"session", "show", "3fac"}); code != exitHosts {
		t.Fatalf("exit %d, want %d: %s", code, exitHosts, w.err.String())
	}
	drawing, _, _ := strings.Cut(w.out.String(), "\nnotes\n")
	for line := range strings.Lines(drawing) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestListShowsAsManyDigitsAsTellSessionsApart(t *testing.T) {
	f := lab()
	a, b := endedSession(1)[0], endedSession(1)[0]
	b.Id[5] = 0x50
	f.sessions.Sessions = []*proto.Session{a, b}
	w := newTestWorld(t, f)
	w.run(t.Context(), []string{"session", "list"})
	for _, id := range []string{"01ac0d515150 ", "01ac0d515151 "} {
		if !strings.Contains(w.out.String(), id) {
			t.Errorf("no %q in\n%s", id, w.out.String())
		}
	}
}

func TestListAsksForNoMoreThanNeeded(t *testing.T) {
	f := lab()
	w := newTestWorld(t, f)
	w.run(t.Context(), []string{"session", "list", "--host", "mb1", "--limit", "5"})
	if f.listed.Host != "mb1" || f.listed.Limit != 5 || len(f.listed.Id) != 0 {
		t.Errorf("asked for %v, want host mb1, limit 5", f.listed)
	}
	w.run(t.Context(), []string{"session", "show", "3fa"})
	if len(f.listed.Id) != 1 || f.listed.Id[0] != 0x3f {
		t.Errorf("asked for id %x, want 3f", f.listed.Id)
	}
}

func TestTerminalCutsTheLastColumn(t *testing.T) {
	w := newTestWorld(t, lab())
	w.width = 95
	w.run(t.Context(), []string{"session", "list"})
	lines := strings.Split(w.out.String(), "\n")
	if got, want := lines[2], "client m~"; !strings.HasSuffix(got, want) || len(got) != 95 {
		t.Errorf("line of %d columns %q, want 95 that end in %q", len(got), got, want)
	}
}
