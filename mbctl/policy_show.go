// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) policyShowCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "show the running policy and what each host says of it",
		ArgsUsage: "[--source] [--version N]",
		Description: describe(`A host runs one version and was offered one; they differ while it has not
answered, and when it refused, with the reason. Of older policies there is the
text alone.`,
			"mbctl policy show",
			"mbctl policy show --version 7",
			"mbctl policy show --source >saved.policy"),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "source", DisableDefaultText: true, Usage: "print the policy text alone, as it was applied"},
			&cli.Uint64Flag{Name: "version", DefaultText: "the running one", Usage: "of version `N`, see mbctl policy history"},
		},
		Action: w.action(w.policyShow),
	}
}

// policyView is what policy show prints in JSON.
type policyView struct {
	Version    uint64           `json:"version"` // 0: none was ever applied
	Applied    string           `json:"applied"` // RFC 3339
	By         string           `json:"by"`
	RollbackOf uint64           `json:"rollback_of"` // 0: none
	Source     string           `json:"source"`
	Hosts      []hostPolicyView `json:"hosts"`
}

const applyHint = "apply one with `mbctl policy apply FILE`"

func (w *world) policyShow(c *cli.Context) error {
	p, _, err := w.policydAndOperands(c, 0, 0)
	if err != nil {
		return err
	}
	got, err := p.policy.Get(c.Context, &proto.GetRequest{Version: c.Uint64("version")})
	if err != nil {
		return versionFailed(p, err)
	}
	older := c.IsSet("version") && len(got.Hosts) == 0
	switch {
	case c.Bool("json"):
		return w.printJSON(policyView{
			Version:    got.Version,
			Applied:    timeJSON(got.AppliedUnixMs),
			By:         got.By,
			RollbackOf: got.RollbackOf,
			Source:     got.Source,
			Hosts:      viewHostPolicies(got.Hosts, got.Version),
		})
	case c.Bool("source") && got.Version == 0:
		return notFound(applyHint, "show policy: none was ever applied")
	case c.Bool("source"):
		w.printf("%s", got.Source)
		return nil
	}
	w.printPolicy(got)
	if !older {
		w.printHostPolicies(got)
	}
	return nil
}

func (w *world) printPolicy(got *proto.GetResponse) {
	if got.Version == 0 {
		w.printf("no policy was ever applied; %s\n", applyHint)
	} else {
		w.printf("policy version %d, applied %s%s\n\n", got.Version, w.timeText(got.AppliedUnixMs), byText(got.By, got.RollbackOf))
		for _, line := range strings.Split(strings.TrimRight(got.Source, "\n"), "\n") {
			w.printf("%s\n", strings.TrimRight("    "+line, " "))
		}
	}
}

// byText says who applied a policy, and of what it is a repetition.
func byText(by string, rollbackOf uint64) string {
	s := ""
	if by != "" {
		s = " by " + by
	}
	if rollbackOf != 0 {
		s += fmt.Sprintf(", version %d again", rollbackOf)
	}
	return s
}

func (w *world) printHostPolicies(got *proto.GetResponse) {
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
