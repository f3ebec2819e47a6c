// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"maps"
	"sync"
	"time"

	"mbchain/policyd/internal/health"
	"mbchain/policyd/internal/plan"
	"mbchain/policyd/internal/push"
	"mbchain/proto"
)

const (
	// leaveEvery is how often it is looked whether live sessions have to leave a host.
	leaveEvery = time.Second
	// maxLeave is how many begin to leave one host at once; the next ones have to wait
	// until these have left. Agents carry out as many at a time as they can.
	maxLeave = 500
	// leaveShare is the share of its sessions that an overloaded host loses at once:
	// one in so many. Then it is looked whether that was enough.
	leaveShare = 10
	// leavePause is the least time between two looks at the same hosts.
	leavePause = 2 * time.Second
	// maxLeavePause is the longest time between two looks at hosts whose sessions
	// cannot leave. It doubles from leaveEvery.
	maxLeavePause = time.Minute
	// leaveFor is how long the migrations of one look have before the next one.
	leaveFor = time.Minute
)

// leaving is what is known of sessions that have to leave hosts.
type leaving struct {
	wake chan struct{} // has room for one

	mu    sync.Mutex
	hosts map[string]left
}

// left is what the last look at a host has found.
type left struct {
	looked time.Time
	plan.Leaving
}

func newLeaving() *leaving { return &leaving{wake: make(chan struct{}, 1), hosts: map[string]left{}} }

// again has it looked at once whether sessions have to leave: what was found before
// is old news.
func (l *leaving) again() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.hosts)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *leaving) set(hosts map[string]left) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts = hosts
}

// fill says in to what is known of the sessions of its host.
func (l *leaving) fill(to *proto.Drain) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, known := l.hosts[to.Host]; known {
		to.LookedUnixMs = at.looked.UnixMilli()
		to.Left, to.Moving, to.Stuck = uint32(at.Left), uint32(at.Begun), at.Stuck
	}
}

// evacuate makes live sessions leave hosts that are drained, overloaded or failed,
// until ctx ends. Only where this policyd leads.
func (s *Server) evacuate(ctx context.Context) {
	var (
		before map[string]plan.Leave
		next   time.Time // not before then, unless others have to leave
		pause  time.Duration
	)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(leaveEvery):
		case <-s.leaving.wake:
			before = nil
		}
		d, instances, err := s.Hub.Instances()
		if err != nil {
			s.leaving.set(nil) // another one leads
			continue
		}
		leave := whoLeaves(instances, d.Policy.ConcernsLive())
		switch same := sameHosts(before, leave); {
		case len(leave) == 0:
			before = nil
			continue
		case same && time.Now().Before(next):
			continue
		case !same:
			pause = leaveEvery
			s.awaitTurn(ctx)
		}
		before = leave
		begun, err := s.leaveHosts(ctx, leave)
		if err != nil && ctx.Err() == nil {
			s.Logger.Warn("live sessions do not leave", "error", err)
		}
		if pause = min(2*pause, maxLeavePause); begun > 0 {
			pause = leaveEvery
		}
		next = time.Now().Add(max(pause, leavePause))
	}
}

// awaitTurn waits until hosts have what new sessions choose by now, or as long as for a
// policy: who looked before would miss sessions that are still on their way to a host that
// has to be empty.
func (s *Server) awaitTurn(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(judgeEvery): // for it to be sent
		s.awaitHosts(ctx)
	}
}

// sameHosts reports whether sessions have to leave the same hosts.
func sameHosts(a, b map[string]plan.Leave) bool {
	return maps.EqualFunc(a, b, func(x, y plan.Leave) bool { return x.Always == y.Always })
}

