// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mbchain/policyd/internal/cluster"
	"mbchain/policyd/internal/push"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

// Node is this policyd's part of the cluster.
type Node interface {
	Stats() cluster.Stats
	// Applied returns the state as far as it is applied here.
	Copy() (*store.State, error)
}

// Hub knows the hosts.
type Hub interface {
	Domain() (*push.Domain, error)
	Policies() []*proto.HostPolicy
	Instances() (*push.Domain, []push.Instance, error)
}

// Sources is what is read when somebody asks. None of them waits for another host.
type Sources struct {
	Node Node
	Hub  Hub
	// Expires returns when this policyd's certificate ends; zero: it has none.
	Expires func() time.Time
}

// collector reads the sources.
type collector struct{ Sources }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

var (
	raftState       = desc("raft_state", "1 for the state that this node is in, 0 for the others.", "state")
	raftLeader      = desc("raft_leader_known", "1 if this node knows who leads.")
	raftTerm        = desc("raft_term", "Term that this node is in.")
	raftCommitted   = desc("raft_commit_index", "Newest log entry that this node knows to be committed.")
	raftApplied     = desc("raft_applied_index", "Newest log entry that this node has applied.")
	raftLastContact = desc("raft_last_contact_seconds", "Time since this node heard of its leader; 0 at the leader, none if it never did.")
	raftPeers       = desc("raft_peers", "Other nodes of the cluster.")

	policyVersion = desc("policy_version", "Version of the policy, as far as this node has applied it; 0: none was ever applied.")
	policyApplied = desc("policy_applied_timestamp_seconds", "When that policy was applied, in Unix time; 0: never.")
	policyRules   = desc("policy_rules", "Rules of the policy that this node pushes.")

	certificateExpires = desc("certificate_expires_timestamp_seconds", "When this policyd's certificate ends, in Unix time; 0: it has none.")
	instances          = desc("instances", "Instances of the policy's NF types, by how they stand; only where this node leads.", "state")
	typesUnserved      = desc("nf_types_unserved", "NF types of the policy of which no instance gets new sessions; only where this node leads.")
	drains             = desc("drains", "Hosts, and instances of one type, that operators have drained.")

	hosts          = desc("hosts", "Hosts that are known.")
	hostsConnected = desc("hosts_connected", "Hosts that are connected to this node.")
	hostsInSync    = desc("hosts_in_sync", "Hosts that are connected and run the newest policy.")
	hostConnected  = desc("host_connected", "1 if the host is connected to this node.", "host")
	hostInSync     = desc("host_in_sync", "1 if the host is connected and runs the newest policy.", "host")
)

// Describe implements [prometheus.Collector].
func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		raftState, raftLeader, raftTerm, raftCommitted, raftApplied, raftLastContact, raftPeers,
		policyVersion, policyApplied, policyRules, certificateExpires, instances, typesUnserved, drains,
		hosts, hostsConnected, hostsInSync, hostConnected, hostInSync,
	} {
		ch <- d
	}
}

type gauge func(d *prometheus.Desc, value float64, labels ...string)

// Collect implements [prometheus.Collector].
func (c collector) Collect(ch chan<- prometheus.Metric) {
	set := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	c.raft(set)
	expires := 0.0
	if at := c.Expires(); !at.IsZero() {
		expires = float64(at.Unix())
	}
	set(certificateExpires, expires)
	c.hosts(set, c.policy(set))
	c.instances(set)
}

func (c collector) raft(set gauge) {
	s := c.Node.Stats()
	for _, state := range cluster.States() {
		set(raftState, one(s.State == state), state)
	}
	set(raftLeader, one(s.Leader))
	set(raftTerm, float64(s.Term))
	set(raftCommitted, float64(s.CommitIndex))
	set(raftApplied, float64(s.AppliedIndex))
	if s.LastContact >= 0 {
		set(raftLastContact, s.LastContact.Seconds())
	}
	set(raftPeers, float64(s.Peers))
}

// policy returns the version.
func (c collector) policy(set gauge) uint64 {
	state, err := c.Node.Copy()
	if err != nil { // the log is damaged: readyz says so
		return 0
	}
	set(policyVersion, float64(state.Policy.Version))
	set(policyApplied, time.Duration(state.Policy.AppliedUnixMS*int64(time.Millisecond)).Seconds())
	set(drains, float64(len(state.Drains)))
	if d, err := c.Hub.Domain(); err == nil {
		set(policyRules, float64(len(d.Policy.Rules)))
	}
	return state.Policy.Version
}

// instances says nothing on a node that follows: it has heard of no host.
func (c collector) instances(set gauge) {
	d, list, err := c.Hub.Instances()
	if err != nil {
		return
	}
	counts := map[string]int{}
	for _, in := range list {
		counts[in.State()]++
	}
	for _, state := range push.InstanceStates() {
		set(instances, float64(counts[state]), state)
	}
	unserved := 0
	for _, t := range d.Chosen.Types {
		if len(t.Instances) == 0 {
			unserved++
		}
	}
	set(typesUnserved, float64(unserved))
}

func (c collector) hosts(set gauge, newest uint64) {
	connected, inSync := 0, 0
	list := c.Hub.Policies()
	for _, h := range list {
		in := h.Connected && h.Error == "" && h.RunningVersion == newest
		if h.Connected {
			connected++
		}
		if in {
			inSync++
		}
		set(hostConnected, one(h.Connected), h.Host)
		set(hostInSync, one(in), h.Host)
	}
	set(hosts, float64(len(list)))
	set(hostsConnected, float64(connected))
	set(hostsInSync, float64(inSync))
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
