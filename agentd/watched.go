// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"time"

	"mbchain/agentd/internal/agent"
	"mbchain/agentd/internal/metrics"
	"mbchain/identity"
	"mbchain/identity/keep"
	"mbchain/monitor"
)

// watched is what others see of agentd from outside.
type watched struct {
	*monitor.Endpoint
	metrics *metrics.Metrics
	log     *slog.Logger
}

// newWatched opens the port for scrapers, and the socket for profiles.
func newWatched(ctx context.Context, cfg *config, log *slog.Logger) (*watched, error) {
	where := cfg.metrics
	where.Control, where.Log = markControl, log // what is scraped is not chained itself
	endpoint, err := monitor.Open(ctx, where)
	if err != nil {
		return nil, err
	}
	return &watched{Endpoint: endpoint, metrics: metrics.New(version), log: log}, nil
}

// run answers until ctx is done.
func (w *watched) run(ctx context.Context, a *agent.Agent, m module, p *peers, k *keep.Keeper) error {
	sources := metrics.Sources{
		Snapshot: a.Snapshot, Counters: m.Counters,
		Setups:     p.service.UnderWay,
		Migrations: func() (queued, running, window int) { return 0, 0, 0 },
		Accepted:   func() int { return 0 },
		Reached:    func() (reached, not int) { return 0, 0 },
		Expires:    func() time.Time { return identity.Expires(k) },
	}
	if p.node != nil {
		sources.Accepted, sources.Reached = p.node.Connections, p.node.Reached
	}
	if p.mover != nil {
		sources.Migrations = p.mover.Load
	}
	w.metrics.Watch(sources)
	return w.Run(ctx, &monitor.Server{
		Metrics: w.metrics.Gatherer(), Ready: metrics.Ready(a.Snapshot), Log: w.log,
	})
}
