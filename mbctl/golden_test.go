// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	"mbchain/proto"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew")

// TestGolden runs commands and compares what they print with a transcript.
func TestGolden(t *testing.T) {
	testGolden(t, lab, []goldenTest{
		{name: "help", line: "--help"},
		{name: "help_policy", line: "help  policy"},
		{name: "help_policy_apply", line: "policy  apply  --help"},
		{name: "help_session_show", line: "help  session  show"},
		{name: "help_completion", line: "completion  -h"},
		{name: "nothing", line: ""},
		{name: "unknown_noun", line: "sessions"},
		{name: "unknown_verb", line: "session  drop"},
		// What could not be written was written as far as anybody could tell.
		{name: "unwritten", line: "policy  show  --source", set: func(_ *fake, w *testWorld) { w.stdout = fullDisk{} }},
		{name: "unknown_option", line: "session  list  --hots  mb1"},
		// An option in front of its command once took the command for its value.
		{name: "option_without_value", line: "policy  check  web.policy  --agent"},
		{name: "timeout_zero", line: "status  --timeout  0s"},
		{name: "agent_wrong_command", line: "host  list  --agent  " + agentSocket},
		{name: "policyd_wrong", line: "host  list  --policyd  10.0.0.1"},

		{name: "version", line: "version"},
		{name: "version_json", line: "version  --json"},

		{name: "status", line: "status"},
		{name: "status_json", line: "status  --json"},
		{name: "status_new", line: "status", set: func(f *fake, _ *testWorld) {
			f.policies = []*proto.GetResponse{{}}
			f.hosts.Hosts = nil
		}},
		{name: "status_healthy", line: "status", set: func(f *fake, _ *testWorld) {
			f.policies = []*proto.GetResponse{policyNow(onHost("mb1", 8, 8, ""))}
		}},
		{name: "status_agent", line: "status  --agent  " + agentSocket},
		{name: "status_agent_alone", line: "status  --agent  " + agentSocket, set: func(f *fake, _ *testWorld) {
			f.local.PolicydConnected = false
			f.local.PolicyVersion, f.local.PolicyError = 7, "no space left on device"
		}},
		{name: "status_agent_no_module", line: "status  --agent  " + agentSocket, set: withoutModule},
		{name: "host_list_no_module", line: "host  list", set: withoutModule},
		{name: "status_agent_json", line: "status  --json  --agent  " + agentSocket},
		{name: "refused", line: "status  --policyd  10.0.0.9:7400"},
		{name: "refused_env", line: "status", set: func(_ *fake, w *testWorld) {
			w.env["MBCHAIN_POLICYD"] = "10.0.0.8:7400"
		}},
		{name: "refused_agent", line: "session  list  --agent  /tmp/none.sock"},
		{name: "not_now", line: "host  list", set: failing(connect.CodeUnavailable, "no leader")},
		{name: "too_old", line: "host  list", set: failing(connect.CodeUnimplemented, "unknown method")},

		{name: "policy_check", line: "policy  check  web.policy"},
		{name: "policy_check_json", line: "policy  check  web.policy  --json"},
		{name: "policy_check_wrong", line: "policy  check  wrong.policy"},
		{name: "policy_check_wrong_json", line: "policy  check  -  --json", set: func(_ *fake, w *testWorld) {
			w.stdin = strings.NewReader(wrongText)
		}},
		{name: "policy_check_no_file", line: "policy  check  none.policy"},
		{name: "policy_check_no_operand", line: "policy  check"},
		{name: "policy_check_two", line: "policy  check  a  b"},

		{name: "policy_apply", line: "policy  apply  web.policy"},
		{name: "policy_apply_json", line: "policy  apply  web.policy  --json"},
		{name: "policy_apply_warned", line: "policy  apply  web.policy", set: warning},
		{name: "policy_apply_warned_json", line: "policy  apply  web.policy  --json", set: warning},
		{name: "policy_check_warned", line: "policy  check  -", set: func(_ *fake, w *testWorld) {
			w.stdin = strings.NewReader("type ids { 10.0.0.3 }\nmatch(any) >> {}\nmatch(dstport=80) >> {ids}\n")
		}},
		{name: "policy_apply_unchanged", line: "policy  apply  -", set: func(f *fake, w *testWorld) {
			w.stdin = strings.NewReader(webPolicy)
			f.apply = func(*proto.ApplyRequest) (*proto.ApplyResponse, error) {
				return &proto.ApplyResponse{Version: 8, Rules: 2, Unchanged: true}, nil
			}
		}},
		{name: "policy_apply_wait", line: "policy  apply  web.policy  --wait", set: accepting},
		{name: "policy_apply_wait_refused", line: "policy  apply  web.policy  --wait", set: refusing},
		{name: "policy_apply_wait_refused_json", line: "policy  apply  web.policy  --wait  --json", set: refusing},
		{name: "policy_apply_wrong", line: "policy  apply  wrong.policy", set: misjudging},
		{name: "policy_apply_wrong_json", line: "policy  apply  wrong.policy  --json", set: misjudging},
		{name: "policy_apply_race", line: "policy  apply  web.policy  --if-version  7", set: func(f *fake, _ *testWorld) {
			f.apply = func(req *proto.ApplyRequest) (*proto.ApplyResponse, error) {
				return nil, connect.NewError(connect.CodeAborted,
					fmt.Errorf("version 8 is running, not %d", req.GetIfVersion()))
			}
		}},
		{name: "policy_apply_unknown", line: "policy  apply  web.policy", set: failing(connect.CodeUnknown, "outcome unknown: leadership lost")},

		{name: "policy_show", line: "policy  show"},
		{name: "policy_show_json", line: "policy  show  --json"},
		{name: "policy_show_source", line: "policy  show  --source"},
		{name: "policy_show_none", line: "policy  show", set: noPolicy},
		{name: "policy_show_source_none", line: "policy  show  --source", set: noPolicy},

		{name: "policy_explain", line: "policy  explain  10.0.0.1:40000  10.0.0.4:80  tcp"},
		{name: "policy_explain_json", line: "policy  explain  --json  10.0.0.1:40000 -> 10.0.0.4:80 tcp"},
		{name: "policy_explain_empty", line: "policy  explain  10.9.0.1:40000→10.0.0.4:81"},
		{name: "policy_explain_problem", line: "policy  explain  10.0.0.1:40000  ->  192.0.2.1:82"},
		{name: "policy_explain_no_match", line: "policy  explain  10.0.0.1:40000  10.0.0.4:22"},
		{name: "policy_explain_wrong", line: "policy  explain  10.0.0.1  10.0.0.4:80"},

		{name: "session_list", line: "session  list"},
		{name: "session_list_json", line: "session  list  --json  --match  dstport=443"},
		{name: "session_list_host", line: "session  list  --host  mb1  --state  established"},
		{name: "session_list_none", line: "session  list  --match  dstport=22", set: answered},
		{name: "session_list_match_wrong", line: "session  list  --match  dstprt=22"},
		{name: "session_list_state_wrong", line: "session  list  --state  open"},
		{name: "session_list_truncated", line: "session  list  --limit  1", set: func(f *fake, _ *testWorld) {
			f.sessions.Truncated = true
		}},
		// The limit was cut to 32 bits: 4294967297 sessions were 1.
		{name: "session_list_limit_wrong", line: "session  list  --limit  4294967297"},
		{name: "session_list_limit_refused", line: "session  list  --limit  20000",
			set: failing(connect.CodeInvalidArgument, "limit: 20000, at most 10000 sessions are allowed")},
		{name: "session_list_host_agent", line: "session  list  --host  mb1  --agent  " + agentSocket},
		{name: "session_list_agent", line: "--agent  " + agentSocket + "  session  list"},

		{name: "session_show", line: "session  show  3fa"},
		{name: "session_show_ascii", line: "session  show  3fa", set: func(_ *fake, w *testWorld) { w.utf8 = false }},
		{name: "session_show_colour", line: "session  show  3fa", set: func(_ *fake, w *testWorld) { w.colour = true }},
		{name: "session_show_json", line: "session  show  3FAC  --json"},
		{name: "session_show_missing", line: "session  show  --match  dstport=443"},
		{name: "session_show_only_alive", line: "session  show  --match  dstport=80"},
		{name: "session_show_several", line: "session  show"},
		{name: "session_show_none", line: "session  show  ff"},
		{name: "session_show_bad_id", line: "session  show  mb1"},
		{name: "session_show_agent", line: "session  show  3fa  --agent  " + agentSocket},
		{name: "session_show_contradiction", line: "session  show  3fa", set: contradicting},

		{name: "host_list", line: "host  list"},
		{name: "host_list_json", line: "host  list  --json"},
		{name: "host_list_none", line: "host  list", set: func(f *fake, _ *testWorld) { f.hosts.Hosts = nil }},
		{name: "host_show", line: "host  show  mb3"},
		{name: "host_show_json", line: "host  show  mb1  --json"},
		{name: "host_show_none", line: "host  show  mb9"},

		{name: "stats", line: "stats"},
		{name: "stats_all", line: "stats  --host  client  --all", set: answered},
		{name: "stats_json", line: "stats  --host  mb1  --json"},
		{name: "stats_agent", line: "stats  --agent  " + agentSocket},

		{name: "completion_bash", line: "completion  bash"},
		{name: "completion_unknown", line: "completion  csh"},
	}, func(w *testWorld) {
		w.files["web.policy"] = webPolicy
		w.files["wrong.policy"] = wrongText
	})
}

