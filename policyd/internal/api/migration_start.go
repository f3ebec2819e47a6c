// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	"mbchain/policyd/internal/plan"
	"mbchain/policyd/internal/push"
	"mbchain/proto"
)

const (
	// maxWishes of one push, as proto/migration.proto has it.
	maxWishes = 1000
	// maxPushers is how many hosts are pushed wishes at the same time.
	maxPushers = 32
	// maxNamed is how many migrations and skipped sessions an answer names.
	maxNamed = 100
)

// Start implements MigrationService.
func (s migrationService) Start(ctx context.Context, r *proto.StartMigrationsRequest) (*proto.StartMigrationsResponse, error) {
	change, sel, err := checkStart(r)
	if err != nil {
		return nil, err
	}
	answers, missing, err := s.records(ctx, change.Concerned(), sel.Prefix)
	if err != nil {
		return nil, err
	}
	d, err := s.Hub.Domain()
	if err != nil {
		return nil, coded(err)
	}
	wishes, skipped := planDomain(d, change.New).Plans(&change, &sel, answers)
	if err := oneSession(sel, len(wishes)+len(skipped), missing, change.Present()); err != nil {
		return nil, err
	}
	answer := &proto.StartMigrationsResponse{Missing: missing}
	answer.Skipped = slices.Clone(skipped[:min(len(skipped), maxNamed)])
	answer.MoreSkipped = uint32(len(skipped) - len(answer.Skipped))
	if r.DryRun {
		answer.Begun = uint32(len(wishes))
		for _, w := range wishes[:min(len(wishes), maxNamed)] {
			answer.Migrations = append(answer.Migrations, &proto.Migration{Plan: w.Plan, LeftHost: w.LeftHost})
		}
		return answer, nil
	}
	if len(wishes) > 0 {
		answer.Job = r.Job
		s.begin(ctx, answer, wishes)
		s.tellBegun(ForOperator, answer.Begun)
	}
	s.Logger.Info("migrations begun", "peer", peer(ctx), "change", change.String(), "job", hex64(answer.Job),
		"begun", answer.Begun, "skipped", len(skipped))
	return answer, nil
}

// oneSession says why a request for one session is not about exactly one.
func oneSession(sel plan.Selection, n int, missing []*proto.Missing, passed []string) error {
	switch {
	case sel.Match != nil || n == 1:
		return nil
	case n > 1:
		return invalid("session: %d sessions begin with %x: give more of the id", n, sel.Prefix)
	case len(missing) > 0:
		return connect.NewError(connect.CodeUnavailable, fmt.Errorf("session: of the hosts concerned %s did not answer: %s",
			missing[0].Host, missing[0].Error))
	}
	return connect.NewError(connect.CodeNotFound, fmt.Errorf("session: none that begins with %x passes %s",
		sel.Prefix, strings.Join(passed, ", ")))
}

// records asks the hosts for their sessions. One that has more than it may answer
// with is among the missing, too.
func (s migrationService) records(ctx context.Context, hosts []string, prefix []byte) (map[string]plan.Answer, []*proto.Missing, error) {
	found, missing, err := s.askEach(ctx, hosts, &proto.Query{Body: &proto.Query_Sessions{
		Sessions: &proto.SessionQuery{Id: prefix, Limit: maxSessions},
	}})
	if err != nil {
		return nil, nil, coded(err)
	}
	answers, cut := byHost(found, "ask again for the others")
	return answers, append(missing, cut...), nil
}

// allRecords asks all hosts for their sessions, in the same way.
func (s migrationService) allRecords(ctx context.Context) (map[string]plan.Answer, []*proto.Missing, error) {
	limit := domainService(s).sessionLimit(&proto.ListSessionsRequest{})
	found, missing, err := s.Hub.Ask(ctx, "", &proto.Query{Body: &proto.Query_Sessions{
		Sessions: &proto.SessionQuery{Limit: limit},
	}})
	if err != nil {
		return nil, nil, coded(err)
	}
	answers, cut := byHost(found, "the others are left as they are")
	return answers, append(missing, cut...), nil
}

