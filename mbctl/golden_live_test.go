// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"testing"

	"connectrpc.com/connect"

	"mbchain/proto"
)

// TestGoldenLive is of policies that concern live sessions, and of what hosts ask for.
func TestGoldenLive(t *testing.T) {
	local := "--agent  " + agentSocket + "  "
	testGolden(t, movedLab, []goldenTest{
		{name: "policy_apply_live", line: "policy  apply  web.policy", set: applyLive(labJob, following5())},
		{name: "policy_apply_live_json", line: "policy  apply  web.policy  --json", set: applyLive(labJob, following5())},
		{name: "policy_apply_live_none", line: "policy  apply  web.policy", set: applyLive(0, &proto.LiveSessions{Keep: 9})},
		{name: "policy_apply_live_silent", line: "policy  apply  web.policy", set: applyLive(labJob, &proto.LiveSessions{Keep: 9,
			Missing: []*proto.Missing{{Host: "mb2", Error: "no answer in time"}}})},
		{name: "policy_apply_live_uncounted", line: "policy  apply  web.policy", set: applyLive(labJob, nil)},
		{name: "policy_apply_dry_run", line: "policy  apply  web.policy  --dry-run", set: checkLive},
		{name: "policy_apply_dry_run_json", line: "policy  apply  web.policy  --dry-run  --json", set: checkLive},
		{name: "policy_apply_dry_run_wrong", line: "policy  apply  wrong.policy  --dry-run", set: func(f *fake, _ *testWorld) {
			f.check = &proto.CheckResponse{Errors: []*proto.Diagnostic{{Line: 2, Column: 7, Width: 6,
				Message: `unknown field "dstprt"`, Text: "match(dstprt=80) >> {firewall}"}}}
		}},
		{name: "policy_apply_dry_run_wait", line: "policy  apply  web.policy  --dry-run  --wait"},
		{name: "policy_apply_dry_run_too_old", line: "policy  apply  web.policy  --dry-run", set: func(f *fake, _ *testWorld) {
			f.check = &proto.CheckResponse{Rules: 2}
		}},

		{name: "help_migrate_request", line: "migrate  request  --help"},
		{name: "migrate_leave", line: local + "migrate  leave  3fac0d"},
		{name: "migrate_leave_json", line: local + "migrate  leave  3FAC0  --json"},
		{name: "migrate_leave_default", line: "migrate  leave  3f"},
		{name: "migrate_leave_denied", line: local + "migrate  leave  3f", set: denying(connect.CodePermissionDenied,
			`rule 1 (line 4) does not let firewall, which mb1 runs, leave a session: write "may-leave firewall" behind its chain`)},
		{name: "migrate_leave_away", line: local + "migrate  leave  3f", set: denying(connect.CodeUnavailable,
			"ask: only policyd knows what the policy lets a host ask for, and it cannot be reached: policyd is away")},
		{name: "migrate_leave_none", line: local + "migrate  leave  99"},
		{name: "migrate_leave_one_that_lives", line: local + "migrate  leave  3"},
		{name: "migrate_leave_bad_id", line: local + "migrate  leave  mb1"},
		{name: "migrate_request", line: local + "migrate  request  dpi  3f"},
		{name: "migrate_request_json", line: local + "migrate  request  dpi  3f  --json"},
		{name: "migrate_request_no_session", line: local + "migrate  request  dpi"},
		{name: "migrate_request_not_now", line: local + "migrate  request  dpi  3f", set: denying(connect.CodeFailedPrecondition,
			"session 3fac0d51515151515151515151515151 stays as it is: mb5 is on its chain already")},
		{name: "migrate_insert_late", line: "migrate  insert  3f  --host  mb3  --after  client",
			set: failing(connect.CodeDeadlineExceeded, "context deadline exceeded")},
	}, func(w *testWorld) {
		w.files["web.policy"] = webPolicy
		w.files["wrong.policy"] = wrongText
	})
}

func following5() *proto.LiveSessions {
	return &proto.LiveSessions{Migrate: 3, Resets: 1, Stay: 1, Keep: 1040,
		Skipped: []*proto.Skipped{{Session: id(0x3f), Reason: "its client 10.9.0.1 runs no agent that could reset it"}},
		Missing: []*proto.Missing{{Host: "mb2", Error: "not connected"}}}
}

func applyLive(job uint64, live *proto.LiveSessions) func(*fake, *testWorld) {
	return func(f *fake, _ *testWorld) {
		f.apply = func(*proto.ApplyRequest) (*proto.ApplyResponse, error) {
			return &proto.ApplyResponse{Version: 8, Rules: 2, Hosts: 5, LiveJob: job, Live: live}, nil
		}
	}
}

func checkLive(f *fake, _ *testWorld) {
	f.apply = func(*proto.ApplyRequest) (*proto.ApplyResponse, error) { return nil, errors.New("applied") }
	f.check = &proto.CheckResponse{Rules: 2, Types: 2, Instances: 3, Live: following5()}
}

func denying(code connect.Code, message string) func(*fake, *testWorld) {
	return func(f *fake, _ *testWorld) { f.askErr = connect.NewError(code, errors.New(message)) }
}
