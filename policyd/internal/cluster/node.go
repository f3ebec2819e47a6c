// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"mbchain/policyd/internal/store"
)

const (
	// electionTimeout is short: one voter has nobody to wait for.
	electionTimeout = 200 * time.Millisecond
	// snapshotEntries and trailingEntries bound raft.db: entries hold up to
	// a policy of 4 MiB each, and no other voter needs old ones.
	snapshotEntries = 256
	trailingEntries = 64
)

// Config says which voter a node is and where it keeps its state.
type Config struct {
	ID  string // name of the voter, for the life of the data directory
	Dir string // data directory; made when it is not there
	// Listen is the TCP address for other voters. Empty: no port is opened,
	// which suffices for one voter.
	Listen string
	// Network is how the port is reached; nil: without TLS, which is for tests.
	Network Network
	// CA is that of a new cluster, as identity.ParseCA reads it; nil: it makes one.
	CA     []byte
	Logger *slog.Logger
}

// Node is one Raft voter.
type Node struct {
	id        string
	ca        []byte // for a state without one; nil: it is made
	logger    *slog.Logger
	disk      *disk
	fsm       *store.FSM
	transport raft.Transport
	raft      *raft.Raft
	ready     atomic.Bool // leads, and has seen all that was ever committed
}

// Status is how a node is doing.
type Status struct {
	State        string // "leader", "follower", "candidate" or "shutdown"
	AppliedIndex uint64
}

// Open opens the data directory, or makes one, and starts Raft on it. The
// node must be closed.
func Open(cfg Config) (_ *Node, err error) {
	hlog := raftLogger(cfg.Logger)
	n := &Node{id: cfg.ID, ca: cfg.CA, logger: cfg.Logger, fsm: store.NewFSM()}
	if n.disk, err = openDisk(cfg.Dir, hlog); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if err := n.listen(cfg, hlog); err != nil {
		return nil, err
	}
	if n.disk.empty {
		if err := n.bootstrap(raftConfig(cfg.ID, hlog)); err != nil {
			return nil, err
		}
	}
	if err := n.disk.markBootstrapped(); err != nil {
		return nil, err
	}
	n.raft, err = raft.NewRaft(raftConfig(cfg.ID, hlog), n.fsm, n.disk.log, n.disk.log, n.disk.snaps, n.transport)
	if err != nil {
		return nil, n.disk.damaged(fmt.Errorf("start raft: %w", err))
	}
	if err := n.checkID(); err != nil {
		return nil, err
	}
	return n, nil
}

func raftConfig(id string, logger hclog.Logger) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(id)
	c.Logger = logger
	c.HeartbeatTimeout = electionTimeout
	c.ElectionTimeout = electionTimeout
	c.LeaderLeaseTimeout = electionTimeout
	c.SnapshotThreshold = snapshotEntries
	c.TrailingLogs = trailingEntries
	return c
}

// bootstrap makes n the only voter of a new cluster.
func (n *Node) bootstrap(cfg *raft.Config) error {
	// A start cut short may have left a term and nothing else, which Raft
	// would take for a state.
	if err := n.disk.log.SetUint64(currentTerm, 0); err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	voters := raft.Configuration{Servers: []raft.Server{
		{Suffrage: raft.Voter, ID: cfg.LocalID, Address: n.transport.LocalAddr()},
	}}
	err := raft.BootstrapCluster(cfg, n.disk.log, n.disk.log, n.disk.snaps, n.transport, voters)
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	return nil
}

// checkID refuses a directory of another voter: Raft would wait for it for ever.
func (n *Node) checkID() error {
	future := n.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return fmt.Errorf("read voters: %w", err)
	}
	var voters []string
	for _, s := range future.Configuration().Servers {
		if string(s.ID) == n.id {
			return nil
		}
		voters = append(voters, string(s.ID))
	}
	return fmt.Errorf("data directory %s belongs to policyd %q: start it with that --id, not with %q",
		n.disk.dir, strings.Join(voters, ", "), n.id)
}

// State returns the state that all commands acknowledged so far led to, or
// [ErrNotReady].
func (n *Node) State() (*store.State, error) {
	if !n.ready.Load() {
		return nil, ErrNotReady
	}
	return n.fsm.State()
}

// Status returns how n is doing.
func (n *Node) Status() Status {
	s := Status{
		State:        strings.ToLower(n.raft.State().String()),
		AppliedIndex: n.raft.AppliedIndex(),
	}
	// Raft notes the index a moment after it has answered.
	if state, err := n.fsm.State(); err == nil {
		s.AppliedIndex = max(s.AppliedIndex, state.Index)
	}
	return s
}

// Close stops Raft and gives the data directory back.
func (n *Node) Close() error {
	n.ready.Store(false)
	var err error
	if n.raft != nil {
		err = n.raft.Shutdown().Error()
	}
	if t, ok := n.transport.(raft.WithClose); ok {
		err = errors.Join(err, t.Close())
	}
	return errors.Join(err, n.disk.close())
}
