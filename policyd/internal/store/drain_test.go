// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func drain(host, nfType string) Command {
	return Command{SetDrain: &SetDrain{Drain: Drain{Host: host, Type: nfType, By: "operator anna", SinceUnixMS: 1000}}}
}

func undrain(host, nfType string) Command {
	return Command{SetDrain: &SetDrain{Drain: Drain{Host: host, Type: nfType}, End: true}}
}

// drains lists a state's drains as "mb1", "mb1/fw".
func drains(s *State) string {
	var list []string
	for _, d := range s.Drains {
		name := d.Host
		if d.Type != "" {
			name += "/" + d.Type
		}
		list = append(list, name)
	}
	return strings.Join(list, " ")
}

func TestDrains(t *testing.T) {
	tests := []struct {
		name    string
		cmds    []Command
		want    string
		same    bool // the last command changes nothing
		wantErr error
	}{
		{name: "a host", cmds: []Command{drain("mb1", "")}, want: "mb1"},
		{name: "sorted", cmds: []Command{drain("mb2", ""), drain("mb1", "ids"), drain("mb1", "fw")}, want: "mb1/fw mb1/ids mb2"},
		{name: "again", cmds: []Command{drain("mb1", ""), drain("mb1", "")}, want: "mb1", same: true},
		{name: "a type of a drained host", cmds: []Command{drain("mb1", ""), drain("mb1", "fw")}, want: "mb1", same: true},
		{name: "a host of a drained type", cmds: []Command{drain("mb1", "fw"), drain("mb1", "")}, want: "mb1 mb1/fw"},
		{name: "ended", cmds: []Command{drain("mb1", "fw"), drain("mb2", ""), undrain("mb1", "fw")}, want: "mb2"},
		{name: "ended with its types", cmds: []Command{drain("mb1", "fw"), drain("mb1", ""), undrain("mb1", "")}},
		{name: "ended twice", cmds: []Command{undrain("mb1", "")}, same: true},
		{name: "a type ended twice", cmds: []Command{drain("mb1", "fw"), undrain("mb1", "ids")}, want: "mb1/fw", same: true},
		{name: "a type of a drained host ended", cmds: []Command{drain("mb1", ""), undrain("mb1", "fw")}, want: "mb1", same: true, wantErr: ErrDrainedWhole},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := &State{}
			if n := len(tt.cmds) - 1; n > 0 {
				var err error
				if before, err = play(t, tt.cmds[:n]...); err != nil {
					t.Fatal(err)
				}
			}
			last := drains(before)
			got, err := before.Apply(10, tt.cmds[len(tt.cmds)-1])
			if !errors.Is(err, tt.wantErr) || drains(got) != tt.want || (got == before) != tt.same {
				t.Errorf("drains %q, error %v, unchanged %t; want %q, %v, %t", drains(got), err, got == before, tt.want, tt.wantErr, tt.same)
			}
			if drains(before) != last {
				t.Errorf("the state before has become %q", drains(before))
			}
		})
	}
}

func TestDrained(t *testing.T) {
	s, err := play(t, drain("mb1", "fw"), drain("mb2", ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		host, nfType string
		want         bool
	}{{"mb1", "fw", true}, {"mb1", "ids", false}, {"mb1", "", false}, {"mb2", "fw", true}, {"mb2", "", true}, {"mb3", "fw", false}} {
		if _, got := s.Drained(tt.host, tt.nfType); got != tt.want {
			t.Errorf("%s of %s drained: %t, want %t", tt.nfType, tt.host, got, tt.want)
		}
	}
}

func TestDrainsAreBounded(t *testing.T) {
	s := &State{}
	var err error
	for i := range MaxDrains {
		if s, err = s.Apply(uint64(i+1), drain(fmt.Sprintf("h%d", i), "")); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Apply(MaxDrains+1, drain("one-more", "")); !errors.Is(err, ErrFull) || got != s {
		t.Errorf("error %v, want %v", err, ErrFull)
	}
}

// A voter of the release before reads everything but drains: versions rise only for
// what needs them.
func TestVersionsOfDrains(t *testing.T) {
	for _, tt := range []struct {
		name string
		cmd  Command
		want string
	}{
		{"policy", setPolicy("match(any) >> {}"), `{"version":2,`},
		{"drain", drain("mb1", "fw"), `{"version":3,`},
	} {
		b, err := EncodeCommand(tt.cmd)
		if err != nil || !strings.HasPrefix(string(b), tt.want) {
			t.Errorf("%s: %s, error %v, want %s", tt.name, b, err, tt.want)
		}
		back, err := DecodeCommand(b)
		if diff := cmp.Diff(tt.cmd, back, stateOptions); diff != "" || err != nil {
			t.Errorf("%s decoded: error %v (-want +got):\n%s", tt.name, err, diff)
		}
	}
	for _, tt := range []struct {
		name string
		s    *State
		want string
	}{
		{"none", &State{Index: 1}, `{"version":2,`},
		{"one", &State{Index: 1, Drains: []Drain{{Host: "mb1", SinceUnixMS: 5}}}, `{"version":3,`},
	} {
		var b bytes.Buffer
		if err := WriteSnapshot(&b, tt.s); err != nil || !strings.HasPrefix(b.String(), tt.want) {
			t.Errorf("%s: %s, error %v, want %s", tt.name, b.String(), err, tt.want)
		}
		back, err := ReadSnapshot(&b)
		if diff := cmp.Diff(tt.s, back, stateOptions); diff != "" || err != nil {
			t.Errorf("%s read: error %v (-want +got):\n%s", tt.name, err, diff)
		}
	}
	if _, err := ReadSnapshot(strings.NewReader(`{"version":3,"state":{"index":1,"policy":{"version":0},"drains":[{"host":"b","since_unix_ms":1},{"host":"a","since_unix_ms":1}]}}`)); err == nil {
		t.Error("drains out of order were read")
	}
}