// goldenTest is a command whose transcript is testdata/NAME.golden.
type goldenTest struct {
	name string
	line string // arguments, separated by two spaces
	set  func(*fake, *testWorld)
}

// testGolden runs each test in a domain of its own.
func testGolden(t *testing.T, domain func() *fake, tests []goldenTest, prepare func(*testWorld)) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := domain()
			w := newTestWorld(t, f)
			prepare(w)
			if tt.set != nil {
				tt.set(f, w)
			}
			args := strings.Split(tt.line, "  ")
			if tt.line == "" {
				args = nil
			}
			code := w.run(t.Context(), args)
			got := fmt.Sprintf("$ mbctl %s\n%s--- stderr\n%s--- exit %d\n",
				strings.Join(args, " "), w.out.String(), w.err.String(), code)
			compareGolden(t, tt.name, got)
		})
	}
}

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with: go test ./mbctl -run 'TestGolden/%s$' -update", err, name)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func failing(code connect.Code, message string) func(*fake, *testWorld) {
	return func(f *fake, _ *testWorld) { f.err = connect.NewError(code, errors.New(message)) }
}

func noPolicy(f *fake, _ *testWorld) { f.policies = []*proto.GetResponse{{}} }

// answered is a domain in which every host answers.
func answered(f *fake, _ *testWorld) { f.sessions.Missing, f.stats.Missing = nil, nil }

