// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"mbchain/policyd/internal/store"
)

// slowLog is a log in memory that takes nothing before it is let go.
type slowLog struct {
	*raft.InmemStore
	held chan struct{}
}

func (l *slowLog) StoreLogs(logs []*raft.Log) error {
	<-l.held
	return l.InmemStore.StoreLogs(logs)
}

// A disk that took longer than enqueueTimeout to write Raft's first entry left
// a policyd that led and answered "not ready" for ever.
func TestNodeLeadsWithASlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &Node{config: Config{ID: "p1"}, logger: testLogger(t), fsm: store.NewFSM(), changed: make(chan struct{}), stable: new(stableStore)}
		_, n.transport = raft.NewInmemTransport("")
		log := &slowLog{InmemStore: raft.NewInmemStore(), held: make(chan struct{})}
		cfg, snaps := raftConfig(n.config, raftLogger(n.logger)), raft.NewInmemSnapshotStore()
		voters := raft.Configuration{Servers: []raft.Server{
			{Suffrage: raft.Voter, ID: cfg.LocalID, Address: n.transport.LocalAddr()},
		}}
		if err := raft.BootstrapCluster(cfg, log, log, snaps, n.transport, voters); err != nil {
			t.Fatal(err)
		}
		var err error
		if n.raft, err = raft.NewRaft(cfg, n.fsm, log, log, snaps, n.transport); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		leads, done := make(chan *store.State, 1), make(chan error, 1)
		go func() { done <- n.Run(ctx, office(leads)) }()

		time.Sleep(3 * enqueueTimeout)
		if n.leads() {
			t.Error("ready before the log took anything")
		}
		close(log.held)
		time.Sleep(time.Second)
		select {
		case <-leads:
		default:
			t.Error("not ready though the log takes everything")
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := n.raft.Shutdown().Error(); err != nil {
			t.Errorf("shut down: %v", err)
		}
	})
}
