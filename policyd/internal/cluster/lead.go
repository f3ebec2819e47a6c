// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"mbchain/identity"
	"mbchain/policyd/internal/store"
)

// enqueueTimeout bounds how long a command waits for Raft to take it. From
// then on it waits for the disk alone.
const enqueueTimeout = 5 * time.Second

// handOverTimeout is when Raft must have noticed that a leadership which it
// handed over, or lost meanwhile, is over: it gives that two election timeouts.
// It may never notice, and takes nothing when it leads again (hashicorp/raft
// issue 696).
const handOverTimeout = 3 * electionTimeout

// An Office is what goes with the leadership. Its methods are called one after
// the other, by the goroutine of [Node.Run].
type Office interface {
	// Lead begins it, with the state, from then on as new as the log.
	Lead(*store.State)
	// Follow ends it.
	Follow()
}

// Run follows the leadership until ctx ends. An error means that n cannot go
// on.
func (n *Node) Run(ctx context.Context, office Office) error {
	failing := false
	failed := func(err error) {
		if !failing {
			n.logger.Warn("raft leadership not taken up", "error", err)
		}
		failing = true
	}
	follow := func() {
		if n.ready.Swap(0) != 0 {
			n.logger.Warn("raft leadership lost")
			office.Follow()
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-n.stable.failed:
			n.broken = true
			return err
		case o := <-n.leaders:
			n.logger.Info("raft leader changed", "leader", string(o.Data.(raft.LeaderObservation).LeaderID))
			n.tellChange()
		case leads := <-n.raft.LeaderCh():
			// Another may have led since this node last did, also when
			// nobody has told: Raft passes on the newest only.
			follow()
			if !leads {
				continue
			}
			state, term, err := n.takeUp(ctx, failed)
			switch {
			case errors.Is(err, ErrStuck):
				return err
			case errors.Is(err, store.ErrDamaged):
				return n.disk.damaged(err)
			case err != nil: // lost it again: the next turn will do
				failed(err)
			default:
				failing = false
				n.logger.Info("raft leadership taken up",
					"policy_version", state.Policy.Version, "hosts", len(state.Hosts))
				n.ready.Store(term)
				office.Lead(state)
			}
		}
	}
}

// takeUp is lead, again and again while Raft leads and is still writing to a slow
// disk, or busy with its last leadership: no other turn would follow. It tells
// failed of each time in vain.
func (n *Node) takeUp(ctx context.Context, failed func(error)) (*store.State, uint64, error) {
	for began := time.Now(); ; {
		state, term, err := n.lead(ctx)
		busy := errors.Is(err, raft.ErrLeadershipTransferInProgress)
		switch {
		case ctx.Err() != nil, !busy && !errors.Is(err, raft.ErrEnqueueTimeout):
			return state, term, err
		case busy && time.Since(began) >= handOverTimeout:
			return nil, 0, fmt.Errorf("%w: %w", ErrStuck, err)
		}
		failed(err)
		if busy { // says so at once
			select {
			case <-ctx.Done():
			case <-time.After(handOverTimeout / 100):
			}
		}
	}
}

// lead waits until everything that an earlier leader committed is applied,
// and makes the state say what it must. It returns the term that this holds for.
func (n *Node) lead(ctx context.Context) (*store.State, uint64, error) {
	term := n.raft.CurrentTerm()
	if err := n.raft.Barrier(enqueueTimeout).Error(); err != nil {
		return nil, 0, fmt.Errorf("wait for the log: %w", err)
	}
	state, err := n.fsm.State()
	if err != nil {
		return nil, 0, err
	}
	if !state.IsSetUp() {
		r, err := n.apply(ctx, store.Command{SetUp: newSecrets()})
		if err != nil {
			return nil, 0, fmt.Errorf("set up the state: %w", err)
		}
		state = r.State
	}
	if len(state.CA) == 0 {
		if state, err = n.setCA(ctx); err != nil {
			return nil, 0, err
		}
	}
	if state, err = n.settleNodes(ctx, state); err != nil {
		return nil, 0, fmt.Errorf("settle the nodes: %w", err)
	}
	return state, term, nil
}

