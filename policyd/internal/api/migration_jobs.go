// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mbchain/policyd/internal/push"
	"mbchain/proto"
)

const (
	// maxJobs is how many jobs are remembered with their hosts: of an older one, or
	// one that another policyd began, all hosts are asked.
	maxJobs = 1024
	// maxAsked is how many hosts of a list are asked at the same time.
	maxAsked = 64
)

// jobs remembers which hosts lead the migrations of a job, so that who follows one
// does not ask the whole domain five times a second.
type jobs struct {
	mu    sync.Mutex
	hosts map[uint64][]string
	order []uint64 // the oldest first
}

func (j *jobs) add(job uint64, hosts []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.hosts == nil {
		j.hosts = map[uint64][]string{}
	}
	if known := j.hosts[job]; known != nil { // who asks chose the number
		j.hosts[job] = slices.Compact(slices.Sorted(slices.Values(slices.Concat(known, hosts))))
		return
	}
	if len(j.order) == maxJobs {
		delete(j.hosts, j.order[0])
		j.order = slices.Delete(j.order, 0, 1)
	}
	j.hosts[job] = hosts
	j.order = append(j.order, job)
}

// of returns the hosts of a job, nil for one that is not known.
func (j *jobs) of(job uint64) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.hosts[job]
}

// askJob asks the hosts of a job if they are known, else all.
func (s migrationService) askJob(ctx context.Context, job uint64, query *proto.Query) ([]*proto.AnswerRequest, []*proto.Missing, error) {
	if hosts := s.jobs.of(job); hosts != nil {
		answers, missing, err := s.askEach(ctx, hosts, query)
		if !errors.Is(err, push.ErrUnknownHost) {
			return answers, missing, err
		}
		// It was registered under another name since.
	}
	return s.Hub.Ask(ctx, "", query)
}

// askEach is [push.Hub.Ask] for some hosts.
func (s migrationService) askEach(ctx context.Context, hosts []string, query *proto.Query) ([]*proto.AnswerRequest, []*proto.Missing, error) {
	answers := make([][]*proto.AnswerRequest, len(hosts))
	missing := make([][]*proto.Missing, len(hosts))
	var group errgroup.Group
	group.SetLimit(maxAsked)
	for i, host := range hosts {
		group.Go(func() (err error) {
			answers[i], missing[i], err = s.Hub.Ask(ctx, host, query)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	silent := slices.Concat(missing...)
	slices.SortFunc(silent, func(a, b *proto.Missing) int { return strings.Compare(a.Host, b.Host) })
	return slices.Concat(answers...), silent, nil
}

// awaitJob returns once the migrations of a job are over, or ctx is done; it looks so
// often. It returns how many are done, as far as hosts have said so.
func (s migrationService) awaitJob(ctx context.Context, job uint64, every time.Duration) (done uint32) {
	poll := time.NewTicker(every)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return done
		case <-poll.C:
		}
		answers, missing, err := s.askJob(ctx, job, &proto.Query{Body: &proto.Query_Migrations{
			Migrations: &proto.ListMigrationsRequest{Job: job, Limit: 1},
		}})
		if err != nil || len(missing) > 0 {
			continue
		}
		c := addCounts(answers)
		if done = c.Done; c.Queued+c.Running == 0 {
			return done
		}
	}
}