// byHost sorts what hosts answered. One that has more sessions is among those cut, with
// what becomes of the others.
func byHost(found []*proto.AnswerRequest, others string) (answers map[string]plan.Answer, cut []*proto.Missing) {
	answers = map[string]plan.Answer{}
	for _, a := range found {
		answers[a.Host] = plan.Answer{Sessions: a.Sessions, Truncated: a.Truncated}
		if a.Truncated {
			cut = append(cut, &proto.Missing{Host: a.Host,
				Error: fmt.Sprintf("has more sessions than the first %d, which were looked at: %s", len(a.Sessions), others)})
		}
	}
	return answers, cut
}

// planDomain is what plans need to know of hosts, with the addresses of those that
// come.
func planDomain(d *push.Domain, come []string) *plan.Domain {
	to := &plan.Domain{Owners: d.Owners, Addresses: map[string][]netip.Addr{}}
	for _, name := range come {
		if record, known := d.State.Host(name); known {
			to.Addresses[name] = record.Addresses
		}
	}
	return to
}

// begin hands the wishes to the agents that will lead them, and says in answer
// what has come of it. The job may have its number already.
func (s migrationService) begin(ctx context.Context, answer *proto.StartMigrationsResponse, wishes []plan.Wish) {
	now := time.Now().UnixMicro()
	if answer.Job == 0 {
		answer.Job = randomID(0)
	}
	ids := make(map[uint64]bool, len(wishes))
	groups := map[string]*proto.MigrateQuery{}
	var hosts []string
	all := make([]*proto.Migration, len(wishes))
	for i, w := range wishes {
		id := randomID(tryMask)
		for ids[id] {
			id = randomID(tryMask)
		}
		ids[id] = true
		all[i] = &proto.Migration{Id: id, Job: answer.Job, Plan: w.Plan, LeftHost: w.LeftHost, State: "queued", BeganUnixUs: now}
		if groups[w.LeftHost] == nil {
			groups[w.LeftHost] = &proto.MigrateQuery{Job: answer.Job}
			hosts = append(hosts, w.LeftHost)
		}
		groups[w.LeftHost].Wishes = append(groups[w.LeftHost].Wishes, &proto.MigrateWish{Id: id, Plan: w.Plan})
	}
	s.jobs.add(answer.Job, hosts)
	taken := make([]int, len(hosts)) // how many wishes of each
	missing := make([]*proto.Missing, len(hosts))
	var group errgroup.Group
	group.SetLimit(maxPushers)
	for i, host := range hosts {
		group.Go(func() error {
			taken[i], missing[i] = s.push(ctx, host, groups[host])
			return nil
		})
	}
	_ = group.Wait() // none fails
	left := map[string]int{}
	for i, host := range hosts {
		left[host] = taken[i]
		if missing[i] != nil {
			answer.Missing = append(answer.Missing, missing[i])
		}
	}
	for _, m := range all {
		if left[m.LeftHost] == 0 {
			continue
		}
		left[m.LeftHost]--
		answer.Begun++
		if len(answer.Migrations) < maxNamed {
			answer.Migrations = append(answer.Migrations, m)
		}
	}
}

// push hands one host its wishes, and returns how many it has said it has. What
// comes after a push that it did not take is not tried.
func (s migrationService) push(ctx context.Context, host string, all *proto.MigrateQuery) (taken int, missing *proto.Missing) {
	for batch := range slices.Chunk(all.Wishes, maxWishes) {
		_, silent, err := s.Hub.Ask(ctx, host, &proto.Query{Body: &proto.Query_Migrate{
			Migrate: &proto.MigrateQuery{Job: all.Job, Wishes: batch},
		}})
		if err == nil && len(silent) > 0 {
			err = errors.New(silent[0].Error)
		}
		if err != nil {
			return taken, &proto.Missing{Host: host, Error: fmt.Sprintf("%d of its %d migrations not begun, as far as it is known: %v",
				len(all.Wishes)-taken, len(all.Wishes), err)}
		}
		taken += len(batch)
	}
	return taken, nil
}

// tryMask is the bits of a migration's id that count its tries.
const tryMask = 1<<4 - 1

// randomID returns an id that is not 0, without the bits of mask.
func randomID(mask uint64) uint64 {
	for {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		if id := binary.LittleEndian.Uint64(b[:]) &^ mask; id != 0 {
			return id
		}
	}
}
