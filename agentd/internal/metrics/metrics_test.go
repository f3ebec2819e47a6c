// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"mbchain/agentd/internal/agent"
	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
	"mbchain/agentd/internal/mover"
	"mbchain/agentd/internal/probe"
	"mbchain/agentd/internal/setup"
	"mbchain/agentd/internal/subpolicy"
	"mbchain/monitor/monitortest"
	"mbchain/proto"
)

var (
	_ setup.Observer = (*Setups)(nil)
	_ mover.Observer = (*Migrations)(nil)
)

const docs = "../../../docs"

// host is what agentd knows, made up.
type host struct {
	snapshot agent.Snapshot
	counters []*proto.Counter
	err      error
	asked    int // how often the module was
	expires  time.Time
}

// healthy is a host that has all there is.
func healthy() *host {
	return &host{
		snapshot: agent.Snapshot{
			Present: true, NFInPlace: true, Connected: true, NFTypes: []string{"firewall", "ids"},
			Probe: probe.Result{Done: true, Failed: true},
			Module: kernel.Info{
				ModuleVersion: "0.9", Rules: 4, Sessions: 17, MaxSessions: 1000, SessionBytes: 600, TableBytes: 4096,
			},
			Policy: subpolicy.Status{State: subpolicy.Idle, Running: 7, Offered: 7},
		},
		counters: []*proto.Counter{{Name: "rewritten_in", Value: 5}, {Name: "blocked", Value: 2}},
	}
}

func (h *host) metrics() *Metrics {
	m := New("1.2.3")
	m.Watch(Sources{
		Snapshot: func() agent.Snapshot { return h.snapshot },
		Counters: func(ctx context.Context) ([]*proto.Counter, error) {
			h.asked++
			if _, bounded := ctx.Deadline(); !bounded {
				return nil, errors.New("asked without a limit in time")
			}
			return h.counters, h.err
		},
		Setups:     func() (own, asked int) { return 1, 2 },
		Migrations: func() (queued, running, window int) { return 3, 4, 8 },
		Accepted:   func() int { return 5 },
		Reached:    func() (reached, not int) { return 6, 1 },
		Expires:    func() time.Time { return h.expires },
	})
	return m
}

// want checks the series of some families, in the text format.
func want(t *testing.T, m *Metrics, text string) {
	t.Helper()
	var names []string
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, " ")
		name, _, _ = strings.Cut(name, "{")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	families := monitortest.Families(t, m.Gatherer())
	for _, name := range names {
		if _, there := families[name]; !there {
			t.Errorf("%s is not shown", name)
		}
	}
	if err := testutil.GatherAndCompare(m.Gatherer(), strings.NewReader(withTypes(t, m, text)), names...); err != nil {
		t.Error(err)
	}
}

// withTypes adds the lines that the comparison wants.
func withTypes(t *testing.T, m *Metrics, text string) string {
	t.Helper()
	all, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range all {
		if strings.HasPrefix(text, f.GetName()) || strings.Contains(text, "\n"+f.GetName()) {
			fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", f.GetName(), f.GetHelp(), f.GetName(), strings.ToLower(f.GetType().String()))
		}
	}
	return b.String() + text
}

func TestCertificate(t *testing.T) {
	h := healthy()
	want(t, h.metrics(), "mbchain_agentd_certificate_expires_timestamp_seconds 0\n")
	h.expires = time.Unix(1_800_000_000, 5)
	want(t, h.metrics(), "mbchain_agentd_certificate_expires_timestamp_seconds 1.8e+09\n")
}

func TestMetricsAreAsDocumented(t *testing.T) {
	monitortest.Check(t, healthy().metrics().Gatherer(), docs, namespace+"_")
}

