// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mbchain/identity"
	"mbchain/proto"
)

// recoverAskFor is how long each policyd has to answer.
const recoverAskFor = 2 * time.Second

func (w *world) clusterRecoverCommand() *cli.Command {
	return &cli.Command{
		Name:      "recover",
		Usage:     "find the way back when most policyds are lost for good",
		ArgsUsage: " ",
		Description: describe(`Asks every policyd that --policyd names, and those they know of, how much of the log
it has, and says which one to go on from and what to type there. It changes
nothing. While a policyd leads there is nothing to recover. Ends with 5 when there
is.`,
			"mbctl --policyd 10.255.0.102:7400,10.255.0.103:7400 cluster recover"),
		Action: w.action(w.clusterRecover),
	}
}

// recoveryView is what cluster recover prints in JSON.
type recoveryView struct {
	Leader string     `json:"leader"` // empty: none
	From   string     `json:"from"`   // the policyd to go on from; empty: not needed
	Nodes  []nodeView `json:"nodes"`
}

func (w *world) clusterRecover(c *cli.Context) error {
	p, _, err := w.policydAndOperands(c, 0, 0)
	if err != nil {
		return err
	}
	view := recoveryView{Nodes: w.askEveryNode(c.Context, p)}
	best := -1
	for i, n := range view.Nodes {
		switch {
		case !n.Reachable:
			continue
		case n.State == "leader" || n.Leader != "":
			view.Leader = cmp.Or(n.Leader, n.Name)
		}
		if best < 0 || newerLog(n, view.Nodes[best]) {
			best = i
		}
	}
	if best < 0 {
		return &failure{code: exitUnreachable, err: fmt.Errorf("recover: no policyd answers: %s", view.Nodes[0].Error),
			hint: "start those that are left, and name them with --policyd"}
	}
	if view.Leader == "" {
		view.From = view.Nodes[best].Name
	}
	if c.Bool("json") {
		err = w.printJSON(view)
	} else {
		w.printRecovery(view)
	}
	if err == nil && view.From != "" {
		err = silent(exitHosts)
	}
	return err
}

// newerLog is how Raft compares two logs.
func newerLog(a, b nodeView) bool {
	return cmp.Or(cmp.Compare(a.LastTerm, b.LastTerm), cmp.Compare(a.LastIndex, b.LastIndex)) > 0
}

// askEveryNode asks the policyds that the operator names, and those they name, one
// after the other. One that is asked by its socket asks the others itself: who uses
// the socket need not have a certificate to show to them.
func (w *world) askEveryNode(ctx context.Context, p *policyd) []nodeView {
	var views []nodeView
	todo := slices.Clone(p.addresses)
	for i := 0; i < len(todo); i++ {
		if isSocket(todo[i]) {
			got, err := w.policydAt(todo[i:i+1], nil).cluster.GetCluster(ctx, &proto.GetClusterRequest{})
			if err != nil {
				views = append(views, nodeView{Address: todo[i], Error: rootCause(err).Error()})
				continue
			}
			for _, n := range got.Nodes {
				views = append(views, viewNode(n))
			}
			continue
		}
		status, err := w.askNode(ctx, todo[i], p.shown)
		if err != nil {
			views = append(views, nodeView{Address: todo[i], Error: rootCause(err).Error()})
			continue
		}
		view := viewNode(&proto.ClusterNode{Member: &proto.Member{Name: status.Name, Address: todo[i], RaftAddress: status.RaftAddress}, Status: status})
		for _, m := range status.Members {
			view.Voter = view.Voter || m.Voter && m.Name == status.Name
			if m.Address != "" && !slices.Contains(todo, m.Address) && m.Name != status.Name {
				todo = append(todo, m.Address)
			}
		}
		views = append(views, view)
	}
	return views
}

func (w *world) askNode(ctx context.Context, address string, shown *identity.Bundle) (*proto.NodeStatus, error) {
	ctx, cancel := w.limit(ctx, recoverAskFor)
	defer cancel()
	return w.policydAt([]string{address}, shown).cluster.GetNode(ctx, &proto.GetNodeRequest{})
}

func (w *world) printRecovery(view recoveryView) {
	t := newTable("NODE", "ADDRESS", "STATE", "LAST TERM", "LAST", "POLICY", "WHY")
	for _, n := range view.Nodes {
		state := text(n.State)
		if !n.Reachable {
			state = tinted(red, "away")
		}
		t.add(text(n.Name), text(n.Address), state, n.figure(n.LastTerm), n.figure(n.LastIndex), n.figure(n.PolicyVersion),
			cell{text: clean(n.Error)})
	}
	t.print(w)
	if view.From == "" {
		w.printf("\n%s leads: there is nothing to recover\n", view.Leader)
		return
	}
	w.printf(`
Without a leader nothing can be changed; sessions go on. If enough policyds come
back, this is over by itself. If they are lost for good, go on from %[1]s, whose
log is the newest of those that answer:

  1. Stop every policyd of the domain: two that go on apart from each other would
     be two domains.
  2. On %[1]s, start policyd once with the options it had, and --recover.
     From then on without.
  3. Everywhere else, move the data directory away, and let policyd join:
     mbctl cluster join NAME

Changes that %[1]s has not got are lost. One that was never acknowledged may be
in force: look at mbctl policy show.
`, view.From)
}
