// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"mbchain/identity"
	"mbchain/proto"
)

func (w *world) clusterCommand() *cli.Command {
	return &cli.Command{
		Name:  "cluster",
		Usage: "see and change which policyds the domain has",
		Description: describe(`One policyd, or a cluster of three or five of which one or two may be lost. Any of
them takes any command.`,
			"mbctl cluster status", "mbctl cluster join policyd2"),
		Subcommands: []*cli.Command{
			w.clusterStatusCommand(),
			{
				Name:      "join",
				Usage:     "make a token that lets a policyd join, and say what to type there",
				ArgsUsage: "NAME [--ttl TIME]",
				Description: describe(`The token is for a policyd of this name alone, until it expires. A policyd that
lost its data joins under its old name in the same way. This asks nothing of the
new one: it votes once it was started there and has caught up.`,
					"mbctl cluster join policyd2", "mbctl cluster join policyd2 --ttl 10m"),
				Flags: []cli.Flag{
					&cli.DurationFlag{Name: "ttl", Value: time.Hour, Usage: "how long the token is good, from 1s to 24h"},
				},
				Action: w.action(w.clusterJoin),
			},
			{
				Name:      "remove",
				Usage:     "take a policyd out of the cluster",
				ArgsUsage: "NAME",
				Description: describe(`For one that is gone or is to go; one that leads hands over first. Refused if the
others could not go on without it. Stop it afterwards.`,
					"mbctl cluster remove policyd3"),
				Action: w.action(w.clusterRemove),
			},
			{
				Name:      "transfer",
				Usage:     "make another policyd the leader",
				ArgsUsage: "[NAME]",
				Description: describe("Without NAME, the one with the newest data. Who stops policyd needs no transfer before.",
					"mbctl cluster transfer", "mbctl cluster transfer policyd2"),
				Action: w.action(w.clusterTransfer),
			},
			w.clusterSnapshotCommand(),
			w.clusterRestoreCommand(),
			w.clusterRecoverCommand(),
		},
	}
}

// joinView is what cluster join prints in JSON.
type joinView struct {
	Name      string   `json:"name"`
	Token     string   `json:"token"`
	Expires   string   `json:"expires"` // RFC 3339
	Addresses []string `json:"addresses"`
}

func (w *world) clusterJoin(c *cli.Context) error {
	args, err := operands(c, 1, 1)
	if err != nil {
		return err
	}
	ttl := c.Duration("ttl")
	if ttl < time.Second || ttl > 24*time.Hour {
		return usagef("read --ttl %v: want a time from 1s to 24h", ttl)
	}
	p, err := w.policyd(c)
	if err != nil {
		return err
	}
	status, err := p.cluster.GetNode(c.Context, &proto.GetNodeRequest{})
	if err != nil {
		return p.failed(err)
	}
	if status.RaftAddress == "" {
		return &failure{code: exitFailure, err: fmt.Errorf("join: %s is one policyd without a port for others", status.Name),
			hint: "restart it with --raft-listen ADDRESS:PORT"}
	}
	token := w.newToken()
	made, err := p.who.CreateToken(c.Context, &proto.CreateTokenRequest{
		Role: identity.Policyd.String(), Name: args[0], TtlMs: uint64(ttl.Milliseconds()), Uses: 1,
		Id: token.ID(), SecretHash: identity.HashSecret(token.Secret()),
	})
	if err != nil {
		return p.failed(err)
	}
	copy(token.CA[:], made.CaFingerprint)
	addresses := joinAddresses(status)
	if c.Bool("json") {
		return w.printJSON(joinView{Name: args[0], Token: token.Text(), Expires: timeJSON(made.Token.ExpiresUnixMs), Addresses: addresses})
	}
	w.printf("%s may join within %s, with this token:\n\n  %s\n\n", args[0], spanText(ttl), token.Text())
	w.printf("Write it to a file there, and start policyd with an empty data directory and its own address:\n\n")
	w.printf("  policyd --id %s --listen ADDRESS:7400 --raft-listen ADDRESS:7401 \\\n", args[0])
	for _, address := range addresses {
		w.printf("    --join %s \\\n", address)
	}
	w.printf("    --token-file FILE\n\nThen: mbctl cluster status\n")
	return nil
}

// joinAddresses are those of the policyds that there are, the leader's first.
func joinAddresses(status *proto.NodeStatus) []string {
	list := []string{}
	for _, m := range status.Members {
		switch {
		case m.Address == "":
		case m.Name == status.Leader:
			list = append([]string{m.Address}, list...)
		default:
			list = append(list, m.Address)
		}
	}
	return list
}

// removedView is what cluster remove prints in JSON.
type removedView struct {
	Name   string `json:"name"`
	Voters uint32 `json:"voters"`
}

func (w *world) clusterRemove(c *cli.Context) error {
	p, args, err := w.policydAndOperands(c, 1, 1)
	if err != nil {
		return err
	}
	done, err := p.cluster.RemoveNode(c.Context, &proto.RemoveNodeRequest{Name: args[0]})
	if err != nil {
		return p.clusterFailed(err)
	}
	if c.Bool("json") {
		return w.printJSON(removedView{args[0], done.Voters})
	}
	w.printf("%s removed, %s left; stop it, and move its data directory away before it joins again\n",
		args[0], plural(done.Voters, "voter"))
	return nil
}

// leaderView is what cluster transfer prints in JSON.
type leaderView struct {
	Leader string `json:"leader"`
}

func (w *world) clusterTransfer(c *cli.Context) error {
	p, args, err := w.policydAndOperands(c, 0, 1)
	if err != nil {
		return err
	}
	req := &proto.TransferLeaderRequest{}
	if len(args) > 0 {
		req.Name = args[0]
	}
	done, err := p.cluster.TransferLeader(c.Context, req)
	if err != nil {
		return p.clusterFailed(err)
	}
	if done.Leader == "" {
		return &failure{code: exitFailure, err: fmt.Errorf("transfer: handed over, and nobody has taken it up yet"),
			hint: "see `mbctl cluster status`"}
	}
	if c.Bool("json") {
		return w.printJSON(leaderView{done.Leader})
	}
	w.printf("%s leads\n", done.Leader)
	return nil
}

// clusterFailed is failed for calls that name a policyd.
func (p *policyd) clusterFailed(err error) error {
	told := p.failed(err)
	if f, ok := told.(*failure); ok && f.code == exitNotFound {
		f.hint = "see `mbctl cluster status`"
	}
	return told
}
