// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/proto"
)

func TestMigrateAsksForWhatTheOptionsSay(t *testing.T) {
	tests := []struct {
		line string
		want *proto.StartMigrationsRequest
	}{
		{"migrate insert 3fac --host mb2,mb3 --before server --patience 250ms",
			&proto.StartMigrationsRequest{Session: []byte{0x3f, 0xac}, PatienceMs: 250, Change: &proto.StartMigrationsRequest_Insert{
				Insert: &proto.InsertHosts{Hosts: []string{"mb2", "mb3"}, Before: "server"}}}},
		{"migrate remove 3FA --host mb1 --host mb2 --guarantee substream",
			&proto.StartMigrationsRequest{Session: id(0x3f), Guarantee: proto.Guarantee_GUARANTEE_SUBSTREAM,
				Change: &proto.StartMigrationsRequest_Remove{Remove: &proto.RemoveHosts{Hosts: []string{"mb1", "mb2"}}}}},
		{"migrate replace --match dstport=80 --from mb1,mb2 --to mb3 --state conntrack --dry-run",
			&proto.StartMigrationsRequest{Match: "dstport=80", DryRun: true, StateMethod: proto.StateMethod_STATE_METHOD_CONNTRACK,
				Change: &proto.StartMigrationsRequest_Replace{Replace: &proto.ReplaceHosts{From: []string{"mb1", "mb2"}, To: []string{"mb3"}}}}},
		{"migrate replace --match any --from mb1 --to mb3 --state none --guarantee loss-free",
			&proto.StartMigrationsRequest{Match: "any", Guarantee: proto.Guarantee_GUARANTEE_LOSS_FREE,
				Change: &proto.StartMigrationsRequest_Replace{Replace: &proto.ReplaceHosts{From: []string{"mb1"}, To: []string{"mb3"}}}}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			f := movedLab()
			w := newTestWorld(t, f)
			if code := w.run(t.Context(), strings.Fields(tt.line)); code != exitOK {
				t.Fatalf("exit %d: %s", code, w.err.String())
			}
			if !tt.want.DryRun {
				tt.want.Job = labJob
			}
			if diff := cmp.Diff(tt.want, f.moves.started, protocmp.Transform()); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAbortOfOneMigrationNamesItWhole(t *testing.T) {
	f := movedLab()
	w := newTestWorld(t, f)
	// Of the two that begin so, one is over.
	if code := w.run(t.Context(), []string{"migrate", "abort", "5f3a"}); code != exitOK {
		t.Fatalf("exit %d: %s", code, w.err.String())
	}
	if diff := cmp.Diff(&proto.AbortMigrationsRequest{Id: 0x5f3a90c1_77889900}, f.moves.aborted, protocmp.Transform()); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestTriesOfAMigrationLeadToIt(t *testing.T) {
	w := newTestWorld(t, movedLab())
	if code := w.run(t.Context(), []string{"migrate", "show", "5f3a90c177889903"}); code != exitOK {
		t.Fatalf("exit %d: %s", code, w.err.String())
	}
	if !strings.Contains(w.out.String(), "5f3a90c177889900") {
		t.Errorf("output:\n%s", w.out.String())
	}
}

func TestInterruptedWaitAbortsNothing(t *testing.T) {
	f := movedLab()
	f.moves.counts = []*proto.MigrationCounts{{Running: 2}}
	w := newTestWorld(t, f)
	ctx, interrupt := context.WithCancel(t.Context())
	w.sleep = func(context.Context, time.Duration) error {
		interrupt()
		return context.Canceled
	}
	if code := w.run(ctx, strings.Fields("migrate replace --match any --from mb1 --to mb3 --wait")); code != exitFailure {
		t.Errorf("exit %d, want %d", code, exitFailure)
	}
	for _, want := range []string{"they go on", "mbctl migrate list --job 00000000c0ffee00", "mbctl migrate abort --job 00000000c0ffee00"} {
		if !strings.Contains(w.err.String(), want) {
			t.Errorf("stderr %q does not say %q", w.err.String(), want)
		}
	}
	if f.moves.aborted != nil {
		t.Errorf("asked to abort %v", f.moves.aborted)
	}
}

func TestWaitThatLosesPolicydSaysThatTheMigrationsGoOn(t *testing.T) {
	f := movedLab()
	f.moves.counts = []*proto.MigrationCounts{{Running: 2}}
	w := newTestWorld(t, f)
	w.sleep = func(context.Context, time.Duration) error {
		f.err = connect.NewError(connect.CodeUnavailable, errors.New("connection lost"))
		return nil
	}
	if code := w.run(t.Context(), strings.Fields("migrate replace --match any --from mb1 --to mb3 --wait")); code != exitUnreachable {
		t.Errorf("exit %d, want %d", code, exitUnreachable)
	}
	if want := "the migrations go on: look at them with `mbctl migrate list --job 00000000c0ffee00`"; !strings.Contains(w.err.String(), want) {
		t.Errorf("stderr %q does not say %q", w.err.String(), want)
	}
}

// An agent that is away for a moment is waited for; one that leads none of the
// migrations is not.
func TestWaitIsForTheAgentsThatLead(t *testing.T) {
	got := &proto.StartMigrationsResponse{Job: 1, Begun: 1, Migrations: []*proto.Migration{{LeftHost: "client"}}}
	done := &proto.MigrationCounts{Done: 1}
	tests := []struct {
		name    string
		begun   uint32
		counts  *proto.MigrationCounts
		missing string
		want    bool
	}{
		{"running", 1, &proto.MigrationCounts{Running: 1}, "", false},
		{"all done", 1, done, "client", true},
		{"the leader is away", 1, nil, "client", false},
		{"another is away", 1, nil, "mb2", true},
		{"forgotten", 1, nil, "", true},
		{"somebody who may lead is away", 2, done, "mb2", false},
		{"of many, all answered", 2, done, "", true},
	}
	for _, tt := range tests {
		got.Begun = tt.begun
		list := &proto.ListMigrationsResponse{Counts: tt.counts}
		if tt.missing != "" {
			list.Missing = []*proto.Missing{{Host: tt.missing}}
		}
		if over := newFollowing(nil, nil, got, true).isOver(list); over != tt.want {
			t.Errorf("%s: over %v, want %v", tt.name, over, tt.want)
		}
	}
}

func TestWaitHasALongTimeoutOfItsOwn(t *testing.T) {
	tests := []struct {
		line string
		want time.Duration
	}{
		{"migrate remove 3f --host mb1", defaultTimeout},
		{"migrate remove 3f --host mb1 --wait", migrateWait},
		{"migrate remove 3f --host mb1 --wait --timeout 7s", 7 * time.Second},
		{"migrate remove 3f --host mb1 --wait --timeout 10s", 10 * time.Second},
	}
	for _, tt := range tests {
		f := movedLab()
		f.moves.counts = []*proto.MigrationCounts{{Done: 2}}
		w := newTestWorld(t, f)
		var got time.Duration
		w.limit = func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
			got = d
			return context.WithCancel(ctx)
		}
		if code := w.run(t.Context(), strings.Fields(tt.line)); code != exitOK {
			t.Errorf("%s: exit %d: %s", tt.line, code, w.err.String())
		}
		if got != tt.want {
			t.Errorf("%s: limit %v, want %v", tt.line, got, tt.want)
		}
	}
}

func TestEveryReasonIsExplained(t *testing.T) {
	text, err := os.ReadFile("../docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n### Reasons of a REJECT, a REFUSE and a failed wish\n")
	if !found {
		t.Fatal("docs/PROTOCOL.md has no section on reasons of migrations")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	words := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(section, -1)
	if len(words) < 10 {
		t.Fatalf("only %d reasons in docs/PROTOCOL.md", len(words))
	}
	for _, m := range words {
		if reasons[m[1]] == "" {
			t.Errorf("no sentence for the reason %s", m[1])
		}
	}
}

func TestWordsOfOptionsAreThoseOfTheProtocol(t *testing.T) {
	for n, name := range proto.Guarantee_name {
		if want := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, "GUARANTEE_"), "_", "-")); n > 0 && guaranteeText(proto.Guarantee(n)) != want {
			t.Errorf("guarantee %d is %q, want %q", n, guaranteeText(proto.Guarantee(n)), want)
		}
	}
	for n, name := range proto.StateMethod_name {
		if want := strings.ToLower(strings.TrimPrefix(name, "STATE_METHOD_")); n > 0 && methodText(proto.StateMethod(n)) != want {
			t.Errorf("method %d is %q, want %q", n, methodText(proto.StateMethod(n)), want)
		}
	}
}

func TestEveryStepIsExplained(t *testing.T) {
	text, err := os.ReadFile("../proto/migration.proto")
	if err != nil {
		t.Fatal(err)
	}
	_, comment, found := strings.Cut(string(text), "message MigrationStep {\n  string name = 1;")
	if !found {
		t.Fatal("no names of steps in proto/migration.proto")
	}
	line, _, _ := strings.Cut(comment, "\n")
	words := regexp.MustCompile(`"([a-z]+)"`).FindAllStringSubmatch(line, -1)
	if len(words) != len(steps) {
		t.Errorf("%d steps in proto/migration.proto, %d are explained", len(words), len(steps))
	}
	for _, m := range words {
		if steps[m[1]] == "" {
			t.Errorf("no sentence for the step %s", m[1])
		}
	}
}
