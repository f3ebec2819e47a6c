// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"
)

const (
	// firstAgain is how long after the first look at live sessions there is another
	// one, where it is not sure that all follow. The pause doubles each time.
	firstAgain = 5 * time.Second
	// lastAgain is the longest pause: ten minutes after the first look it is enough.
	lastAgain = 320 * time.Second
	// followFor is how long the migrations of one look may take before the next one.
	followFor = 10 * time.Minute
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
		if done := s.awaitFollowers(ctx, f.job, pause); ctx.Err() != nil || done == all && !rest {
			return
		}
	}
}

func (s *Server) awaitFollowers(ctx context.Context, job uint64, pause time.Duration) (done uint32) {
	ctx, cancel := context.WithTimeout(ctx, followFor)
	defer cancel()
	return migrationService{s}.awaitJob(ctx, job, pause)
}
