// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) policyShowCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "show the running policy and what each host says of it",
		ArgsUsage: "[--source]",
		Description: describe(`A host runs one version and was offered one; they differ while it has not
answered, and when it refused, with the reason.`,
			"mbctl policy show",
			"mbctl policy show --source >saved.policy"),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "source", DisableDefaultText: true, Usage: "print the policy text alone, as it was applied"},
		},
		Action: w.action(w.policyShow),
	}
}

// policyView is what policy show prints in JSON.
type policyView struct {
	Version uint64           `json:"version"` // 0: none was ever applied
	Applied string           `json:"applied"` // RFC 3339
	Source  string           `json:"source"`
	Hosts   []hostPolicyView `json:"hosts"`
}

const applyHint = "apply one with `mbctl policy apply FILE`"

func (w *world) policyShow(c *cli.Context) error {
	if _, err := operands(c, 0, 0); err != nil {
		return err
	}
	p, err := w.policyd(c)
	if err != nil {
		return err
	}
	got, err := p.policy.Get(c.Context, &proto.GetRequest{})
	if err != nil {
		return p.failed(err)
	}
	switch {
	case c.Bool("json"):
		return w.printJSON(policyView{
			Version: got.Version,
			Applied: timeJSON(got.AppliedUnixMs),
			Source:  got.Source,
			Hosts:   viewHostPolicies(got.Hosts, got.Version),
		})
	case c.Bool("source") && got.Version == 0:
		return notFound(applyHint, "show policy: none was ever applied")
	case c.Bool("source"):
		w.printf("%s", got.Source)
		return nil
	}
	w.printPolicy(got)
	return nil
}

func (w *world) printPolicy(got *proto.GetResponse) {
	if got.Version == 0 {
		w.printf("no policy was ever applied; %s\n", applyHint)
	} else {
		w.printf("policy version %d, applied %s\n\n", got.Version, w.timeText(got.AppliedUnixMs))
		for _, line := range strings.Split(strings.TrimRight(got.Source, "\n"), "\n") {
			w.printf("%s\n", strings.TrimRight("    "+line, " "))
		}
	}
	if len(got.Hosts) == 0 {
		w.printf("\nno host has registered yet; start agentd with --policyd on each\n")
		return
	}
	w.printf("\n")
	t := newTable("HOST", "STATE", "RUNNING", "OFFERED", "RULES", "WHY")
	for _, h := range got.Hosts {
		state, why := stateCells(h, got.Version)
		t.add(text(h.Host), state, number(h.RunningVersion), number(h.OfferedVersion),
			number(uint64(h.Rules)), cell{text: why})
	}
	t.print(w)
}
