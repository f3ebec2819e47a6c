// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"connectrpc.com/connect"

	"mbchain/proto"
)

// TestGoldenMigrate is of migrations in the lab.
func TestGoldenMigrate(t *testing.T) {
	testGolden(t, movedLab, []goldenTest{
		{name: "help_migrate", line: "help  migrate"},
		{name: "help_migrate_replace", line: "migrate  replace  --help"},
		{name: "help_migrate_list", line: "help  migrate  list"},

		{name: "migrate_insert", line: "migrate  insert  3f  --host  mb3  --after  client"},
		{name: "migrate_insert_json", line: "migrate  insert  3f  --host  mb3  --after  client  --json"},
		{name: "migrate_insert_no_place", line: "migrate  insert  3f  --host  mb3"},
		{name: "migrate_insert_no_host", line: "migrate  insert  3f  --before  server"},
		{name: "migrate_insert_dry_run", line: "migrate  insert  --match  any  --host  mb3  --after  client  --dry-run", set: dry},
		{name: "migrate_insert_dry_run_json", line: "migrate  insert  --match  any  --host  mb3  --after  client  --dry-run  --json", set: dry},
		{name: "migrate_remove", line: "migrate  remove  --match  dstport=80  --host  mb1,mb2", set: staying},
		{name: "migrate_remove_json", line: "migrate  remove  --match  dstport=80  --host  mb1,mb2  --json", set: staying},
		{name: "migrate_remove_no_host", line: "migrate  remove  3f"},
		{name: "migrate_remove_none", line: "migrate  remove  --match  dstport=22  --host  mb1", set: func(f *fake, _ *testWorld) {
			f.moves.start = &proto.StartMigrationsResponse{}
		}},
		{name: "migrate_replace", line: "migrate  replace  --match  any  --from  mb1  --to  mb3  --state  conntrack"},
		{name: "migrate_replace_json", line: "migrate  replace  --match  any  --from  mb1  --to  mb3  --json"},
		{name: "migrate_replace_no_session", line: "migrate  replace  --from  mb1  --to  mb3"},
		{name: "migrate_replace_two_sessions", line: "migrate  replace  3f  --match  any  --from  mb1  --to  mb3"},
		{name: "migrate_replace_no_from", line: "migrate  replace  3f  --to  mb3"},
		{name: "migrate_replace_no_to", line: "migrate  replace  3f  --from  mb1"},
		{name: "migrate_replace_bad_match", line: "migrate  replace  --match  dstprt=80  --from  mb1  --to  mb3"},
		{name: "migrate_replace_bad_state", line: "migrate  replace  3f  --from  mb1  --to  mb3  --state  all"},
		{name: "migrate_replace_bad_guarantee", line: "migrate  replace  3f  --from  mb1  --to  mb3  --guarantee  lossfree"},
		{name: "migrate_replace_loss_free_state", line: "migrate  replace  3f  --from  mb1  --to  mb3  --guarantee  loss-free  --state  exec"},
		{name: "migrate_replace_bad_patience", line: "migrate  replace  3f  --from  mb1  --to  mb3  --patience  2m"},
		{name: "migrate_replace_bad_id", line: "migrate  replace  mb1  --from  mb1  --to  mb3"},
		{name: "migrate_replace_odd_id_none", line: "migrate  replace  abc  --from  mb1  --to  mb3"},
		{name: "migrate_replace_odd_id_several", line: "migrate  replace  3  --from  mb1  --to  mb3"},
		{name: "migrate_replace_refused", line: "migrate  replace  3f  --from  mb1  --to  mb3", set: failing(connect.CodeInvalidArgument,
			"session: 2 sessions begin with 3f: give more of the id")},
		{name: "migrate_replace_no_agent", line: "migrate  replace  3f  --from  mb1  --to  mb3  --agent  " + agentSocket},

		{name: "migrate_wait", line: "migrate  replace  --match  any  --from  mb1  --to  mb3  --wait", set: finishing},
		{name: "migrate_wait_json", line: "migrate  replace  --match  any  --from  mb1  --to  mb3  --wait  --json", set: finishing},
		{name: "migrate_wait_failed", line: "migrate  replace  --match  any  --from  mb1  --to  mb3  --wait", set: losing},
		{name: "migrate_wait_failed_json", line: "migrate  replace  --match  any  --from  mb1  --to  mb3  --wait  --json", set: losing},
		{name: "migrate_wait_late", line: "migrate  replace  --match  any  --from  mb1  --to  mb3  --wait", set: func(f *fake, w *testWorld) {
			f.moves.counts = []*proto.MigrationCounts{{Running: 2}}
			w.expireAt(3)
		}},
		{name: "migrate_wait_forgotten", line: "migrate  replace  --match  any  --from  mb1  --to  mb3  --wait", set: func(f *fake, _ *testWorld) {
			f.moves.counts = []*proto.MigrationCounts{{Running: 2}, {Done: 1, MedianUs: 2000, P99Us: 2000, SpanUs: 250_000}}
			f.moves.missing = []*proto.Missing{{Host: "mb2", Error: "not connected"}}
		}},

		{name: "migrate_list", line: "migrate  list"},
		{name: "migrate_list_json", line: "migrate  list  --json  --job  00000000c0ffee00"},
		{name: "migrate_list_colour", line: "migrate  list  --unfinished", set: func(_ *fake, w *testWorld) { w.colour = true }},
		{name: "migrate_list_session", line: "migrate  list  --session  77ac  --limit  1"},
		{name: "migrate_list_none", line: "migrate  list  --job  0000000000000001", set: func(f *fake, _ *testWorld) {
			f.moves.counts = []*proto.MigrationCounts{{}}
		}},
		{name: "migrate_list_missing", line: "migrate  list  --unfinished", set: func(f *fake, _ *testWorld) {
			f.moves.missing = []*proto.Missing{{Host: "mb2", Error: "not connected"}}
		}},
		{name: "migrate_list_bad_job", line: "migrate  list  --job  c0ffee00"},
		{name: "migrate_list_bad_limit", line: "migrate  list  --limit  0"},
		{name: "migrate_list_bad_session", line: "migrate  list  --session  abc"},
		{name: "migrate_list_too_old", line: "migrate  list", set: failing(connect.CodeUnimplemented, "unknown method")},

		{name: "migrate_show", line: "migrate  show  5f3a90c12"},
		{name: "migrate_show_json", line: "migrate  show  5F3A90C122334450  --json"},
		{name: "migrate_show_failed", line: "migrate  show  0a"},
		{name: "migrate_show_several", line: "migrate  show  5f3a"},
		{name: "migrate_show_none", line: "migrate  show  ff"},
		{name: "migrate_show_bad_id", line: "migrate  show  mb1"},

		{name: "migrate_abort", line: "migrate  abort  --job  00000000c0ffee00"},
		{name: "migrate_abort_json", line: "migrate  abort  5f3a  --json"},
		{name: "migrate_abort_late", line: "migrate  abort  5f3a90c122334450", set: func(f *fake, _ *testWorld) {
			f.moves.abort = &proto.AbortMigrationsResponse{Late: 1}
		}},
		{name: "migrate_abort_none", line: "migrate  abort  --job  0000000000000001", set: func(f *fake, _ *testWorld) {
			f.moves.abort = &proto.AbortMigrationsResponse{}
		}},
		{name: "migrate_abort_missing", line: "migrate  abort  --job  00000000c0ffee00", set: func(f *fake, _ *testWorld) {
			f.moves.abort.Missing = []*proto.Missing{{Host: "mb2", Error: "no answer in time"}}
		}},
		{name: "migrate_abort_no_operand", line: "migrate  abort"},
	}, func(*testWorld) {})
}

