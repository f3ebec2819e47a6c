// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"slices"
	"sync"
	"time"

	"mbchain/policy"
	"mbchain/policyd/internal/plan"
	"mbchain/policyd/internal/push"
	"mbchain/proto"
)

const (
	// ackFor is how long hosts have to say that they run a policy before the
	// sessions that live are made to follow it.
	ackFor = 2 * time.Second
	// ackPoll is how often it is looked whether all have.
	ackPoll = 50 * time.Millisecond
	// countFor is how long Apply waits for hosts to say how many sessions a
	// policy concerns.
	countFor = time.Second
)

// followUp is what an applied policy leaves to be done about the sessions that live.
type followUp struct {
	version uint64 // of the policy
	job     uint64 // of the migrations; 0: it concerns no session
}

// followUps are done one at a time; a newer one ends the one under way.
type followUps struct {
	wake chan struct{} // has room for one

	mu     sync.Mutex
	next   *followUp          // nil: none waits
	stop   context.CancelFunc // of the one under way; nil: none is
	newest uint64             // version that work was left for

	last followUp // of the goroutine that does them
}

func newFollowUps() *followUps { return &followUps{wake: make(chan struct{}, 1)} }

// add leaves work, and ends what is under way. Work for a version that is not the
// newest comes too late.
func (f *followUps) add(next followUp) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if next.version < f.newest {
		return
	}
	f.next, f.newest = &next, next.version
	if f.stop != nil {
		f.stop()
	}
	select {
	case f.wake <- struct{}{}:
	default: // it will look
	}
}

// take returns the work that waits, nil if there is none, and the context for it.
func (f *followUps) take(ctx context.Context) (context.Context, *followUp) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := f.next
	f.next = nil
	ctx, f.stop = context.WithCancel(ctx)
	return ctx, next
}

func (f *followUps) done() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stop()
	f.stop = nil
}

// followPolicies makes live sessions follow what is applied, until ctx ends.
func (s *Server) followPolicies(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.follow.wake:
		}
		ctx, next := s.follow.take(ctx)
		if next != nil {
			s.followPolicy(ctx, *next)
		}
		s.follow.done()
	}
}

func (s *Server) followPolicy(ctx context.Context, f followUp) {
	last := s.follow.last
	s.follow.last = f
	if last.job != 0 && last.version != f.version {
		// What still waits of an older policy would only be in the way.
		_, _, _ = migrationService{s}.askJob(ctx, last.job, &proto.Query{Body: &proto.Query_Abort{Abort: &proto.AbortMigrationsRequest{Job: last.job}}})
	}
	if f.job == 0 {
		return
	}
	s.awaitHosts(ctx)
	s.followUntilDone(ctx, f)
}

// followOnce makes the sessions that live now follow a policy. It returns how many
// migrations have begun, and whether there may be sessions that ought to follow and do
// not: some cannot, some cannot yet, and some are of hosts that did not answer.
func (s *Server) followOnce(ctx context.Context, f followUp) (begun uint32, rest bool) {
	moves := migrationService{s}
	live, missing, err := s.survey(ctx, push.AskFor, nil, f.version)
	if err == nil {
		_, err = s.Cluster.State() // does it still lead?
	}
	if err != nil {
		s.Logger.Warn("live sessions left as they are", "policy_version", f.version, "error", err)
		return 0, false
	}
	answer := &proto.StartMigrationsResponse{Job: f.job}
	if len(live.Migrate) > 0 {
		moves.begin(ctx, answer, live.Migrate)
		s.tellBegun(ForPolicy, answer.Begun)
	}
	reset, skipped := moves.reset(ctx, live.Reset, f.version)
	live.Skipped = append(live.Skipped, skipped...)
	for _, skip := range live.Skipped {
		s.Logger.Debug("live session left as it is", "session", hexBytes(skip.Session), "error", skip.Reason)
	}
	for _, m := range answer.Missing {
		s.Logger.Warn("live sessions not migrated", "host", m.Host, "job", hex64(f.job), "error", m.Error)
	}
	missing = append(missing, answer.Missing...)
	s.Logger.Info("live sessions follow the policy", "policy_version", f.version, "job", hex64(f.job),
		"begun", answer.Begun, "reset", reset, "skipped", len(live.Skipped), "kept", live.Kept, "missing", len(missing))
	return answer.Begun, len(live.Skipped) > 0 || slices.ContainsFunc(missing, mayHaveMore)
}

// awaitHosts waits until all connected hosts run the newest policy, for ackFor at
// most.
func (s *Server) awaitHosts(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, ackFor)
	defer cancel()
	poll := time.NewTicker(ackPoll)
	defer poll.Stop()
	for c := s.Hub.Counts(); c.InSync < c.Connected; c = s.Hub.Counts() {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return
		}
	}
}

// survey works out what a policy makes of the sessions that live now: of p, or, if
// that is nil, of the running one if it is of this version. Hosts have so long to say
// which sessions they carry.
func (s *Server) survey(ctx context.Context, wait time.Duration, p *policy.Policy, version uint64) (*plan.Live, []*proto.Missing, error) {
	asked, cancel := context.WithTimeout(ctx, wait)
	answers, missing, err := migrationService{s}.allRecords(asked)
	cancel()
	if err != nil {
		return nil, nil, err
	}
	d, err := s.Hub.Domain()
	if err != nil {
		return nil, nil, coded(err)
	}
	if p == nil {
		if d.State.Policy.Version != version {
			return nil, nil, errSuperseded
		}
		p = d.Policy
	}
	live := planDomain(d, nil).Follow(d.Choosing(p), d.Seed, answers, func() bool { return ctx.Err() != nil })
	if live == nil {
		return nil, nil, coded(context.Cause(ctx))
	}
	return live, missing, nil
}

// viewLive is what is said of a survey.
func viewLive(live *plan.Live, missing []*proto.Missing) *proto.LiveSessions {
	return &proto.LiveSessions{
		Migrate: uint32(len(live.Migrate)), Resets: uint32(len(live.Reset)), Stay: uint32(len(live.Skipped)),
		Keep: uint32(live.Kept), Skipped: live.Skipped[:min(len(live.Skipped), maxNamed)], Missing: missing,
	}
}

// leaveFollowUp leaves it to followPolicies what p makes of live sessions, and says in
// answer what there is to do, as far as hosts say it in time.
func (s *Server) leaveFollowUp(ctx context.Context, answer *proto.ApplyResponse, p *policy.Policy) {
	next := followUp{version: answer.Version}
	defer func() { s.follow.add(next) }()
	if !p.ConcernsLive() {
		return
	}
	next.job = randomID(0)
	ctx, cancel := context.WithTimeout(ctx, 2*countFor) // to ask, and to work it out
	defer cancel()
	if live, missing, err := s.survey(ctx, countFor, p, 0); err == nil {
		answer.Live = viewLive(live, missing)
	}
	if answer.Live == nil || answer.Live.Migrate > 0 || slices.ContainsFunc(answer.Live.Missing, mayHaveMore) {
		answer.LiveJob = next.job
	}
}

// mayHaveMore reports whether a host may have sessions yet that it has not told of.
func mayHaveMore(m *proto.Missing) bool { return m.Error != push.NotConnected }
