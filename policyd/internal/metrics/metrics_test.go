// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"mbchain/monitor/monitortest"
	"mbchain/policyd/internal/api"
	"mbchain/policyd/internal/cluster"
	"mbchain/policyd/internal/push"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

var (
	_ push.Observer = (*Metrics)(nil)
	_ Hub           = (*push.Hub)(nil)
	_ Node          = (*cluster.Node)(nil)
)

const docs = "../../../docs"

// node is a policyd's part of a cluster, made up.
type node struct {
	mu     sync.Mutex
	stats  cluster.Stats
	state  *store.State
	damage error
}

func (n *node) Stats() cluster.Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stats
}

func (n *node) Copy() (*store.State, error) { return n.state, n.damage }

func (n *node) apply(index uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stats.AppliedIndex = index
}

// follower is a node that is in order.
func follower() *node {
	return &node{
		stats: cluster.Stats{
			State: "follower", Leader: true, Term: 3, CommitIndex: 41, AppliedIndex: 41,
			LastContact: 250 * time.Millisecond, Peers: 2,
		},
		state: &store.State{Policy: store.Policy{Version: 7, AppliedUnixMS: 1_700_000_000_500}},
	}
}

// hub has hosts, made up.
type hub struct{ hosts []*proto.HostPolicy }

func (h hub) Policies() []*proto.HostPolicy { return h.hosts }

func (h hub) Domain() (*push.Domain, error) {
	state := &store.State{Seed: make([]byte, store.SecretLen), Policy: store.Policy{Version: 7, Source: "match(any) >> {}"}}
	of := push.NewHub(nil, slog.New(slog.DiscardHandler))
	of.Update(state)
	return of.Domain()
}

// Instances are one that is drained and one that nobody has heard of.
func (h hub) Instances() (*push.Domain, []push.Instance, error) {
	state := &store.State{Seed: make([]byte, store.SecretLen), Hosts: []store.Host{{Name: "a", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}},
		Policy: store.Policy{Version: 7, Source: "type fw { 10.0.0.1 }\ntype ids { 10.0.0.2 }\nmatch(any) >> {fw -> ids}"},
		Drains: []store.Drain{{Host: "a", By: "anna"}}}
	of := push.NewHub(nil, slog.New(slog.DiscardHandler))
	of.Update(state)
	return of.Instances()
}

func threeHosts() hub {
	return hub{[]*proto.HostPolicy{
		{Host: "a", Connected: true, RunningVersion: 7},
		{Host: "b", Connected: true, RunningVersion: 6, Error: "rule 1 has no type 3"},
		{Host: "c", RunningVersion: 7},
	}}
}

func metricsOf(n Node, h Hub) *Metrics {
	m := New("1.2.3")
	m.Watch(Sources{Node: n, Hub: h, Expires: func() time.Time { return time.Unix(1_800_000_000, 5) }})
	return m
}

func TestMetricsAreAsDocumented(t *testing.T) {
	monitortest.Check(t, metricsOf(follower(), threeHosts()).Gatherer(), docs, namespace+"_")
}

