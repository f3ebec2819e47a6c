// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) clusterStatusCommand() *cli.Command {
	return &cli.Command{
		Name:      "status",
		Usage:     "show the policyds of the domain and who leads",
		ArgsUsage: " ",
		Description: describe(`Any policyd answers, with or without a leader, and asks the others. APPLIED is how
far a policyd has followed the changes, LAST what it has written down. Ends with 5
unless one leads, all answer and all vote.`,
			"mbctl cluster status", "mbctl cluster status --json | jq -r .leader"),
		Action: w.action(w.clusterStatus),
	}
}

// clusterView is what cluster status prints in JSON.
type clusterView struct {
	Asked           string     `json:"asked"`
	Leader          string     `json:"leader"`
	Voters          uint32     `json:"voters"`
	ReachableVoters uint32     `json:"reachable_voters"`
	MayLose         uint32     `json:"may_lose"`
	Healthy         bool       `json:"healthy"`
	Nodes           []nodeView `json:"nodes"`
}

// nodeView is a policyd in JSON.
type nodeView struct {
	Name          string `json:"name"`
	Address       string `json:"address"`
	RaftAddress   string `json:"raft_address"`
	Voter         bool   `json:"voter"`
	Reachable     bool   `json:"reachable"`
	State         string `json:"state"`
	Leader        string `json:"leader"`
	Term          uint64 `json:"term"`
	AppliedIndex  uint64 `json:"applied_index"`
	LastTerm      uint64 `json:"last_term"`
	LastIndex     uint64 `json:"last_index"`
	PolicyVersion uint64 `json:"policy_version"`
	Version       string `json:"version"`
	UptimeMs      uint64 `json:"uptime_ms"`
	Error         string `json:"error"`
}

func viewNode(n *proto.ClusterNode) nodeView {
	m, s := n.GetMember(), n.GetStatus()
	return nodeView{
		Name: m.GetName(), Address: m.GetAddress(), RaftAddress: m.GetRaftAddress(), Voter: m.GetVoter(),
		Reachable: s != nil, State: s.GetState(), Leader: s.GetLeader(), Term: s.GetTerm(), AppliedIndex: s.GetAppliedIndex(),
		LastTerm: s.GetLastTerm(), LastIndex: s.GetLastIndex(), PolicyVersion: s.GetPolicyVersion(),
		Version: s.GetVersion(), UptimeMs: s.GetUptimeMs(), Error: n.GetError(),
	}
}

func (w *world) clusterStatus(c *cli.Context) error {
	p, _, err := w.policydAndOperands(c, 0, 0)
	if err != nil {
		return err
	}
	got, err := p.cluster.GetCluster(c.Context, &proto.GetClusterRequest{})
	if err != nil {
		return p.failed(err)
	}
	view := viewCluster(got)
	if c.Bool("json") {
		err = w.printJSON(view)
	} else {
		w.printCluster(view)
	}
	if err == nil && !view.Healthy {
		err = silent(exitHosts)
	}
	return err
}

func viewCluster(got *proto.GetClusterResponse) clusterView {
	view := clusterView{Asked: got.Asked, Voters: got.Voters, ReachableVoters: got.ReachableVoters, Healthy: true, Nodes: []nodeView{}}
	newest := uint64(0)
	for _, n := range got.Nodes {
		node := viewNode(n)
		view.Nodes = append(view.Nodes, node)
		view.Healthy = view.Healthy && node.Reachable && node.Voter
		// One that was cut off may take itself for the leader for a moment.
		if node.State == "leader" && node.Term > newest {
			view.Leader, newest = node.Name, node.Term
		}
	}
	if needed := view.Voters/2 + 1; view.ReachableVoters > needed {
		view.MayLose = view.ReachableVoters - needed
	}
	view.Healthy = view.Healthy && view.Leader != ""
	return view
}

func (w *world) printCluster(view clusterView) {
	t := newTable("NODE", "STATE", "ADDRESS", "RAFT", "APPLIED", "LAST", "TERM", "POLICY", "VERSION", "WHY")
	for _, n := range view.Nodes {
		t.add(text(n.Name), nodeCell(n), text(n.Address), text(n.RaftAddress), n.figure(n.AppliedIndex), n.figure(n.LastIndex),
			n.figure(n.Term), n.figure(n.PolicyVersion), text(n.Version), cell{text: clean(n.Error)})
	}
	t.print(w)
	w.printf("\n%s\n", view.verdict())
}

// figure is a number that the node itself said.
func (n nodeView) figure(v uint64) cell {
	if !n.Reachable {
		return figure("-")
	}
	return figure(fmt.Sprint(v))
}

func nodeCell(n nodeView) cell {
	switch {
	case !n.Reachable:
		return tinted(red, "away")
	case !n.Voter:
		return tinted(yellow, "joining")
	case n.State == "leader":
		return tinted(bold, n.State)
	case n.State != "follower":
		return tinted(red, n.State)
	}
	return text(n.State)
}

// verdict says what the numbers mean, and what to do.
func (view clusterView) verdict() string {
	voters := fmt.Sprintf("%s, %d reachable", plural(view.Voters, "voter"), view.ReachableVoters)
	switch {
	case len(view.Nodes) == 0:
		return view.Asked + " is in no cluster: it has not joined yet, or was removed"
	case 2*view.ReachableVoters <= view.Voters:
		return voters + ": too few, nothing can be changed; bring others back, or see `mbctl cluster recover`"
	case view.Leader == "":
		return voters + ": none leads at the moment; an election takes a second or two"
	case view.Voters == 1:
		return voters + ": while it is down nothing can be changed; `mbctl cluster join` adds others"
	}
	lose := "none more may be lost"
	if view.MayLose > 0 {
		lose = fmt.Sprintf("%d may be lost", view.MayLose)
	}
	if view.Voters%2 == 0 {
		lose += ", as with one voter less: join or remove one"
	}
	return voters + ": " + lose
}
