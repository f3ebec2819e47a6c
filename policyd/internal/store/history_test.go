// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func versions(s *State) []uint64 {
	var list []uint64
	for _, p := range s.History {
		list = append(list, p.Version)
	}
	return list
}

func mustApply(t *testing.T, s *State, index uint64, cmd Command) *State {
	t.Helper()
	next, err := s.Apply(index, cmd)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestHistoryKeepsWhatRan(t *testing.T) {
	s := &State{}
	s = mustApply(t, s, 1, Command{SetPolicy: &SetPolicy{Source: "a", AppliedUnixMS: 1, By: "10.0.0.7"}})
	s = mustApply(t, s, 2, Command{SetPolicy: &SetPolicy{Source: "b", AppliedUnixMS: 2}})
	s = mustApply(t, s, 3, Command{SetPolicy: &SetPolicy{Source: "b", AppliedUnixMS: 3}}) // runs already
	s = mustApply(t, s, 4, Command{SetPolicy: &SetPolicy{Source: "a", AppliedUnixMS: 4, RollbackOf: 1}})
	want := []Policy{{Version: 2, Source: "b", AppliedUnixMS: 2}, {Version: 1, Source: "a", AppliedUnixMS: 1, By: "10.0.0.7"}}
	if diff := cmp.Diff(want, s.History); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	for version, want := range map[uint64]string{1: "a", 2: "b", 3: "a"} {
		if p, ok := s.At(version); !ok || p.Source != want {
			t.Errorf("version %d is %+v, %t, want %q", version, p, ok, want)
		}
	}
	for _, version := range []uint64{0, 4} {
		if p, ok := s.At(version); ok {
			t.Errorf("version %d is %+v", version, p)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Run("number", func(t *testing.T) {
		s := &State{}
		for i := range uint64(MaxHistory + 5) {
			s = mustApply(t, s, i+1, setPolicy(fmt.Sprint(i)))
		}
		if n := len(s.History); n != MaxHistory || s.History[0].Version != s.Policy.Version-1 {
			t.Errorf("%d old policies: %v", n, versions(s))
		}
	})
	t.Run("bytes", func(t *testing.T) {
		s, long := &State{}, strings.Repeat("x", MaxHistoryBytes/4)
		for i := range uint64(7) {
			s = mustApply(t, s, i+1, setPolicy(long[:len(long)-1]+fmt.Sprint(i)))
		}
		if diff := cmp.Diff([]uint64{6, 5, 4, 3}, versions(s)); diff != "" {
			t.Errorf("versions (-want +got):\n%s", diff)
		}
		var b bytes.Buffer
		if err := WriteSnapshot(&b, s); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSnapshot(&b); err != nil {
			t.Errorf("its snapshot: %v", err)
		}
	})
}

func TestHistoryOutOfOrderIsRefused(t *testing.T) {
	for _, history := range []string{
		`{"version":3}`, `{"version":2},{"version":2}`, `{"version":1},{"version":2}`, `{"version":0}`,
		strings.TrimSuffix(strings.Repeat(`{"version":1},`, MaxHistory+1), ","),
	} {
		text := `{"version":2,"state":{"index":1,"policy":{"version":3},"history":[` + history + `]}}`
		if s, err := ReadSnapshot(strings.NewReader(text)); err == nil {
			t.Errorf("%s is read as %+v", history, s.History)
		}
	}
}
