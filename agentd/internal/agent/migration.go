// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"errors"
	"fmt"

	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/peer"
	"mbchain/proto"
)

// maxWishes is what migration.proto promises for one query.
const maxWishes = 1000

var errCannotMove = errors.New("this agent cannot change chains of live sessions: it has not joined the domain: start agentd with --token-file")

// answerMigrations answers a query about migrations that this host leads.
func (a *Agent) answerMigrations(answer *proto.AnswerRequest, query *proto.Query) error {
	mover := a.mover()
	if mover == nil {
		if query.GetMigrate() == nil {
			return nil // it leads none
		}
		return errCannotMove
	}
	switch q := query.GetBody().(type) {
	case *proto.Query_Migrate:
		plans, err := plansOf(q.Migrate)
		if err != nil {
			return err
		}
		a.log.Info("migrations asked for", "job", fmt.Sprintf("%016x", q.Migrate.GetJob()), "migrations", len(plans))
		return mover.Start(q.Migrate.GetJob(), plans)
	case *proto.Query_Migrations:
		answer.Migrations, answer.Counts = mover.List(q.Migrations)
		for _, m := range answer.Migrations {
			m.LeftHost = a.config.Host
		}
	case *proto.Query_Abort:
		job, id := q.Abort.GetJob(), lock.ID(q.Abort.GetId())
		if (job == 0) == (id == 0) {
			return errors.New("abort: either a job or an id")
		}
		aborted, late := mover.Abort(job, id)
		answer.Aborted = &proto.AbortMigrationsResponse{Aborted: uint32(aborted), Late: uint32(late)}
	}
	return nil
}

func (a *Agent) mover() Mover {
	if a.config.Mover == nil {
		return nil
	}
	return a.config.Mover()
}

func plansOf(q *proto.MigrateQuery) ([]*lock.Plan, error) {
	if n := len(q.GetWishes()); n > maxWishes {
		return nil, fmt.Errorf("%d migrations at once, %d are the limit", n, maxWishes)
	}
	var plans []*lock.Plan
	for _, w := range q.GetWishes() {
		plan, err := peer.DecodePlan(lock.ID(w.GetId()), w.GetPlan())
		if err != nil {
			return nil, fmt.Errorf("migration %v: %w", lock.ID(w.GetId()), err)
		}
		plans = append(plans, plan)
	}
	return plans, nil
}
