// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"

	"golang.org/x/sync/errgroup"

	"mbchain/agentd/internal/agent"
	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/metrics"
	"mbchain/agentd/internal/migrate"
	"mbchain/agentd/internal/mover"
	"mbchain/agentd/internal/nfstate"
	"mbchain/agentd/internal/peer"
	"mbchain/agentd/internal/session"
	"mbchain/agentd/internal/setup"
	"mbchain/agentd/internal/state"
	"mbchain/identity/keep"
)

// peers is the agent among those of other hosts.
type peers struct {
	module  module
	metrics *metrics.Metrics
	log     *slog.Logger
	node    *peer.Node // nil: this host has not joined
	service *setup.Service
	mover   *mover.Mover // nil: this host has not joined
}

// newPeers opens the socket for other agents, if this host has a certificate or
// means to have one.
func newPeers(cfg *config, m module, disk *state.Store, k *keep.Keeper, counted *metrics.Metrics, log *slog.Logger) (*peers, error) {
	p := &peers{module: m, metrics: counted, log: log}
	if !canJoin(cfg, k) {
		log.Warn("this host has not joined the domain: it gets no policy, and no session is set up out-of-band", "error", errNoToken)
		return p, nil
	}
	key, err := disk.ResetKey()
	if err != nil {
		return nil, err
	}
	p.node, err = peer.Listen(peer.Config{
		Listen: cfg.peers, Identity: k, ResetKey: key, Priority: kernel.ControlPriority,
		Hear: p.hear, Lost: p.lost, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("%w (--peer-listen says where)", err)
	}
	return p, nil
}

// follow says who notices a new module, and an NF that is missing.
func (p *peers) follow(cfg *config, a *agent.Agent) {
	p.service = setup.New(setup.Config{
		Host: cfg.name, Addresses: cfg.hostAddresses, Open: p.open,
		Replaced: a.Replaced, Closed: a.PastNF, Observer: p.metrics.Setups, Log: p.log,
	}, p.module)
	if p.node != nil {
		p.mover = mover.New(mover.Config{
			Addresses: cfg.hostAddresses, Tell: p.node.Tell, Reach: p.node.Reach, Replaced: a.Replaced,
			State: nfstate.New(cfg.nfStateCommand), Observer: p.metrics.Migrations, Log: p.log,
		}, p.module)
	}
}

// movers is what the agent asks to change chains; nil: nobody can.
func (p *peers) movers() agent.Mover {
	if p.mover == nil {
		return nil
	}
	return p.mover
}

// hear and lost are called once the node runs, and the mover is there by then.
func (p *peers) hear(from []netip.Addr, id lock.ID, m migrate.Message) { p.mover.Hear(from, id, m) }

func (p *peers) lost(host netip.Addr) { p.mover.Lost(host) }

// revoke passes on which hosts are to be trusted no more.
func (p *peers) revoke(epochs map[string]uint32) {
	if p.node != nil {
		p.node.Revoke(epochs)
	}
}

// open is the node's Open.
func (p *peers) open(ctx context.Context, host netip.Addr) (setup.Stream, error) {
	s, err := p.node.Open(ctx, host)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// try is what tries whether another host's agent is reached; nil: nobody can.
func (p *peers) try() func(context.Context, netip.Addr) error {
	if p.node == nil {
		return nil
	}
	return p.node.Try
}

// run sets sessions up until ctx is done. Without a certificate it refuses those
// that wait already; the module itself refuses what comes later.
func (p *peers) run(ctx context.Context) error {
	if p.node == nil {
		p.refuse(ctx)
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return p.node.Run(ctx, func(ctx context.Context, s *peer.Stream) { p.service.Serve(ctx, s) })
	})
	group.Go(func() error { p.service.Run(ctx); return nil })
	group.Go(func() error { p.mover.Run(ctx); return nil })
	return group.Wait()
}

func (p *peers) refuse(ctx context.Context) {
	waiting, err := p.module.Waiting(ctx)
	for _, part := range waiting {
		err = errors.Join(err, p.module.Fail(ctx, part.ID, session.NoAnswer))
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, kernel.ErrAbsent) {
		p.log.Warn("waiting sessions not refused", "error", err)
	}
}