// accepting hosts take the policy, one after the other.
func accepting(f *fake, _ *testWorld) {
	gone := away(onHost("mb3", 5, 5, ""))
	f.policies = []*proto.GetResponse{
		policyNow(onHost("client", 7, 8, ""), onHost("mb1", 7, 7, "an old story"), gone),
		policyNow(onHost("client", 8, 8, ""), onHost("mb1", 7, 8, ""), gone),
		policyNow(onHost("client", 8, 8, ""), onHost("mb1", 8, 8, ""), gone),
	}
}

// refusing is a domain in which mb1 refuses and mb2 is silent until the
// command's time is up.
func refusing(f *fake, w *testWorld) {
	f.policies = []*proto.GetResponse{
		policyNow(onHost("client", 7, 8, ""), onHost("mb1", 7, 8, ""), onHost("mb2", 7, 8, "")),
		policyNow(onHost("client", 8, 8, ""), onHost("mb1", 7, 8, "no space left on device"), onHost("mb2", 7, 8, "")),
	}
	w.expireAt(2)
}

// withoutModule is a domain in which mb1 has lost its module.
func withoutModule(f *fake, _ *testWorld) {
	lost := &proto.HostStatus{
		Host: "mb1", AgentVersion: "0.1.0", Kernel: "6.12.9", OfferedVersion: 8,
		PolicyError: "find module: mbchain is not available in this kernel: modprobe mbchain",
		Policyd:     "10.255.0.100:7400", PolicydConnected: true,
	}
	f.local = lost
	for _, h := range f.hosts.Hosts {
		if h.Name == lost.Host {
			h.Status = lost
		}
	}
}

func warning(f *fake, _ *testWorld) {
	f.apply = func(*proto.ApplyRequest) (*proto.ApplyResponse, error) {
		return &proto.ApplyResponse{Version: 8, Rules: 2, Hosts: 4, Warnings: []*proto.Diagnostic{{
			Line: 5, Column: 1, Width: 5, Message: "rule 2 never matches", Text: "match(srcip=10.9.0.0/16) >> {}"}}}, nil
	}
}

func misjudging(f *fake, _ *testWorld) {
	f.apply = func(*proto.ApplyRequest) (*proto.ApplyResponse, error) {
		return nil, wrongPolicy(&proto.Diagnostic{Line: 2, Column: 7, Width: 6,
			Message: `unknown field "dstprt"`, Text: "match(dstprt=80) >> {firewall}"})
	}
}

// contradicting hosts: mb1 answers twice, mb3 stands where mb2 does, and the
// server knows another supersession.
func contradicting(f *fake, _ *testWorld) {
	parts := webSession(0x3f)
	again := &proto.Session{Id: parts[1].Id, Host: "mb1", Role: proto.Role_ROLE_MIDDLE, State: "syn",
		Super: parts[1].Super, Hops: []string{"10.0.0.4"}}
	usurper := &proto.Session{Id: parts[1].Id, Host: "mb3", Role: proto.Role_ROLE_MIDDLE, State: "syn",
		Super: parts[1].Super, Hops: []string{"10.0.0.4"}}
	parts[0].Super = tuple("198.51.100.1", 7777, "10.0.0.4", 80)
	f.sessions.Sessions = append([]*proto.Session{usurper, again}, parts...)
}
