// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"strings"
	"testing"

	pb "google.golang.org/protobuf/proto"

	"mbchain/proto"
)

// The widest addresses, ports, counters and names there can be.
func TestDrawingFits100Columns(t *testing.T) {
	long := strings.Repeat("middlebox.", 6) + "x"
	const (
		wide6  = "2001:db8:1111:2222:3333:4444:5555:6666"
		other6 = "fdfe:dcba:9876:5432:1fed:cba9:8765:4321"
	)
	tests := []struct {
		name   string
		tuple  *proto.Tuple
		hops   []string
		change func([]*proto.Session) []*proto.Session
		code   exitCode
	}{
		{"IPv4, one missing", tuple("255.255.255.255", 65535, "254.254.254.254", 65534), nil,
			func(parts []*proto.Session) []*proto.Session { return parts[:3] }, exitHosts},
		{"IPv4, translated", tuple("255.255.255.255", 65535, "254.254.254.254", 65534), nil,
			func(parts []*proto.Session) []*proto.Session { return parts }, exitOK},
		{"IPv6, one missing", tuple(wide6, 65535, other6, 65534), []string{wide6, other6, "fd00::4"},
			func(parts []*proto.Session) []*proto.Session { return parts[:3] }, exitHosts},
		{"IPv6, translated", tuple(wide6, 65535, other6, 65534), []string{wide6, other6, "fd00::4"},
			func(parts []*proto.Session) []*proto.Session { return parts }, exitOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := lab()
			parts := webSession(0x3f)
			for _, p := range parts {
				p.AgeMs, p.IdleMs, p.Super = math.MaxUint64, math.MaxUint64, pb.CloneOf(tt.tuple)
				if tt.hops != nil {
					p.Hops = tt.hops[3-len(p.Hops):]
				}
				for _, s := range []*proto.Side{p.Left, p.Right} {
					if s != nil {
						s.Tuple = pb.CloneOf(tt.tuple)
						s.InPackets, s.InBytes, s.OutPackets, s.OutBytes = 9_999_999_999, 1<<60, 9_999_999_999, 1<<60
					}
				}
			}
			parts[0].Left.Tuple.SourcePort--
			parts[0].Host, parts[1].Host = long, long+"1"
			f.sessions.Sessions = tt.change(parts) // mb2 is the last
			f.sessions.Missing = []*proto.Missing{{Host: "mb2", Error: strings.Repeat("deadline exceeded ", 10)}}
			w := newTestWorld(t, f)
			if code := w.run(t.Context(), []string{"session", "show", "3fac"}); code != tt.code {
				t.Fatalf("exit %d, want %d: %s", code, tt.code, w.err.String())
			}
			drawing, _, _ := strings.Cut(w.out.String(), "\nnotes\n")
			for line := range strings.Lines(drawing) {
				if n := len([]rune(strings.TrimRight(line, "\n"))); n > 100 {
					t.Errorf("%d columns: %s", n, line)
				}
			}
		})
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
	w.width = 111
	w.run(t.Context(), []string{"session", "list"})
	lines := strings.Split(w.out.String(), "\n")
	if got, want := lines[2], "client m~"; !strings.HasSuffix(got, want) || len(got) != 111 {
		t.Errorf("line of %d columns %q, want 111 that end in %q", len(got), got, want)
	}
}