// shown returns the values of what is no histogram, by name and labels' values.
func shown(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	gathered, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range gathered {
		name, ours := strings.CutPrefix(f.GetName(), namespace+"_")
		if !ours || f.GetName() == namespace+"_build_info" {
			continue
		}
		for _, m := range f.GetMetric() {
			key := name
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			if m.GetHistogram() == nil {
				all[key] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return all
}

func TestScrape(t *testing.T) {
	m := metricsOf(follower(), threeHosts())
	m.Pushed(false)
	m.Pushed(true)
	m.Pushed(true)
	m.Acknowledged(push.Loaded)
	m.Acknowledged(push.Refused)
	m.Asked(3, 2, 1)
	m.Begun(api.ForOperator, 12)
	want := map[string]float64{
		"raft_state leader": 0, "raft_state follower": 1, "raft_state candidate": 0, "raft_state shutdown": 0,
		"raft_leader_known": 1, "raft_term": 3, "raft_commit_index": 41, "raft_applied_index": 41,
		"raft_last_contact_seconds": 0.25, "raft_peers": 2,
		"policy_version": 7, "policy_applied_timestamp_seconds": 1_700_000_000.5, "policy_rules": 1,
		"certificate_expires_timestamp_seconds": 1_800_000_000,
		"hosts":                                 3, "hosts_connected": 2, "hosts_in_sync": 1,
		"host_connected a": 1, "host_connected b": 1, "host_connected c": 0,
		"host_in_sync a": 1, "host_in_sync b": 0, "host_in_sync c": 0,
		"pushes_total whole": 1, "pushes_total change": 2, "acknowledgements_total misfit": 0,
		"acknowledgements_total loaded": 1, "acknowledgements_total refused": 1, "acknowledgements_total late": 0,
		"queries_total answered": 3, "queries_total not_connected": 2, "queries_total failed": 1,
		"migrations_begun_total operator": 12, "migrations_begun_total host": 0, "migrations_begun_total policy": 0, "migrations_begun_total health": 0,
		"drains": 0, "nf_types_unserved": 1, "instances drained": 1, "instances unknown": 1, "instances ok": 0,
		"instances overloaded": 0, "instances impaired": 0, "instances silent": 0, "instances failed": 0,
	}
	if diff := cmp.Diff(want, shown(t, m.Gatherer())); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestNodeThatHeardOfNoLeader(t *testing.T) {
	n := follower()
	n.stats.Leader, n.stats.LastContact, n.stats.State = false, -1, "candidate"
	got := shown(t, metricsOf(n, threeHosts()).Gatherer())
	if _, there := got["raft_last_contact_seconds"]; there {
		t.Error("a time since the last contact is shown")
	}
	if got["raft_leader_known"] != 0 || got["raft_state candidate"] != 1 {
		t.Errorf("leader known %v, candidate %v", got["raft_leader_known"], got["raft_state candidate"])
	}
}

func TestDamagedLogIsNoPolicy(t *testing.T) {
	n := follower()
	n.damage = store.ErrDamaged
	got := shown(t, metricsOf(n, threeHosts()).Gatherer())
	if _, there := got["policy_version"]; there || got["raft_term"] != 3 {
		t.Errorf("policy version shown: %t, term %v", there, got["raft_term"])
	}
}

func TestSpread(t *testing.T) {
	m := New("dev")
	m.Spread(30 * time.Millisecond)
	m.Spread(2 * time.Second)
	if err := testutil.GatherAndCompare(m.Gatherer(), strings.NewReader(spreadText), "mbchain_policyd_policy_spread_seconds"); err != nil {
		t.Error(err)
	}
}

const spreadText = `# HELP mbchain_policyd_policy_spread_seconds Time from when a policy was applied until all hosts that were connected then had acknowledged it.
# TYPE mbchain_policyd_policy_spread_seconds histogram
mbchain_policyd_policy_spread_seconds_bucket{le="0.005"} 0
mbchain_policyd_policy_spread_seconds_bucket{le="0.01"} 0
mbchain_policyd_policy_spread_seconds_bucket{le="0.025"} 0
mbchain_policyd_policy_spread_seconds_bucket{le="0.05"} 1
mbchain_policyd_policy_spread_seconds_bucket{le="0.1"} 1
mbchain_policyd_policy_spread_seconds_bucket{le="0.25"} 1
mbchain_policyd_policy_spread_seconds_bucket{le="0.5"} 1
mbchain_policyd_policy_spread_seconds_bucket{le="1"} 1
mbchain_policyd_policy_spread_seconds_bucket{le="2.5"} 2
mbchain_policyd_policy_spread_seconds_bucket{le="5"} 2
mbchain_policyd_policy_spread_seconds_bucket{le="10"} 2
mbchain_policyd_policy_spread_seconds_bucket{le="30"} 2
mbchain_policyd_policy_spread_seconds_bucket{le="60"} 2
mbchain_policyd_policy_spread_seconds_bucket{le="+Inf"} 2
mbchain_policyd_policy_spread_seconds_sum 2.03
mbchain_policyd_policy_spread_seconds_count 2
`

// A domain has at most so many hosts, and each has two series.
func TestCardinalityIsBounded(t *testing.T) {
	var many hub
	for i := range store.MaxHosts {
		many.hosts = append(many.hosts, &proto.HostPolicy{Host: fmt.Sprintf("host%d", i), Connected: true})
	}
	m := metricsOf(follower(), many)
	monitortest.WithinBounds(t, m.Gatherer(), docs, namespace+"_")
	if got := len(monitortest.Values(t, m.Gatherer(), "mbchain_policyd_host_in_sync", "host")); got != store.MaxHosts {
		t.Errorf("%d hosts, want %d", got, store.MaxHosts)
	}
}

func TestReady(t *testing.T) {
	tests := []struct {
		name   string
		change func(n *node)
		want   string // part of the reason; empty: ready
	}{
		{"follower", func(*node) {}, ""},
		{"leader", func(n *node) { n.stats.State = "leader" }, ""},
		{"no leader", func(n *node) { n.stats.State, n.stats.Leader = "candidate", false }, "no leader is known, this node is a candidate"},
		{"behind", func(n *node) { n.stats.AppliedIndex = 40 }, "applied up to entry 40 of 41"},
		{"nothing committed", func(n *node) { n.stats.AppliedIndex, n.stats.CommitIndex = 0, 0 }, "nothing is committed yet"},
		{"damaged", func(n *node) { n.damage = errors.New("log entry 5 is damaged") }, "log entry 5 is damaged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := follower()
				tt.change(n)
				began := time.Now()
				err := Ready(n)(t.Context())
				switch {
				case tt.want == "" && err != nil:
					t.Errorf("not ready: %v", err)
				case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
					t.Errorf("error %v, want %q in it", err, tt.want)
				}
				if took := time.Since(began); took > catchUp {
					t.Errorf("answered after %v", took)
				}
			})
		})
	}
}

// A node under load is always a little behind, and ready all the same.
func TestReadyWhileEntriesCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := follower()
		n.stats.AppliedIndex = 39
		go func() {
			for i := uint64(40); i < 50; i++ {
				time.Sleep(10 * time.Millisecond)
				n.apply(i)
			}
		}()
		began := time.Now()
		if err := Ready(n)(context.Background()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 30*time.Millisecond {
			t.Errorf("answered after %v", took)
		}
		synctest.Wait()
		time.Sleep(time.Second)
	})
}