// dry is what policyd would do.
func dry(f *fake, _ *testWorld) {
	f.moves.start.Job, f.moves.start.Begun = 0, 102
	for _, m := range f.moves.start.Migrations {
		m.Id, m.Job, m.State, m.BeganUnixUs = 0, 0, "", 0
		m.Plan.Old, m.Plan.State = nil, nil
	}
}

// staying is a domain in which sessions cannot change, and a host is gone.
func staying(f *fake, _ *testWorld) {
	const nat = "192.0.2.7, right of mb2, is the address of no host with an agent: it is a server without one, or behind a NAT"
	f.moves.start = &proto.StartMigrationsResponse{
		Skipped: []*proto.Skipped{
			{Session: id(0x10), Reason: nat}, {Session: id(0x11), Reason: "it is not established: mb1 has it as syn"},
			{Session: id(0x12), Reason: nat}, {Session: id(0x13), Reason: nat}, {Session: id(0x14), Reason: nat},
			{Session: id(0x15), Reason: "mb2 does not carry it"}, {Session: id(0x16), Reason: "mb2 does not carry it"},
		},
		MoreSkipped: 1200,
		Missing:     []*proto.Missing{{Host: "mb1", Error: "has more sessions than the first 10000, which were looked at: ask again for the others"}},
	}
}

// finishing is a job of 10,000 that all come to their end, on a terminal.
func finishing(f *fake, w *testWorld) {
	f.moves.start.Begun = 10000
	f.moves.counts = []*proto.MigrationCounts{
		{Queued: 10000},
		{Queued: 8000, Running: 766, Done: 1234, SpanUs: 1_520_000},
		{Running: 10, Done: 9990, SpanUs: 12_000_000, MedianUs: 3100, P99Us: 9800},
		{Done: 10000, SpanUs: 12_315_000, MedianUs: 3120, P99Us: 9810},
	}
	w.width = 100
}

// losing is a job of which some fail.
func losing(f *fake, _ *testWorld) {
	failed := f.moves.list[2]
	failed.Job = labJob
	again := moved(0x30, 0x3f, 0)
	again.State, again.Why = "failed", &proto.MigrateWhy{Reason: "busy", Address: "10.0.0.2"}
	later := moved(0x40, 0x3f, 0)
	later.State, later.Why = "failed", &proto.MigrateWhy{Reason: "invented_later"}
	f.moves.list = append(f.moves.list, again, begun(again), later)
	f.moves.list = append(f.moves.list, again)
	f.moves.start.Begun = 6
	f.moves.counts = []*proto.MigrationCounts{{Running: 6}, {Done: 2, Failed: 4, SpanUs: 1_000_000, MedianUs: 3100, P99Us: 3200}}
	f.moves.start.Missing = []*proto.Missing{{Host: "mb2", Error: "20 of its 20 migrations not begun, as far as it is known: no answer in time"}}
}
