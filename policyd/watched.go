// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"time"

	"mbchain/identity"
	"mbchain/monitor"
	"mbchain/policyd/internal/cluster"
	"mbchain/policyd/internal/metrics"
	"mbchain/policyd/internal/push"
	"mbchain/policyd/internal/self"
)

// watched is what others see of policyd from outside.
type watched struct {
	*monitor.Endpoint
	metrics *metrics.Metrics
	log     *slog.Logger
}

// newWatched opens the port for scrapers, and the socket for profiles.
func newWatched(ctx context.Context, cfg *config, log *slog.Logger) (*watched, error) {
	where := cfg.metrics
	where.Log = log
	endpoint, err := monitor.Open(ctx, where)
	if err != nil {
		return nil, err
	}
	return &watched{Endpoint: endpoint, metrics: metrics.New(version), log: log}, nil
}

// run answers until ctx is done.
func (w *watched) run(ctx context.Context, node *cluster.Node, hub *push.Hub, me *self.Self) error {
	w.metrics.Watch(metrics.Sources{Node: node, Hub: hub, Expires: func() time.Time { return identity.Expires(me) }})
	return w.Run(ctx, &monitor.Server{
		Metrics: w.metrics.Gatherer(), Ready: metrics.Ready(node), Log: w.log,
	})
}
