// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"

	"mbchain/proto"
)

const (
	// firstAgain is how long after the first look at live sessions there is another
	// one, where it is not sure that all follow. The pause doubles each time.
	firstAgain = 5 * time.Second
	// lastAgain is the longest pause: ten minutes after the first look it is enough.
	lastAgain = 320 * time.Second
)

// followUntilDone looks again at the sessions that live, until all follow the policy, a
// newer one is applied, or it was tried often enough: a host may be started anew just
// now, and a migration may fail.
func (s *Server) followUntilDone(ctx context.Context, f followUp) {
	var all uint32
	for pause := firstAgain; ; pause *= 2 {
		begun, rest := s.followOnce(ctx, f)
		all += begun
		if begun == 0 && !rest || pause > lastAgain {
			return
		}
		done := s.awaitJob(ctx, f.job, pause)
		if ctx.Err() != nil || done == all && !rest {
			return
		}
	}
}

// awaitJob waits for a while, and on until no migration of a job is under way. It
// returns how many are done, as far as hosts say so.
func (s *Server) awaitJob(ctx context.Context, job uint64, pause time.Duration) (done uint32) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return done
		}
		answers, _, err := migrationService{s}.askJob(ctx, job, &proto.Query{Body: &proto.Query_Migrations{
			Migrations: &proto.ListMigrationsRequest{Job: job, Limit: 1},
		}})
		counts := addCounts(answers)
		if done = counts.Done; err != nil || counts.Queued+counts.Running == 0 {
			return done
		}
	}
}
