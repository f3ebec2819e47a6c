// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"
)

// Result is what [FSM.Apply] returns, as an any.
type Result struct {
	State   *State // after the command
	Changed bool
	// PolicyVersion is the one after the command; if it was applied before,
	// the one that it led to then.
	PolicyVersion uint64
	Err           error // why the command was refused
}

// FSM is the state machine that Raft drives.
type FSM struct {
	mu     sync.Mutex
	state  *State // replaced, never modified
	damage error  // first entry that could not be read
}

var _ raft.FSM = (*FSM)(nil)

// NewFSM returns a state machine with an empty state.
func NewFSM() *FSM { return &FSM{state: &State{}} }

// State returns the state after the last command applied. It returns
// [ErrDamaged], with the cause, once a command could not be read.
func (f *FSM) State() (*State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state, f.damage
}

// Apply implements [raft.FSM]; it returns a [Result]. After an entry that
// cannot be read nothing is applied any more: what the entries after it would
// do to the state without it is not what they did to that of other voters.
func (f *FSM) Apply(entry *raft.Log) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.damage != nil {
		return Result{State: f.state, Err: f.damage}
	}
	cmd, err := DecodeCommand(entry.Data)
	if err != nil {
		f.damage = fmt.Errorf("%w: log entry %d: %w", ErrDamaged, entry.Index, err)
		return Result{State: f.state, Err: f.damage}
	}
	if before, again := f.state.done(cmd.Request); again {
		return Result{State: f.state, Changed: true, PolicyVersion: before.PolicyVersion}
	}
	next, err := f.state.Apply(entry.Index, cmd)
	changed := next != f.state
	f.state = next
	return Result{State: next, Changed: changed, PolicyVersion: next.Policy.Version, Err: err}
}

// Snapshot implements [raft.FSM]. It costs nothing: the state is read-only.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.damage != nil {
		return nil, f.damage
	}
	return snapshot{f.state}, nil
}

// Restore implements [raft.FSM]. The state is replaced whole or not at all.
func (f *FSM) Restore(r io.ReadCloser) error {
	defer r.Close()
	state, err := ReadSnapshot(r)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state, f.damage = state, nil
	return nil
}

type snapshot struct{ state *State }

// Persist implements [raft.FSMSnapshot].
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if err := WriteSnapshot(sink, s.state); err != nil {
		_ = sink.Cancel() // the first error is the one that says why
		return err
	}
	return sink.Close()
}

// Release implements [raft.FSMSnapshot].
func (s snapshot) Release() {}
