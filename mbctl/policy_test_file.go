// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/urfave/cli/v2"

	"mbchain/policy"
)

func (w *world) policyTestCommand() *cli.Command {
	return &cli.Command{
		Name:      "test",
		Usage:     "try whether a policy does to sessions what a file expects",
		ArgsUsage: "FILE|- [--policy FILE]...",
		Description: describe(`Each line of FILE is a session and what the policy should make of it, as
docs/POLICY.md says:

  10.0.0.1:40000 > 10.0.0.4:80 tcp >> {firewall -> ids} rule web
  10.0.0.1:40000 > 10.0.0.4:22     >> none

The policy is the one that runs, or with --policy that of one or more files. Ends
with 1 when an expectation is not met.`,
			"mbctl policy test web.test --policy web.policy",
			"mbctl policy test web.test --policy types.policy --policy web.policy",
			"mbctl policy test web.test"),
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "policy", DefaultText: "the running one", Usage: "try the policy in `FILE`; repeat it for its other documents"},
		},
		Action: w.action(w.policyTest),
	}
}

// triedView is what policy test prints in JSON.
type triedView struct {
	OK     bool        `json:"ok"`
	Passed int         `json:"passed"`
	Failed []triedFail `json:"failed"`
}

type triedFail struct {
	Line   int    `json:"line"`
	Text   string `json:"text"`
	Reason string `json:"reason"`
}

func (w *world) policyTest(c *cli.Context) error {
	args, err := operands(c, 1, 1)
	if err != nil {
		return err
	}
	file, text, err := w.readText(args[0])
	if err != nil {
		return err
	}
	expectations, err := policy.ParseExpectations(text)
	if err != nil {
		var found policy.Errors
		if !errors.As(err, &found) {
			return err
		}
		return w.printFindings(c, file, found)
	}
	name, p, err := w.parsePolicy(c, c.StringSlice("policy"), 0)
	if p == nil {
		return err
	}
	view := triedView{Failed: []triedFail{}}
	for _, e := range expectations {
		if reason := p.Meets(e); reason != "" {
			view.Failed = append(view.Failed, triedFail{e.Line, e.Text, reason})
		}
	}
	view.Passed = len(expectations) - len(view.Failed)
	view.OK = len(view.Failed) == 0
	if c.Bool("json") {
		err = w.printJSON(view)
	} else {
		for _, f := range view.Failed {
			w.printf("%s:%d: %s\n    %s\n", file, f.Line, f.Reason, f.Text)
		}
		w.printf("%s: %s met by %s, %d not\n", file, plural(view.Passed, "expectation"), name, len(view.Failed))
	}
	if !view.OK {
		return errors.Join(err, silent(exitFailure))
	}
	return err
}
