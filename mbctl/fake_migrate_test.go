// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"

	pb "google.golang.org/protobuf/proto"

	"mbchain/proto"
)

// moves is what the fake policyd knows of migrations.
type moves struct {
	start   *proto.StartMigrationsResponse
	list    []*proto.Migration
	counts  []*proto.MigrationCounts // one after the other, the last for ever
	missing []*proto.Missing
	abort   *proto.AbortMigrationsResponse

	started *proto.StartMigrationsRequest
	aborted *proto.AbortMigrationsRequest
}

// migrationFake is the MigrationService of a fake.
type migrationFake struct{ *fake }

func (f migrationFake) Start(_ context.Context, r *proto.StartMigrationsRequest) (*proto.StartMigrationsResponse, error) {
	f.moves.started = r
	return f.moves.start, f.err
}

func (f migrationFake) List(_ context.Context, r *proto.ListMigrationsRequest) (*proto.ListMigrationsResponse, error) {
	if f.err != nil {
		return nil, f.err
	}
	answer := &proto.ListMigrationsResponse{Counts: f.moves.counts[0], Missing: f.moves.missing}
	if len(f.moves.counts) > 1 {
		f.moves.counts = f.moves.counts[1:]
	}
	for _, m := range f.moves.list {
		if (r.Job == 0 || r.Job == m.Job) && (r.Id == 0 || r.Id&^15 == m.Id) && bytes.HasPrefix(m.Plan.Session, r.Session) &&
			(!r.Unfinished || !migrationOver(m)) && len(answer.Migrations) < int(r.Limit) {
			answer.Migrations = append(answer.Migrations, pb.CloneOf(m))
		}
	}
	return answer, nil
}

func (f migrationFake) Abort(_ context.Context, r *proto.AbortMigrationsRequest) (*proto.AbortMigrationsResponse, error) {
	f.moves.aborted = r
	return f.moves.abort, f.err
}

const labJob = 0xc0ffee00

// movedLab is the lab in which mb3 is up, and sessions were moved.
func movedLab() *fake {
	f := lab()
	f.hosts.Hosts[4] = host("mb3", "10.0.0.5", "firewall")
	f.sessions.Missing = nil
	done := moved(0x5f3a90c1_22334450, 0x3f, 3_200)
	moving := moved(0x5f3a90c1_77889900, 0x3e, 0)
	moving.State, moving.Tries, moving.Messages, moving.Steps = "locking", 2, 3, nil
	moving.BeganUnixUs = now.UnixMicro() - 400_000
	moving.Why = &proto.MigrateWhy{Reason: "busy", Address: "10.0.0.2"}
	failed := moved(0x0a00000000000010, 0x77, 0)
	failed.State, failed.Tries, failed.Messages, failed.Job = "failed", 8, 24, 0
	failed.BeganUnixUs = now.UnixMicro() - 3_600_000_000
	failed.Why = &proto.MigrateWhy{Reason: "no_answer", Address: "10.0.0.9"}
	failed.Plan.Old, failed.Plan.State, failed.Plan.Guarantee = nil, nil, proto.Guarantee_GUARANTEE_LOSS_FREE
	failed.Steps = []*proto.MigrationStep{{Name: "failed", AtUs: 12_345_678, Why: failed.Why}}
	removed := moved(0x0b00000000000020, 0x77, 980)
	removed.Plan.New, removed.Plan.State, removed.Plan.Guarantee = nil, nil, proto.Guarantee_GUARANTEE_SUBSTREAM
	removed.Job, removed.BeganUnixUs = 0, now.UnixMicro()-7_200_000_000
	f.moves = &moves{
		start: &proto.StartMigrationsResponse{Job: labJob, Begun: 2, Migrations: []*proto.Migration{
			begun(moving), begun(done)}},
		list: []*proto.Migration{moving, done, failed, removed},
		counts: []*proto.MigrationCounts{{Running: 1, Done: 2, Failed: 1, MedianUs: 980, P99Us: 3200,
			SpanUs: 7_200_000_000}},
		abort: &proto.AbortMigrationsResponse{Aborted: 1, Late: 1},
	}
	return f
}

// moved is a migration of mb1's part in a session to mb3 that took so long.
func moved(number uint64, session byte, took uint64) *proto.Migration {
	super := webSession(session)[0].Super
	return &proto.Migration{
		Id: number, Job: labJob, LeftHost: "client", State: stateDone, Tries: 1, Messages: 12,
		BeganUnixUs: now.UnixMicro() - 2_000_000,
		Plan: &proto.MigratePlan{Session: id(session), Super: super, Guarantee: proto.Guarantee_GUARANTEE_ORDERED,
			Left: "10.0.0.1", Right: "10.0.0.3", Old: []string{"10.0.0.2"}, New: []string{"10.0.0.5"}, PatienceMs: 5000,
			State: []*proto.StatePair{{From: "10.0.0.2", To: "10.0.0.5", Method: proto.StateMethod_STATE_METHOD_CONNTRACK}}},
		Steps: []*proto.MigrationStep{
			{Name: "locked", AtUs: 700}, {Name: "committed", AtUs: 1900}, {Name: "drained", AtUs: 2500},
			{Name: "done", AtUs: took},
		},
	}
}

// begun is a migration as Start answers it.
func begun(m *proto.Migration) *proto.Migration {
	return &proto.Migration{Id: m.Id, Job: m.Job, LeftHost: m.LeftHost, State: "queued", Plan: m.Plan, BeganUnixUs: now.UnixMicro()}
}
