// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// stableStore holds Raft's term and vote. A node that cannot write them down
// must neither vote nor go on: Raft answers that with a panic, where the
// program is to end and say why.
type stableStore struct {
	raft.StableStore
	dir    string
	failed chan error // has room for the first failure
	runs   atomic.Bool
}

// Set implements [raft.StableStore].
func (s *stableStore) Set(key, value []byte) error { return s.must(s.StableStore.Set(key, value)) }

// SetUint64 implements [raft.StableStore].
func (s *stableStore) SetUint64(key []byte, value uint64) error {
	return s.must(s.StableStore.SetUint64(key, value))
}

// must never returns from a failure once Raft runs: what it does is over.
func (s *stableStore) must(err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("write data directory %s: %w: see that there is room (df %s) and that it can be written to, then start policyd again: "+
		"other nodes go on meanwhile, and it catches up", s.dir, err, s.dir)
	if !s.runs.Load() {
		panic(err) // so does Raft; startRaft gives it back
	}
	select {
	case s.failed <- err:
	default:
	}
	select {}
}

// startRaft starts Raft, which writes its term down at once.
func (n *Node) startRaft(cfg *raft.Config, log raft.LogStore, snaps raft.SnapshotStore) (err error) {
	defer func() {
		if p := recover(); p != nil {
			failure, ok := p.(error)
			if !ok {
				panic(p)
			}
			err = failure
		}
	}()
	if n.raft, err = raft.NewRaft(cfg, n.fsm, log, n.stable, snaps, n.transport); err != nil {
		return n.disk.damaged(fmt.Errorf("start raft: %w", err))
	}
	n.stable.runs.Store(true)
	return nil
}
