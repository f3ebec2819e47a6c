// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strconv"

	"connectrpc.com/connect"
	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) policyHistoryCommand() *cli.Command {
	return &cli.Command{
		Name:      "history",
		Usage:     "list the policies that ran, who applied them and when",
		ArgsUsage: " ",
		Description: describe(`policyd keeps the last 32, as long as their texts have 16 MiB together. BY is the
address from which it was applied.`,
			"mbctl policy history",
			"mbctl policy show --source --version 7"),
		Action: w.action(w.policyHistory),
	}
}

// historyView is what policy history prints in JSON.
type historyView struct {
	Versions []policyVersionView `json:"versions"` // the running one first
}

type policyVersionView struct {
	Version    uint64 `json:"version"`
	Applied    string `json:"applied"` // RFC 3339
	By         string `json:"by"`
	Bytes      uint32 `json:"bytes"`
	RollbackOf uint64 `json:"rollback_of"` // 0: none
}

func (w *world) policyHistory(c *cli.Context) error {
	p, _, err := w.policydAndOperands(c, 0, 0)
	if err != nil {
		return err
	}
	got, err := p.policy.History(c.Context, &proto.HistoryRequest{})
	if err != nil {
		return p.failed(err)
	}
	if c.Bool("json") {
		view := historyView{Versions: []policyVersionView{}}
		for _, v := range got.Versions {
			view.Versions = append(view.Versions, policyVersionView{v.Version, timeJSON(v.AppliedUnixMs), v.By, v.Bytes, v.RollbackOf})
		}
		return w.printJSON(view)
	}
	if len(got.Versions) == 0 {
		w.printf("no policy was ever applied; %s\n", applyHint)
		return nil
	}
	t := newTable("VERSION", "APPLIED", "BY", "SIZE", "WHAT")
	for i, v := range got.Versions {
		what := ""
		if i == 0 {
			what = "running"
		}
		if v.RollbackOf != 0 {
			if what != "" {
				what += ", "
			}
			what += fmt.Sprintf("version %d again", v.RollbackOf)
		}
		t.add(number(v.Version), text(w.timeText(v.AppliedUnixMs)), text(dash(v.By)), text(bytesText(uint64(v.Bytes))), cell{text: what})
	}
	t.print(w)
	return nil
}

// keptPolicy asks policyd for the text of a version; 0: the running one.
func (w *world) keptPolicy(c *cli.Context, version uint64) (name, source string, err error) {
	p, err := w.policyd(c)
	if err != nil {
		return "", "", err
	}
	got, err := p.policy.Get(c.Context, &proto.GetRequest{Version: version})
	if err != nil {
		return "", "", versionFailed(p, err)
	}
	if got.Version == 0 {
		return "", "", notFound(applyHint, "get policy: none was ever applied")
	}
	return fmt.Sprintf("policy version %d", got.Version), got.Source, nil
}

// versionFailed tells a version that is not kept from other errors.
func versionFailed(p *policyd, err error) error {
	var answer *connect.Error
	if connect.IsWireError(err) && errors.As(err, &answer) && answer.Code() == connect.CodeNotFound {
		return notFound("see `mbctl policy history`", "get policy: %s", answer.Message())
	}
	return p.failed(err)
}

// parseVersion reads the number of a version.
func parseVersion(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 {
		return 0, usagef("read version %q: want a number from 1, see `mbctl policy history`", s)
	}
	return n, nil
}