// whoLeaves returns the hosts whose sessions have to leave, with how. Unless a rule says
// that live sessions migrate, only those do that an operator drains.
func whoLeaves(instances []push.Instance, byRule bool) map[string]plan.Leave {
	leave := map[string]plan.Leave{}
	for _, in := range instances {
		switch {
		case in.Host == "":
		case in.Drain.Host != "":
			leave[in.Host] = plan.Leave{Always: true, Most: maxLeave}
		case !byRule:
		case (in.Verdict.State == health.Failed || in.Verdict.State == health.Impaired) && !leave[in.Host].Always:
			leave[in.Host] = plan.Leave{Most: maxLeave}
		case in.Verdict.State == health.Overloaded && leave[in.Host].Most == 0:
			leave[in.Host] = plan.Leave{Most: max(int(in.Load.GetSessions())/leaveShare, 1)}
		}
	}
	return leave
}

// leaveHosts has sessions leave hosts, and returns once those have left that it has
// made begin, with how many they were.
func (s *Server) leaveHosts(ctx context.Context, leave map[string]plan.Leave) (begun uint32, err error) {
	moves := migrationService{s}
	found, err := s.survivors(ctx, leave)
	if err != nil {
		return 0, err
	}
	if len(found) == 0 {
		return 0, nil
	}
	answers, missing, err := moves.allRecords(ctx)
	if err != nil {
		return 0, err
	}
	d, err := s.Hub.Domain()
	if err != nil {
		return 0, err
	}
	for _, m := range missing {
		if _, leaves := found[m.Host]; leaves && m.Error != "" && len(answers[m.Host].Sessions) == 0 {
			delete(found, m.Host) // noted already, with the reason
		}
	}
	wishes, hosts := planDomain(d, nil).Evacuate(d.Chosen, d.Seed, found, answers, func() bool { return ctx.Err() != nil })
	if hosts == nil {
		return 0, context.Cause(ctx)
	}
	s.noteLeaving(hosts)
	if len(wishes) == 0 {
		return 0, nil
	}
	answer := &proto.StartMigrationsResponse{}
	moves.begin(ctx, answer, wishes)
	s.tellBegun(ForHealth, answer.Begun)
	for host, l := range hosts {
		if l.Begun > 0 {
			s.Logger.Info("live sessions leave a host", "host", host, "job", hex64(answer.Job), "begun", l.Begun, "left", l.Left, "skipped", l.Left-l.Begun)
		}
	}
	if answer.Begun > 0 {
		ctx, cancel := context.WithTimeout(ctx, leaveFor)
		defer cancel()
		moves.awaitJob(ctx, answer.Job, judgeEvery)
	}
	return answer.Begun, nil
}

// survivors returns those of the hosts that carry sessions yet, as they say themselves,
// and notes of the others that they are empty, or do not answer.
func (s *Server) survivors(ctx context.Context, leave map[string]plan.Leave) (map[string]plan.Leave, error) {
	names := make([]string, 0, len(leave))
	for name := range leave {
		names = append(names, name)
	}
	answers, missing, err := migrationService{s}.records(ctx, names, nil)
	if err != nil {
		return nil, err
	}
	carry, noted := map[string]plan.Leave{}, map[string]*plan.Leaving{}
	for host, a := range answers {
		noted[host] = &plan.Leaving{}
		if plan.Carries(a) {
			carry[host] = leave[host]
			delete(noted, host)
		}
	}
	for _, m := range missing {
		if _, answered := answers[m.Host]; !answered {
			noted[m.Host] = &plan.Leaving{Left: 1, Stuck: m.Host + ": " + m.Error}
		}
	}
	s.leaving.mu.Lock()
	for host := range s.leaving.hosts {
		if _, leaves := leave[host]; !leaves {
			delete(s.leaving.hosts, host)
		}
	}
	s.leaving.mu.Unlock()
	s.noteLeaving(noted)
	return carry, nil
}

func (s *Server) noteLeaving(hosts map[string]*plan.Leaving) {
	s.leaving.mu.Lock()
	defer s.leaving.mu.Unlock()
	if s.leaving.hosts == nil {
		s.leaving.hosts = map[string]left{}
	}
	now := time.Now()
	for host, l := range hosts {
		s.leaving.hosts[host] = left{looked: now, Leaving: *l}
	}
}
