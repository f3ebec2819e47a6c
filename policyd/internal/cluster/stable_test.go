// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"

	"mbchain/policyd/internal/store"
)

// fullStore has room for so many writes.
type fullStore struct {
	raft.StableStore
	room int
}

func (s *fullStore) SetUint64(key []byte, value uint64) error {
	if s.room--; s.room < 0 {
		return syscall.ENOSPC
	}
	return s.StableStore.SetUint64(key, value)
}

// Raft ended the program with a panic and 40 lines of goroutines.
func TestNodeSaysThatItsDiskIsFull(t *testing.T) {
	n := &Node{config: Config{ID: "p1"}, logger: testLogger(t), fsm: store.NewFSM(), changed: make(chan struct{})}
	_, n.transport = raft.NewInmemTransport("")
	log := raft.NewInmemStore()
	cfg, snaps := raftConfig(n.config, raftLogger(n.logger)), raft.NewInmemSnapshotStore()
	voters := raft.Configuration{Servers: []raft.Server{{Suffrage: raft.Voter, ID: cfg.LocalID, Address: n.transport.LocalAddr()}}}
	if err := raft.BootstrapCluster(cfg, log, log, snaps, n.transport, voters); err != nil {
		t.Fatal(err)
	}
	full := &fullStore{StableStore: log}
	n.stable = &stableStore{StableStore: full, dir: "/data", failed: make(chan error, 1)}
	wantFull := func(err error) {
		t.Helper()
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "df /data") {
			t.Errorf("error %v", err)
		}
	}
	wantFull(n.startRaft(cfg, log, snaps))
	full.room = 1 // for the start, and not for an election
	if err := n.startRaft(cfg, log, snaps); err != nil {
		t.Fatal(err)
	}
	wantFull(n.Run(t.Context(), office(nil)))
	if !n.broken {
		t.Error("who closes the node would wait for Raft for ever")
	}
}
