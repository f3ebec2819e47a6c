// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"mbchain/policyd/internal/store"
)

const (
	// aloneTimeout is short: one voter has nobody to wait for.
	aloneTimeout = 200 * time.Millisecond
	// electionTimeout is how long a leader may be silent before the others
	// elect another; a busy machine or a full link takes some of it.
	electionTimeout = time.Second
	// snapshotEntries and trailingEntries bound raft.db: entries hold up to
	// a policy of 4 MiB each. A voter that was away for longer gets a snapshot.
	snapshotEntries = 256
	trailingEntries = 64
)

// Config says which node this is and where it keeps its state.
type Config struct {
	ID  string // name of the node, for the life of the data directory
	Dir string // data directory; made when it is not there
	// Listen is the TCP address for the Raft of other nodes. Empty: no port is
	// opened, which suffices for one node.
	Listen string
	// Address is where agents, mbctl and other nodes reach this one; the state
	// holds it. Empty: other nodes cannot pass anything on to it.
	Address string
	// Network is what Listen is on.
	Network Network
	// Enter, if it is set, asks a cluster to take this node in. It is called
	// when the data directory is empty, before the node's Raft can be reached,
	// and returns once the cluster expects a node that knows nothing. If it
	// is nil, an empty directory becomes that of a new cluster.
	Enter func(context.Context) error
	// Recover makes this node the only voter, whoever voted before.
	Recover bool
	// CA is that of a new cluster, as identity.ParseCA reads it; nil: it makes one.
	CA     []byte
	Logger *slog.Logger
}

// Node is one Raft voter, or about to become one.
type Node struct {
	config    Config
	logger    *slog.Logger
	disk      *disk
	fsm       *store.FSM
	transport raft.Transport
	raft      *raft.Raft
	stable    *stableStore
	leaders   chan raft.Observation
	ready     atomic.Uint64 // term in which it leads and has seen all that was ever committed; 0: none

	broken bool // Raft has stopped in the middle, and waits for ever; set by Run

	mu      sync.Mutex
	changed chan struct{} // closed when another leads
}

// Open opens the data directory, or makes one, and starts Raft on it. The
// node must be closed. ctx bounds Config.Enter.
func Open(ctx context.Context, cfg Config) (_ *Node, err error) {
	hlog := raftLogger(cfg.Logger)
	n := &Node{
		config: cfg, logger: cfg.Logger, fsm: store.NewFSM(),
		leaders: make(chan raft.Observation, 1), changed: make(chan struct{}),
	}
	if n.disk, err = openDisk(cfg.Dir, hlog); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	joins := n.disk.empty && cfg.Enter != nil && !cfg.Recover
	if joins {
		if err := cfg.Enter(ctx); err != nil {
			return nil, err
		}
	}
	if err := n.listen(hlog); err != nil {
		return nil, err
	}
	switch {
	case cfg.Recover:
		err = n.recoverAlone(hlog)
	case n.disk.empty && !joins:
		err = n.bootstrap(hlog)
	}
	if err == nil && !joins {
		err = n.disk.markBootstrapped()
	}
	if err != nil {
		return nil, err
	}
	n.stable = &stableStore{StableStore: n.disk.log, dir: cfg.Dir, failed: make(chan error, 1)}
	if err := n.startRaft(raftConfig(cfg, hlog), n.disk.log, n.disk.snaps); err != nil {
		return nil, err
	}
	n.raft.RegisterObserver(raft.NewObserver(n.leaders, false, func(o *raft.Observation) bool {
		_, leader := o.Data.(raft.LeaderObservation)
		return leader
	}))
	if err := n.checkID(); err != nil {
		return nil, err
	}
	return n, nil
}

func raftConfig(cfg Config, logger hclog.Logger) *raft.Config {
	timeout := electionTimeout
	if cfg.Listen == "" {
		timeout = aloneTimeout
	}
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(cfg.ID)
	c.Logger = logger
	c.HeartbeatTimeout = timeout
	c.ElectionTimeout = timeout
	c.LeaderLeaseTimeout = timeout
	c.SnapshotThreshold = snapshotEntries
	c.TrailingLogs = trailingEntries
	c.ShutdownOnRemove = false // it goes on saying that it is no member
	return c
}

// bootstrap makes n the only voter of a new cluster.
func (n *Node) bootstrap(logger hclog.Logger) error {
	// A start cut short may have left a term and nothing else, which Raft
	// would take for a state.
	if err := n.disk.log.SetUint64(currentTerm, 0); err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	cfg := raftConfig(n.config, logger)
	voters := raft.Configuration{Servers: []raft.Server{
		{Suffrage: raft.Voter, ID: cfg.LocalID, Address: n.transport.LocalAddr()},
	}}
	err := raft.BootstrapCluster(cfg, n.disk.log, n.disk.log, n.disk.snaps, n.transport, voters)
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	return nil
}

// checkID refuses a directory of another node: Raft would wait for it for ever.
func (n *Node) checkID() error {
	members, _, err := n.Members()
	if err != nil || len(members) == 0 || n.config.Enter != nil {
		return err
	}
	var names []string
	for _, m := range members {
		if m.Name == n.config.ID {
			return nil
		}
		names = append(names, m.Name)
	}
	return fmt.Errorf("data directory %s belongs to policyd %q: start it with that --id, not with %q; "+
		"if this node was removed from the cluster, move the directory away and let it join anew",
		n.disk.dir, strings.Join(names, ", "), n.config.ID)
}

// Joined makes a log that vanishes later a sign of damage, once the cluster
// counts on this node.
func (n *Node) Joined() error { return n.disk.markBootstrapped() }

// leads reports whether n leads and has seen all that was ever committed.
func (n *Node) leads() bool {
	term := n.ready.Load()
	return term != 0 && n.raft.State() == raft.Leader && n.raft.CurrentTerm() == term
}

// State returns the state that all commands acknowledged so far led to, or
// [ErrNotReady] when this node does not lead.
func (n *Node) State() (*store.State, error) {
	if !n.leads() {
		return nil, ErrNotReady
	}
	return n.fsm.State()
}

// Copy returns this node's own copy of the state, which may be old.
func (n *Node) Copy() (*store.State, error) { return n.fsm.State() }

// Confirm returns the state after every command that was acknowledged before
// Confirm was called, by whichever node: it asks the others whether another one
// leads by now.
func (n *Node) Confirm() (*store.State, error) {
	if !n.leads() {
		return nil, ErrNotReady
	}
	if err := n.raft.VerifyLeader().Error(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotReady, err)
	}
	return n.State()
}

// Close stops Raft and gives the data directory back. It comes after
// [Node.Run].
func (n *Node) Close() error {
	n.ready.Store(0)
	var err error
	if n.raft != nil && !n.broken {
		err = n.raft.Shutdown().Error()
	}
	if t, ok := n.transport.(raft.WithClose); ok {
		err = errors.Join(err, t.Close())
	}
	return errors.Join(err, n.disk.close())
}
