// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"mbchain/proto"
)

const (
	// maxMigrations is the most that one host is asked for, and that an answer
	// for all hosts has.
	maxMigrations = 10000
	// maxAllMigrations bounds what all hosts together are asked for, and with it
	// the memory that one request can take.
	maxAllMigrations = 100000
	// defaultMigrations is what a request without a limit gets.
	defaultMigrations = 100
)

type migrationService struct{ *Server }

// List implements MigrationService.
func (s migrationService) List(ctx context.Context, r *proto.ListMigrationsRequest) (*proto.ListMigrationsResponse, error) {
	if err := checkMigrationsRequest(r); err != nil {
		return nil, err
	}
	limit := int(cmp.Or(r.Limit, defaultMigrations))
	answers, missing, err := s.askJob(ctx, r.Job, &proto.Query{Body: &proto.Query_Migrations{Migrations: &proto.ListMigrationsRequest{
		Job: r.Job, Id: r.Id, Session: r.Session, Unfinished: r.Unfinished, Limit: s.perHost(limit),
	}}})
	if err != nil {
		return nil, coded(err)
	}
	all := &proto.ListMigrationsResponse{Missing: missing, Counts: addCounts(answers)}
	for _, a := range answers {
		for _, m := range a.Migrations {
			m.LeftHost = a.Host // whatever it says of itself
		}
		all.Migrations = append(all.Migrations, a.Migrations...)
	}
	slices.SortFunc(all.Migrations, func(a, b *proto.Migration) int {
		return cmp.Or(cmp.Compare(b.BeganUnixUs, a.BeganUnixUs), cmp.Compare(a.Id, b.Id))
	})
	if len(all.Migrations) > limit {
		all.Migrations = slices.Clone(all.Migrations[:limit])
	}
	return all, nil
}

// perHost is how many migrations each host may answer with.
func (s migrationService) perHost(limit int) uint32 {
	hosts := max(s.Hub.Counts().Connected, 1)
	return uint32(min(limit, max(maxAllMigrations/hosts, 1)))
}

// addCounts makes one of what all hosts counted. Figures of time cannot be added:
// the median and the like are those of the host that has most to say of them, and
// the span is the longest.
func addCounts(answers []*proto.AnswerRequest) *proto.MigrationCounts {
	sum := &proto.MigrationCounts{}
	most := uint32(0)
	for _, a := range answers {
		c := a.GetCounts()
		sum.Queued += c.GetQueued()
		sum.Running += c.GetRunning()
		sum.Done += c.GetDone()
		sum.Failed += c.GetFailed()
		sum.SpanUs = max(sum.SpanUs, c.GetSpanUs())
		if c.GetDone() > most {
			most, sum.MedianUs, sum.P99Us = c.Done, c.MedianUs, c.P99Us
		}
	}
	return sum
}

// Abort implements MigrationService.
func (s migrationService) Abort(ctx context.Context, r *proto.AbortMigrationsRequest) (*proto.AbortMigrationsResponse, error) {
	if (r.Job == 0) == (r.Id == 0) {
		return nil, invalid("abort: exactly one of job and id is wanted")
	}
	answers, missing, err := s.askJob(ctx, r.Job, &proto.Query{Body: &proto.Query_Abort{Abort: r}})
	if err != nil {
		return nil, coded(err)
	}
	sum := &proto.AbortMigrationsResponse{Missing: missing}
	for _, a := range answers {
		sum.Aborted += a.GetAborted().GetAborted()
		sum.Late += a.GetAborted().GetLate()
	}
	s.Logger.Info("migrations aborted", "peer", peer(ctx), "job", hex64(r.Job), "migration", hex64(r.Id),
		"aborted", sum.Aborted, "late", sum.Late)
	return sum, nil
}

// hex64 writes the id of a job or a migration, 0 as the empty text.
func hex64(id uint64) string {
	if id == 0 {
		return ""
	}
	return fmt.Sprintf("%016x", id)
}
