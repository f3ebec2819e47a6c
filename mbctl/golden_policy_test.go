// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"maps"
	"testing"

	"connectrpc.com/connect"

	"mbchain/proto"
)

// TestGoldenPolicy runs the commands for writing, trying and taking back policies.
func TestGoldenPolicy(t *testing.T) {
	odd := func(f *fake, _ *testWorld) {
		f.check = &proto.CheckResponse{Rules: 2, Types: 2, Instances: 3, Warnings: []*proto.Diagnostic{{
			Line: 2, Column: 1, Width: 1, Message: `host mb1 does not offer NF type "firewall": start its agentd with --nf-type firewall, or take it out of the type`}}}
	}
	noHistory := func(f *fake, w *testWorld) {
		noPolicy(f, w)
		f.history = &proto.HistoryResponse{}
	}
	applied := func(f *fake, _ *testWorld) {
		f.apply = func(req *proto.ApplyRequest) (*proto.ApplyResponse, error) {
			if req.GetIfVersion() != 8 || req.RollbackOf == 0 || req.Source != f.old[req.RollbackOf].Source {
				return nil, connect.NewError(connect.CodeAborted, errors.New("version 8 is running"))
			}
			return &proto.ApplyResponse{Version: 9, Rules: 3, Hosts: 5}, nil
		}
	}
	testGolden(t, lab, []goldenTest{
		{name: "help_policy_test", line: "policy  test  --help"},
		{name: "help_policy_diff", line: "policy  diff  --help"},

		{name: "policy_check_hosts", line: "policy  check  web.policy  --hosts", set: odd},
		{name: "policy_check_documents", line: "policy  check  etc/types.policy  etc/web.policy"},
		{name: "policy_check_documents_wrong", line: "policy  check  etc/types.policy  etc/web.policy  etc/mail.policy"},
		{name: "policy_check_documents_wrong_json", line: "policy  check  etc/types.policy  etc/mail.policy  --json"},
		{name: "policy_check_documents_twice", line: "policy  check  etc/web.policy  web.policy"},
		{name: "policy_apply_documents", line: "policy  apply  etc/types.policy  etc/web.policy"},

		{name: "policy_fmt", line: "policy  fmt  etc/types.policy  etc/web.policy"},
		{name: "policy_fmt_json", line: "policy  fmt  etc/web.policy  web.policy  --json"},
		{name: "policy_fmt_check", line: "policy  fmt  --check  etc/types.policy  web.policy  etc/web.policy"},
		{name: "policy_fmt_write", line: "policy  fmt  --write  etc/types.policy  web.policy"},
		{name: "policy_fmt_wrong", line: "policy  fmt  --write  etc/types.policy  etc/mail.policy"},
		{name: "policy_fmt_stdin", line: "policy  fmt  --write  -"},
		{name: "policy_fmt_both", line: "policy  fmt  --write  --check  web.policy"},

		{name: "policy_test", line: "policy  test  web.test"},
		{name: "policy_test_json", line: "policy  test  strict.test  --json"},
		{name: "policy_test_failed", line: "policy  test  strict.test  --policy  etc/types.policy  --policy  etc/web.policy"},
		{name: "policy_test_wrong", line: "policy  test  wrong.test"},
		{name: "policy_test_wrong_policy", line: "policy  test  web.test  --policy  wrong.policy"},
		{name: "policy_test_none", line: "policy  test  web.test", set: noPolicy},

		{name: "policy_diff", line: "policy  diff  web.policy  --from  7"},
		{name: "policy_diff_json", line: "policy  diff  --from  7  --json"},
		{name: "policy_diff_versions", line: "policy  diff  --from  6  --to  7"},
		{name: "policy_diff_same", line: "policy  diff  web.policy"},
		{name: "policy_diff_colour", line: "policy  diff  --from  7", set: func(_ *fake, w *testWorld) { w.colour = true }},
		{name: "policy_diff_gone", line: "policy  diff  --from  2"},
		{name: "policy_diff_wrong", line: "policy  diff  wrong.policy"},
		{name: "policy_diff_nothing", line: "policy  diff"},
		{name: "policy_diff_too_much", line: "policy  diff  web.policy  --to  7"},

		{name: "policy_show_version", line: "policy  show  --version  7"},
		{name: "policy_show_version_json", line: "policy  show  --version  7  --json"},
		{name: "policy_show_version_gone", line: "policy  show  --version  2"},

		{name: "policy_history", line: "policy  history"},
		{name: "policy_history_json", line: "policy  history  --json"},
		{name: "policy_history_none", line: "policy  history", set: noHistory},

		{name: "policy_rollback", line: "policy  rollback", set: applied},
		{name: "policy_rollback_json", line: "policy  rollback  6  --json", set: applied},
		{name: "policy_rollback_race", line: "policy  rollback  6  --if-version  7", set: applied},
		{name: "policy_rollback_gone", line: "policy  rollback  2", set: applied},
		{name: "policy_rollback_wrong", line: "policy  rollback  seven"},
		{name: "policy_rollback_none", line: "policy  rollback", set: noHistory},
		{name: "policy_rollback_first", line: "policy  rollback", set: func(f *fake, _ *testWorld) { f.history.Versions = f.history.Versions[:1] }},

		{name: "policy_explain_document", line: "policy  explain  10.0.0.1:40000  10.0.0.4:80", set: func(f *fake, _ *testWorld) {
			answer, _ := explainWeb(&proto.ExplainRequest{Tuple: tuple("10.0.0.1", 40000, "10.0.0.4", 80)})
			answer.Document, answer.RuleName = "web.policy", "web"
			f.explain = func(*proto.ExplainRequest) (*proto.ExplainResponse, error) { return answer, nil }
		}},
	}, func(w *testWorld) {
		maps.Copy(w.files, documents)
		w.files["web.policy"] = webPolicy
		w.files["wrong.policy"] = wrongText
	})
}

func TestPolicyFmtRewritesWhatChanges(t *testing.T) {
	w := newTestWorld(t, lab())
	maps.Copy(w.files, documents)
	if code := w.run(t.Context(), []string{"policy", "fmt", "--write", "etc/web.policy"}); code != exitOK {
		t.Fatalf("exit %d: %s", code, w.err.String())
	}
	if got, want := w.files["etc/web.policy"], "# web\nrule web match(dstport=80 & srcip=office) >> {firewall -> ids}\n"; got != want {
		t.Errorf("file is %q, want %q", got, want)
	}
}
