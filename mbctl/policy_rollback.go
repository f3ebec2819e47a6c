// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) policyRollbackCommand() *cli.Command {
	return &cli.Command{
		Name:      "rollback",
		Usage:     "apply an older policy again",
		ArgsUsage: "[VERSION] [--if-version N] [--wait]",
		Description: describe(`VERSION is one of mbctl policy history; without it, the one before the running one.
Its text becomes a new version, as if it were applied from a file: what was said of
mbctl policy apply holds. Nothing happens if somebody else applies a policy at the
same moment. Without VERSION it goes back and forth when it is repeated.`,
			"mbctl policy rollback",
			"mbctl policy rollback 7 --wait",
			"mbctl policy rollback 7 --if-version 9"),
		Flags: []cli.Flag{
			&cli.Uint64Flag{Name: "if-version", DefaultText: "any", Usage: "only if version `N` is running"},
			&cli.BoolFlag{Name: "wait", DisableDefaultText: true, Usage: "wait until the hosts have answered"},
		},
		Action: w.action(w.policyRollback),
	}
}

func (w *world) policyRollback(c *cli.Context) error {
	args, err := operands(c, 0, 1)
	if err != nil {
		return err
	}
	var version uint64
	if len(args) > 0 {
		if version, err = parseVersion(args[0]); err != nil {
			return err
		}
	}
	p, err := w.policyd(c)
	if err != nil {
		return err
	}
	history, err := p.policy.History(c.Context, &proto.HistoryRequest{})
	switch {
	case err != nil:
		return p.failed(err)
	case len(history.Versions) == 0:
		return notFound(applyHint, "roll back policy: none was ever applied")
	case version == 0 && len(history.Versions) < 2:
		return notFound("see `mbctl policy history`", "roll back policy: none is older than version %d", history.Versions[0].Version)
	case version == 0:
		version = history.Versions[1].Version
	}
	running := history.Versions[0].Version
	if c.IsSet("if-version") {
		running = c.Uint64("if-version")
	}
	got, err := p.policy.Get(c.Context, &proto.GetRequest{Version: version})
	if err != nil {
		return versionFailed(p, err)
	}
	return w.applyPolicy(c, p, fmt.Sprintf("version %d", version),
		&proto.ApplyRequest{Source: got.Source, IfVersion: &running, RollbackOf: version})
}