// settleNodes makes Raft and the state know this node where it is now, and the
// state forget nodes that are no members any more.
func (n *Node) settleNodes(ctx context.Context, state *store.State) (*store.State, error) {
	members, _, err := n.Members()
	if err != nil {
		return nil, err
	}
	apply := func(cmd store.Command) error {
		r, err := n.apply(ctx, cmd)
		if err == nil {
			state = r.State
		}
		return err
	}
	for _, m := range members {
		if here := n.transport.LocalAddr(); m.Name == n.config.ID && n.config.Listen != "" && m.RaftAddress != string(here) {
			if err := n.raft.AddVoter(raft.ServerID(m.Name), here, 0, enqueueTimeout).Error(); err != nil {
				return nil, err
			}
		}
	}
	for _, node := range state.Nodes {
		if !slices.ContainsFunc(members, func(m Member) bool { return m.Name == node.Name }) {
			if err := apply(store.Command{RemoveNode: &store.RemoveNode{Name: node.Name}}); err != nil {
				return nil, err
			}
		}
	}
	here := store.Node{Name: n.config.ID, Address: n.config.Address}
	if known, _ := state.Node(here.Name); here.Address != "" && known != here {
		if err := apply(store.Command{SetNode: &store.SetNode{Node: here}}); err != nil {
			return nil, err
		}
	}
	return state, nil
}

func (n *Node) setCA(ctx context.Context) (*store.State, error) {
	text := n.config.CA
	if text == nil {
		ca, err := identity.NewCA(time.Now())
		if err != nil {
			return nil, err
		}
		if text, err = ca.PEM(); err != nil {
			return nil, err
		}
	}
	r, err := n.apply(ctx, store.Command{SetCA: &store.SetCA{PEM: text}})
	if err != nil {
		return nil, fmt.Errorf("set up the CA: %w", err)
	}
	return r.State, nil
}

// newSecrets draws the seed and the first set-up key of a new cluster.
func newSecrets() *store.SetUp {
	draw := func() []byte {
		b := make([]byte, store.SecretLen)
		rand.Read(b) // never fails
		return b
	}
	return &store.SetUp{Seed: draw(), Keys: []store.SetupKey{{ID: 1, Secret: draw()}}}
}

// Apply proposes cmd and waits until it is committed and applied. The error is
// [ErrNotReady] when nothing happened, [ErrUnknownOutcome] when it may have,
// or what the state machine said when it refused cmd.
//
// Once Raft has taken the command Apply waits for its outcome whatever becomes
// of ctx: an outcome that nobody waited for is one more unknown.
func (n *Node) Apply(ctx context.Context, cmd store.Command) (store.Result, error) {
	if !n.leads() {
		return store.Result{}, ErrNotReady
	}
	return n.apply(ctx, cmd)
}

func (n *Node) apply(ctx context.Context, cmd store.Command) (store.Result, error) {
	if err := ctx.Err(); err != nil {
		return store.Result{}, err
	}
	b, err := store.EncodeCommand(cmd)
	if err != nil {
		return store.Result{}, err
	}
	future := n.raft.Apply(b, enqueueTimeout)
	if err := future.Error(); err != nil {
		return store.Result{}, outcome(err)
	}
	result, ok := future.Response().(store.Result)
	if !ok {
		return store.Result{}, fmt.Errorf("apply command: answer of type %T", future.Response())
	}
	if result.Err != nil {
		return store.Result{}, result.Err
	}
	return result, nil
}

// outcome tells what never reached the log from what may have.
func outcome(err error) error {
	switch {
	case errors.Is(err, raft.ErrNotLeader),
		errors.Is(err, raft.ErrLeadershipTransferInProgress),
		errors.Is(err, raft.ErrEnqueueTimeout):
		return fmt.Errorf("%w: %w", ErrNotReady, err)
	}
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}
