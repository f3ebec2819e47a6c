// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"connectrpc.com/connect"

	"mbchain/proto"
)

const snapshotText = "mbchain-snapshot 1 0123\n{}\n"

var errSnapshot = errors.New("snapshot: it is damaged or cut short: its checksum is wrong")

// trio is a cluster of three that is well.
func trio() *fake {
	f := lab()
	f.cluster = &proto.GetClusterResponse{Asked: "policyd2", Voters: 3, ReachableVoters: 3}
	for i, state := range []string{"leader", "follower", "follower"} {
		m := member(i + 1)
		f.cluster.Nodes = append(f.cluster.Nodes, &proto.ClusterNode{Member: m, Status: nodeStatus(m, state, "policyd1", 812)})
	}
	return f
}

func member(n int) *proto.Member {
	digit := string(rune('0' + n))
	return &proto.Member{Name: "policyd" + digit, Voter: true,
		Address: "10.255.0.10" + digit + ":7400", RaftAddress: "10.255.0.10" + digit + ":7401"}
}

func nodeStatus(m *proto.Member, state, leader string, index uint64) *proto.NodeStatus {
	return &proto.NodeStatus{Name: m.Name, Address: m.Address, RaftAddress: m.RaftAddress, Version: "0.1.0", State: state, Leader: leader,
		Term: 3, AppliedIndex: index, LastTerm: 3, LastIndex: index, PolicyVersion: 8, UptimeMs: 3_600_000}
}

// lost makes a policyd of the cluster one that does not answer.
func lost(f *fake, n int) {
	f.cluster.Nodes[n-1].Status = nil
	f.cluster.Nodes[n-1].Error = "unavailable: dial tcp " + f.cluster.Nodes[n-1].Member.Address + ": connect: connection refused"
	f.cluster.ReachableVoters--
}

// quorumLost is what two policyds say when the third and its log are gone.
func quorumLost(f *fake, _ *testWorld) {
	behind := nodeStatus(member(2), "candidate", "", 790)
	newest := nodeStatus(member(3), "candidate", "", 812)
	behind.Members = []*proto.Member{member(1), member(2), member(3)}
	newest.Members = behind.Members
	f.nodes = []*proto.NodeStatus{behind, newest}
}

// leading is what the second of two policyds says, the first of which leads.
func leading(f *fake, _ *testWorld) {
	status := nodeStatus(member(2), "follower", "policyd1", 812)
	status.Members = []*proto.Member{member(2), member(1)}
	f.nodes = []*proto.NodeStatus{status}
}

func TestGoldenCluster(t *testing.T) {
	testGolden(t, trio, []goldenTest{
		{name: "help_cluster", line: "cluster  --help"},
		{name: "help_cluster_join", line: "cluster  join  --help"},
		{name: "help_cluster_recover", line: "cluster  recover  --help"},
		{name: "cluster_status", line: "cluster  status"},
		{name: "cluster_status_json", line: "cluster  status  --json"},
		{name: "cluster_status_away", line: "cluster  status", set: func(f *fake, _ *testWorld) { lost(f, 3) }},
		{name: "cluster_status_no_quorum", line: "cluster  status", set: func(f *fake, _ *testWorld) {
			lost(f, 1)
			lost(f, 3)
			f.cluster.Nodes[1].Status = nodeStatus(member(2), "candidate", "", 812)
		}},
		{name: "cluster_status_election", line: "cluster  status", set: func(f *fake, _ *testWorld) {
			for i := range 3 {
				f.cluster.Nodes[i].Status.State = "candidate"
			}
		}},
		{name: "cluster_status_alone", line: "cluster  status", set: func(f *fake, _ *testWorld) {
			f.cluster.Nodes = f.cluster.Nodes[:1]
			f.cluster.Nodes[0].Member.RaftAddress = ""
			f.cluster.Voters, f.cluster.ReachableVoters = 1, 1
		}},
		{name: "cluster_status_joining", line: "cluster  status", set: func(f *fake, _ *testWorld) {
			f.cluster.Nodes[2].Member.Voter = false
			f.cluster.Voters, f.cluster.ReachableVoters = 2, 2
		}},
		{name: "cluster_status_removed", line: "cluster  status", set: func(f *fake, _ *testWorld) {
			f.cluster = &proto.GetClusterResponse{Asked: "policyd2"}
		}},

		{name: "cluster_join", line: "cluster  join  policyd3", set: leading},
		{name: "cluster_join_json", line: "cluster  join  policyd3  --ttl  10m  --json", set: leading},
		{name: "cluster_join_ttl", line: "cluster  join  policyd3  --ttl  48h"},
		{name: "cluster_join_no_port", line: "cluster  join  policyd2", set: func(f *fake, _ *testWorld) {
			f.nodes = []*proto.NodeStatus{{Name: "policyd1", Address: "10.255.0.101:7400", State: "leader", Leader: "policyd1"}}
		}},
		{name: "cluster_remove", line: "cluster  remove  policyd3"},
		{name: "cluster_remove_json", line: "cluster  remove  policyd3  --json"},
		{name: "cluster_remove_none", line: "cluster  remove  policyd9",
			set: failing(connect.CodeNotFound, "remove policyd9: no node of the cluster")},
		{name: "cluster_transfer", line: "cluster  transfer  policyd2"},
		{name: "cluster_transfer_json", line: "cluster  transfer  policyd2  --json"},
		{name: "cluster_transfer_nobody", line: "cluster  transfer"},
		{name: "cluster_snapshot", line: "cluster  snapshot  domain.snapshot"},
		{name: "cluster_snapshot_json", line: "cluster  snapshot  domain.snapshot  --json"},
		{name: "cluster_snapshot_unwritten", line: "cluster  snapshot  domain.snapshot", set: func(_ *fake, w *testWorld) {
			w.saveSecret = func(string, []byte) error { _, err := fullDisk{}.Write(nil); return err }
		}},
		{name: "cluster_restore", line: "cluster  restore  domain.snapshot  --yes"},
		{name: "cluster_restore_json", line: "cluster  restore  domain.snapshot  --yes  --json"},
		{name: "cluster_restore_unsure", line: "cluster  restore  domain.snapshot"},
		{name: "cluster_restore_wrong", line: "cluster  restore  web.policy  --yes"},
		{name: "cluster_restore_no_file", line: "cluster  restore  none  --yes"},

		{name: "cluster_recover", line: "cluster  recover  --policyd  10.255.0.102:7400,10.255.0.103:7400", set: quorumLost},
		{name: "cluster_recover_json", line: "cluster  recover  --json  --policyd  10.255.0.102:7400", set: quorumLost},
		{name: "cluster_recover_needless", line: "cluster  recover", set: func(f *fake, _ *testWorld) {
			f.nodes = []*proto.NodeStatus{nodeStatus(member(2), "follower", "policyd1", 812)}
		}},
		{name: "cluster_recover_nobody", line: "cluster  recover  --policyd  10.255.0.9:7400"},
	}, func(w *testWorld) {
		w.files["domain.snapshot"] = snapshotText
		w.files["web.policy"] = webPolicy
	})
}

func TestSaveReplacesAFileForItsOwnerAlone(t *testing.T) {
	name := filepath.Join(t.TempDir(), "domain.snapshot")
	if err := os.WriteFile(name, []byte("old and longer"), 0o644); err != nil {
		t.Fatal(err)
	}
	save := osWorld().saveSecret
	if err := save(name, []byte("new")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil || string(data) != "new" {
		t.Errorf("%q, error %v", data, err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	if err := save(filepath.Join(name, "below"), nil); err == nil {
		t.Error("a file below a file was saved")
	}
}
