// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"slices"
	"testing"
)

func TestStatsOfOneNode(t *testing.T) {
	r := start(t, t.TempDir())
	state, err := r.State()
	if err != nil {
		t.Fatal(err)
	}
	s := r.Stats()
	if s.State != "leader" || !s.Leader || s.Term == 0 || s.LastContact != 0 || s.Peers != 0 {
		t.Errorf("stats %+v", s)
	}
	if s.CommitIndex < state.Index {
		t.Errorf("commit index %d, the state is of entry %d", s.CommitIndex, state.Index)
	}
	if applied, err := r.Copy(); err != nil || applied.Index != state.Index {
		t.Errorf("applied %d, error %v, want entry %d", applied.Index, err, state.Index)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if s := r.Stats(); s.State != "shutdown" || s.Leader || !slices.Contains(States(), s.State) {
		t.Errorf("after the end: %+v", s)
	}
}