func TestScrape(t *testing.T) {
	h := healthy()
	want(t, h.metrics(), `mbchain_agentd_module_events_total{reason="blocked"} 2
mbchain_agentd_module_events_total{reason="rewritten_in"} 5
mbchain_agentd_module_info{version="0.9"} 1
mbchain_agentd_module_present 1
mbchain_agentd_nf_in_place 1
mbchain_agentd_nf_info{nf="inline"} 1
mbchain_agentd_nf_probe_failed 1
mbchain_agentd_nf_type_info{nf_type="firewall"} 1
mbchain_agentd_nf_type_info{nf_type="ids"} 1
mbchain_agentd_peer_connections{opened_by="other"} 5
mbchain_agentd_peer_connections{opened_by="this"} 6
mbchain_agentd_peers_unreached 1
mbchain_agentd_policy_offered_version 7
mbchain_agentd_policy_problem 0
mbchain_agentd_policy_rules 4
mbchain_agentd_policy_version 7
mbchain_agentd_policyd_connected 1
mbchain_agentd_session_bytes 600
mbchain_agentd_sessions 17
mbchain_agentd_sessions_max 1000
mbchain_agentd_setups_running{origin="asked"} 2
mbchain_agentd_setups_running{origin="own"} 1
mbchain_agentd_table_bytes 4096
mbchain_agentd_migrations_queued 3
mbchain_agentd_migrations_running 4
mbchain_agentd_migrations_window 8
`)
}

func TestScrapeAsksTheModuleOnce(t *testing.T) {
	h := healthy()
	m := h.metrics()
	for i := range 3 {
		if _, err := m.Gatherer().Gather(); err != nil {
			t.Fatal(err)
		}
		if h.asked != i+1 {
			t.Fatalf("%d requests after %d scrapes", h.asked, i+1)
		}
	}
}

func TestScrapeWithoutTheModule(t *testing.T) {
	absent := fmt.Errorf("get stats: %w", kernel.ErrAbsent)
	tests := []struct {
		name    string
		present bool
		asked   int
	}{
		{"it is known to be away", false, 0},
		{"it went a moment ago", true, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := healthy()
			h.snapshot.Present, h.err = tt.present, absent
			m := h.metrics()
			want(t, m, `mbchain_agentd_module_present 0
mbchain_agentd_module_read_errors_total 0
mbchain_agentd_nf_in_place 0
mbchain_agentd_policy_offered_version 7
mbchain_agentd_policy_version 0
`)
			h.asked = 0
			shown := monitortest.Families(t, m.Gatherer())
			for _, name := range []string{"mbchain_agentd_sessions", "mbchain_agentd_module_events_total", "mbchain_agentd_module_info"} {
				if _, there := shown[name]; there {
					t.Errorf("%s is shown", name)
				}
			}
			if h.asked != tt.asked {
				t.Errorf("the module was asked %d times, want %d", h.asked, tt.asked)
			}
		})
	}
}

func TestModuleThatDoesNotAnswer(t *testing.T) {
	h := healthy()
	h.counters, h.err = nil, context.DeadlineExceeded
	m := h.metrics()
	want(t, m, "mbchain_agentd_module_present 1\nmbchain_agentd_sessions 17\n")
	h.asked = 0
	before := family(t, m, "mbchain_agentd_module_read_errors_total").GetMetric()[0].GetCounter().GetValue()
	after := family(t, m, "mbchain_agentd_module_read_errors_total").GetMetric()[0].GetCounter().GetValue()
	if h.asked != 2 || after != before+1 {
		t.Errorf("%v errors, then %v, after %d requests", before, after, h.asked)
	}
}

func TestSetups(t *testing.T) {
	m := New("dev")
	m.Setups.Over(true, true, 2*time.Millisecond)
	m.Setups.Over(true, true, 3*time.Millisecond)
	m.Setups.Over(true, false, time.Second)
	m.Setups.Over(false, true, time.Millisecond)
	got := counts(t, m, "mbchain_agentd_setup_duration_seconds", "origin", "outcome")
	wantCounts := map[string]uint64{"own done": 2, "own failed": 1, "asked done": 1, "asked failed": 0}
	if diff := cmp.Diff(wantCounts, got); diff != "" {
		t.Errorf("set-ups (-want +got):\n%s", diff)
	}
}

