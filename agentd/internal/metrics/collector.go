// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mbchain/agentd/internal/agent"
	"mbchain/agentd/internal/kernel"
	"mbchain/proto"
)

const (
	// readTimeout is how long the module may take to tell its counters.
	readTimeout = 2 * time.Second
	// maxReasons bounds the series of the module's counters, of which it has fewer
	// than a hundred, whatever a module answers.
	maxReasons = 256
	// maxTypes bounds those of the NF types that this host offers.
	maxTypes = 64
)

// Sources is what is read when somebody asks. None of them may wait for another
// host.
type Sources struct {
	Snapshot func() agent.Snapshot
	// Counters asks the module, by one netlink request.
	Counters func(ctx context.Context) ([]*proto.Counter, error)
	// Setups returns how many set-ups are under way, and how many that neighbours
	// asked for.
	Setups func() (own, asked int)
	// Migrations returns how many wait, are under way, and may be.
	Migrations func() (queued, running, window int)
	// Accepted returns how many connections other agents opened to this one.
	Accepted func() int
	// Reached returns to how many agents this one has opened one, and how many it
	// does not reach.
	Reached func() (reached, not int)
	// Expires returns when this host's certificate ends; zero: it has none.
	Expires func() time.Time
}

// collector reads the sources.
type collector struct {
	Sources
	failures prometheus.Counter // to read the module's counters
}

func newCollector(s Sources) *collector {
	return &collector{Sources: s, failures: prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: namespace, Name: "module_read_errors_total",
		Help: "Scrapes for which the module is there and did not tell its counters in time.",
	})}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

var (
	modulePresent = desc("module_present", "1 if the kernel module answers.")
	moduleInfo    = desc("module_info", "1 with the version of the module that answers.", "version")
	moduleEvents  = desc("module_events_total", "The module's counters; mbctl stats explains each.", "reason")

	sessions     = desc("sessions", "Live sessions in the module.")
	sessionsMax  = desc("sessions_max", "Sessions that the module has room for.")
	tableBytes   = desc("table_bytes", "Memory of the tables that lead to sessions.")
	sessionBytes = desc("session_bytes", "Memory of one session beside its part of the tables.")

	policyVersion   = desc("policy_version", "Version of the policy in force here; 0: none.")
	policyOffered   = desc("policy_offered_version", "Version of the policy that policyd offered last; 0: none yet.")
	policyRules     = desc("policy_rules", "Rules of this host's part of the policy in force.")
	policyProblem   = desc("policy_problem", "1 if something keeps the module from running what it should; mbctl policy show says what.")
	policydConnects = desc("policyd_connected", "1 if policyd can reach this host.")

	nfInfo        = desc("nf_info", "1 with how the network function of this host gets its packets, as the module has it.", "nf")
	nfInPlace     = desc("nf_in_place", "1 if it gets them as agentd was told.")
	nfProbeFailed = desc("nf_probe_failed", "1 if the last probe through the network function has failed; nothing before there was one.")
	nfTypeInfo    = desc("nf_type_info", "1 for each type of network function that this host offers.", "nf_type")

	setupsRunning = desc("setups_running", "Set-ups out-of-band under way.", "origin")

	migrationsQueued  = desc("migrations_queued", "Migrations that wait here for others.")
	migrationsRunning = desc("migrations_running", "Migrations that this host leads now.")
	migrationsWindow  = desc("migrations_window", "Migrations that this host would lead at once.")

	certificateExpires = desc("certificate_expires_timestamp_seconds", "When this host's certificate ends, in Unix time; 0: it has none.")

	peerConnections = desc("peer_connections", "Connections with agents of other hosts.", "opened_by")
	peersUnreached  = desc("peers_unreached", "Hosts that this one wanted to reach lately and did not.")
)

// Describe implements [prometheus.Collector].
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		modulePresent, moduleInfo, moduleEvents, sessions, sessionsMax, tableBytes, sessionBytes,
		policyVersion, policyOffered, policyRules, policyProblem, policydConnects,
		nfInfo, nfInPlace, nfProbeFailed, nfTypeInfo, setupsRunning,
		migrationsQueued, migrationsRunning, migrationsWindow, certificateExpires, peerConnections, peersUnreached,
	} {
		ch <- d
	}
	c.failures.Describe(ch)
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	s := c.Snapshot()
	counters, present := c.module(s.Present)
	gauge(modulePresent, one(present))
	if present {
		gauge(moduleInfo, 1, s.Module.ModuleVersion)
		gauge(sessions, float64(s.Module.Sessions))
		gauge(sessionsMax, float64(s.Module.MaxSessions))
		gauge(tableBytes, float64(s.Module.TableBytes))
		gauge(sessionBytes, float64(s.Module.SessionBytes))
		gauge(policyRules, float64(s.Module.Rules))
		gauge(nfInfo, 1, s.Module.NF.String())
		gauge(policyVersion, float64(s.Policy.Running))
	} else {
		gauge(policyVersion, 0)
	}
	seen := make(map[string]bool, len(counters))
	for _, counter := range counters {
		if name := counter.GetName(); !seen[name] && len(seen) < maxReasons {
			seen[name] = true
			ch <- prometheus.MustNewConstMetric(moduleEvents, prometheus.CounterValue, float64(counter.GetValue()), name)
		}
	}
	gauge(policyOffered, float64(s.Policy.Offered))
	gauge(policyProblem, one(s.Policy.Problem != ""))
	gauge(policydConnects, one(s.Connected))
	gauge(nfInPlace, one(present && s.NFInPlace))
	if s.Probe.Done {
		gauge(nfProbeFailed, one(s.Probe.Failed))
	}
	for _, t := range s.NFTypes[:min(len(s.NFTypes), maxTypes)] {
		gauge(nfTypeInfo, 1, t)
	}
	c.collectOthers(gauge)
	c.failures.Collect(ch)
}

// module asks for the counters if the module is there, and reports whether it is.
func (c *collector) module(present bool) ([]*proto.Counter, bool) {
	if !present {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	counters, err := c.Counters(ctx)
	switch {
	case errors.Is(err, kernel.ErrAbsent): // it went a moment ago
		return nil, false
	case err != nil:
		c.failures.Inc()
		return nil, true
	}
	return counters, true
}

// collectOthers is what has to do with other hosts.
func (c *collector) collectOthers(gauge func(*prometheus.Desc, float64, ...string)) {
	own, asked := c.Setups()
	gauge(setupsRunning, float64(own), origin(true))
	gauge(setupsRunning, float64(asked), origin(false))
	queued, running, window := c.Migrations()
	gauge(migrationsQueued, float64(queued))
	gauge(migrationsRunning, float64(running))
	gauge(migrationsWindow, float64(window))
	gauge(certificateExpires, unixSeconds(c.Expires()))
	reached, not := c.Reached()
	gauge(peerConnections, float64(reached), "this")
	gauge(peerConnections, float64(c.Accepted()), "other")
	gauge(peersUnreached, float64(not))
}

// unixSeconds is 0 for no time.
func unixSeconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
