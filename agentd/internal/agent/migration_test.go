// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/agentd/internal/agent"
	"mbchain/agentd/internal/agent/agenttest"
	"mbchain/agentd/internal/lock"
	"mbchain/proto"
)

// mover is an agent.Mover that notes what it is asked.
type mover struct {
	started []lock.ID
	full    error
}

func (m *mover) Start(_ uint64, plans []*lock.Plan) error {
	for _, p := range plans {
		m.started = append(m.started, p.ID)
	}
	return m.full
}

func (m *mover) List(*proto.ListMigrationsRequest) ([]*proto.Migration, *proto.MigrationCounts) {
	return []*proto.Migration{{Id: 0x30, LeftHost: "somebody else"}}, &proto.MigrationCounts{Done: 1}
}

func (m *mover) Abort(job uint64, id lock.ID) (aborted, late int) { return int(job), int(id) }

func plan(change func(*proto.MigratePlan)) *proto.MigratePlan {
	p := &proto.MigratePlan{
		Session:   id(1),
		Super:     &proto.Tuple{Source: "10.0.0.1", SourcePort: 40000, Destination: "10.0.0.4", DestinationPort: 80, Protocol: 6},
		Guarantee: proto.Guarantee_GUARANTEE_LOSS_FREE, Left: "10.0.0.1", Right: "10.0.0.4", New: []string{"10.0.0.2"}, PatienceMs: 5000,
	}
	if change != nil {
		change(p)
	}
	return p
}

func migrate(wishes ...*proto.MigrateWish) *proto.Query {
	return &proto.Query{Body: &proto.Query_Migrate{Migrate: &proto.MigrateQuery{Job: 7, Wishes: wishes}}}
}

func TestAnswerMigrations(t *testing.T) {
	good := &proto.MigrateWish{Id: 0x10, Plan: plan(nil)}
	wrong := &proto.MigrateWish{Id: 0x20, Plan: plan(func(p *proto.MigratePlan) { p.New[0] = p.Left })}
	tests := []struct {
		name    string
		query   *proto.Query
		mover   *mover
		want    *proto.AnswerRequest
		started []lock.ID
	}{
		{"begin", migrate(good, &proto.MigrateWish{Id: 0x30, Plan: plan(nil)}), &mover{}, &proto.AnswerRequest{}, []lock.ID{0x10, 0x30}},
		{
			"begin one that cannot be", migrate(good, wrong), &mover{},
			&proto.AnswerRequest{Error: "migration 0000000000000020: host 10.0.0.1 stands twice in it"}, nil,
		},
		{
			"begin too many", migrate(slices.Repeat([]*proto.MigrateWish{good}, 1001)...), &mover{},
			&proto.AnswerRequest{Error: "1001 migrations at once, 1000 are the limit"}, nil,
		},
		{
			"begin where no room is", migrate(good), &mover{full: errors.New("too many")},
			&proto.AnswerRequest{Error: "too many"}, []lock.ID{0x10},
		},
		{
			"list", &proto.Query{Body: &proto.Query_Migrations{Migrations: &proto.ListMigrationsRequest{}}}, &mover{},
			&proto.AnswerRequest{
				Migrations: []*proto.Migration{{Id: 0x30, LeftHost: "mb1"}}, Counts: &proto.MigrationCounts{Done: 1},
			}, nil,
		},
		{
			"abort", &proto.Query{Body: &proto.Query_Abort{Abort: &proto.AbortMigrationsRequest{Job: 7}}}, &mover{},
			&proto.AnswerRequest{Aborted: &proto.AbortMigrationsResponse{Aborted: 7}}, nil,
		},
		{
			"abort all there are", &proto.Query{Body: &proto.Query_Abort{Abort: &proto.AbortMigrationsRequest{}}}, &mover{},
			&proto.AnswerRequest{Error: "abort: either a job or an id"}, nil,
		},
		{
			"list without certificates", &proto.Query{Body: &proto.Query_Migrations{}}, nil,
			&proto.AnswerRequest{}, nil,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := startWith(t, agenttest.NewModule(), &disk{}, func(c *agent.Config) {
					c.Mover = func() agent.Mover {
						if test.mover == nil {
							return nil
						}
						return test.mover
					}
				})
				got := b.agent.Answer(t.Context(), test.query)
				if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
				if test.mover != nil && !slices.Equal(test.mover.started, test.started) {
					t.Errorf("%v were begun, want %v", test.mover.started, test.started)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		got := start(t, agenttest.NewModule(), &disk{}).agent.Answer(t.Context(), migrate(good))
		if !strings.Contains(got.Error, "--token-file") {
			t.Errorf("without certificates: error %q, want it to say what to do", got.Error)
		}
	})
}