func TestMigrations(t *testing.T) {
	m := New("dev")
	for range 4 {
		m.Migrations.Began(lock.Ordered)
	}
	m.Migrations.Stepped(lock.Ordered, migrate.StepLocked, time.Millisecond)
	m.Migrations.Stepped(lock.Ordered, migrate.StepDone, time.Millisecond)
	m.Migrations.Released(lock.Ordered)
	m.Migrations.Stepped(lock.Ordered, migrate.StepFailed, time.Millisecond)
	m.Migrations.Done(lock.Ordered, 3*time.Millisecond)
	m.Migrations.Done(lock.Ordered, 0) // begun by an agent before this one
	m.Migrations.Failed(lock.Ordered, lock.Busy)
	m.Migrations.Failed(lock.Ordered, "whatever a stranger says")
	families := []string{"begun", "done", "released"}
	for i, n := range []float64{4, 2, 1} {
		name := "mbchain_agentd_migrations_" + families[i] + "_total"
		want(t, m, fmt.Sprintf("%s{guarantee=\"loss-free\"} 0\n%s{guarantee=\"ordered\"} %v\n%s{guarantee=\"substream\"} 0\n", name, name, n, name))
	}
	failed := m.Migrations.failed
	if busy, other := testutil.ToFloat64(failed.WithLabelValues("ordered", "busy")), testutil.ToFloat64(failed.WithLabelValues("ordered", "other")); busy != 1 || other != 1 {
		t.Errorf("failed because of busy %v, other %v, want 1 each", busy, other)
	}
	if got := counts(t, m, "mbchain_agentd_migration_duration_seconds", "guarantee")["ordered"]; got != 1 {
		t.Errorf("%d durations, want 1", got)
	}
	steps := counts(t, m, "mbchain_agentd_migration_step_duration_seconds", "guarantee", "step")
	if steps["ordered locked"] != 1 || steps["ordered done"] != 1 || len(steps) != 12 {
		t.Errorf("steps %v", steps)
	}
}

// Whatever a module, or other hosts by way of the migrations, come up with, there are
// only so many series.
func TestCardinalityIsBounded(t *testing.T) {
	h := healthy()
	m := h.metrics()
	h.counters = nil
	for i := range 5000 {
		h.counters = append(h.counters, &proto.Counter{Name: fmt.Sprintf("made_up_%d", i), Value: 1})
		h.snapshot.NFTypes = append(h.snapshot.NFTypes, fmt.Sprintf("type%d", i))
		m.Migrations.Failed(lock.Guarantee(i), lock.Reason(fmt.Sprintf("reason%d", i)))
		m.Migrations.Began(lock.Guarantee(i))
		m.Migrations.Stepped(lock.Guarantee(i), migrate.Step(i), time.Second)
		m.Migrations.Done(lock.Guarantee(i), time.Second)
		m.Migrations.Released(lock.Guarantee(i))
		m.Setups.Over(i%2 == 0, i%3 == 0, time.Second)
	}
	h.counters = append(h.counters, h.counters[0]) // twice the same
	monitortest.WithinBounds(t, m.Gatherer(), docs, namespace+"_")
	got := monitortest.Values(t, m.Gatherer(), "mbchain_agentd_migrations_failed_total", "guarantee")
	if diff := cmp.Diff([]string{"loss-free", "ordered", "substream"}, got); diff != "" {
		t.Errorf("guarantees (-want +got):\n%s", diff)
	}
}

// A reason that is new in package lock is to be counted by its name.
func TestEveryReasonOfAMigrationIsKnown(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../lock/message.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var inLock []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, named := spec.Type.(*ast.Ident); named && kind.Name == "Reason" {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			inLock = append(inLock, value)
		}
		return true
	})
	var here []string
	for _, r := range reasons {
		here = append(here, string(r))
	}
	if diff := cmp.Diff(inLock, here); diff != "" {
		t.Errorf("reasons in package lock and here (-lock +here):\n%s", diff)
	}
}

func TestReady(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *agent.Snapshot)
		want   string // part of the reason; empty: ready
	}{
		{"healthy", func(*agent.Snapshot) {}, ""},
		{"policyd is away", func(s *agent.Snapshot) { s.Connected = false }, ""},
		{"no module", func(s *agent.Snapshot) { s.Present = false; s.Policy.Problem = "no module" }, "does not answer: no module"},
		{"no policy yet", func(s *agent.Snapshot) { s.Policy.Running = 0 }, "mbctl policy apply"},
		{"no policy and no policyd", func(s *agent.Snapshot) { s.Policy.Running, s.Connected = 0, false }, "policyd is not reached"},
		{"refused", func(s *agent.Snapshot) { s.Policy.Running, s.Policy.Problem = 0, "rule 1 has no type 3" }, "rule 1 has no type 3"},
		{"an older one is in force", func(s *agent.Snapshot) { s.Policy.Problem = "rule 1 has no type 3" }, ""},
		{"NF is missing", func(s *agent.Snapshot) { s.PastNF = true }, "go past the network function"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := healthy().snapshot
			tt.change(&s)
			err := Ready(func() agent.Snapshot { return s })(t.Context())
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("not ready: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}
