// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"mbchain/policyd/internal/plan"
	"mbchain/proto"
)

// maxResets of one push, as proto/migration.proto has it.
const maxResets = 1000

// reset has sessions ended by the hosts of their clients. It returns how many were,
// and what became of the others.
func (s migrationService) reset(ctx context.Context, all []plan.Reset, version uint64) (reset int, skipped []*proto.Skipped) {
	groups := map[string][][]byte{}
	var hosts []string
	for _, r := range all {
		if groups[r.Host] == nil {
			hosts = append(hosts, r.Host)
		}
		groups[r.Host] = append(groups[r.Host], r.Session[:])
	}
	counts := make([]int, len(hosts))
	failures := make([][]*proto.Skipped, len(hosts))
	var group errgroup.Group
	group.SetLimit(maxPushers)
	for i, host := range hosts {
		group.Go(func() error {
			for batch := range slices.Chunk(groups[host], maxResets) {
				n, failed := s.resetAt(ctx, host, &proto.ResetQuery{Sessions: batch, PolicyVersion: version})
				counts[i] += n
				failures[i] = append(failures[i], failed...)
			}
			return nil
		})
	}
	_ = group.Wait() // none fails
	for _, n := range counts {
		reset += n
	}
	return reset, slices.Concat(failures...)
}

func (s migrationService) resetAt(ctx context.Context, host string, q *proto.ResetQuery) (int, []*proto.Skipped) {
	answers, missing, err := s.Hub.Ask(ctx, host, &proto.Query{Body: &proto.Query_EndSessions{EndSessions: q}})
	switch {
	case err == nil && len(missing) > 0:
		err = fmt.Errorf("%s: %s", host, missing[0].Error)
	case err == nil:
		a := answers[0].GetEndedSessions()
		return int(a.GetEnded()), a.GetSkipped()
	}
	var skipped []*proto.Skipped
	for _, id := range q.Sessions {
		skipped = append(skipped, &proto.Skipped{Session: id, Reason: err.Error()})
	}
	return 0, skipped
}
