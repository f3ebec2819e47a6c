// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"mbchain/policyd/internal/store"
)

// recoverAlone makes this node the only voter of a cluster that goes on from
// what the data directory holds. Entries of the log that may never have been
// committed are taken for committed: nobody is left who knows better.
func (n *Node) recoverAlone(logger hclog.Logger) error {
	if n.disk.empty {
		return fmt.Errorf("recover from data directory %s: it holds no state: give the one of a node that was there (--data)", n.disk.dir)
	}
	if _, err := os.Stat(n.disk.recoveredPath()); err == nil {
		return fmt.Errorf("recover from data directory %s: that was done before: start without --recover; "+
			"if most nodes are lost once more, remove %s first", n.disk.dir, n.disk.recoveredPath())
	}
	cfg := raftConfig(n.config, logger)
	err := raft.RecoverCluster(cfg, store.NewFSM(), n.disk.log, n.disk.log, n.disk.snaps, n.transport, raft.Configuration{
		Servers: []raft.Server{{Suffrage: raft.Voter, ID: cfg.LocalID, Address: n.transport.LocalAddr()}},
	})
	if err != nil {
		return n.disk.damaged(fmt.Errorf("recover: %w", err))
	}
	// From here on a start with --recover would cast out who joined since.
	if err := n.disk.mark(n.disk.recoveredPath()); err != nil {
		return err
	}
	n.logger.Warn("recovered as the only voter: let the other nodes join anew, with empty data directories", "id", n.config.ID)
	return nil
}
