// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/urfave/cli/v2"

	"mbchain/policy"
	"mbchain/proto"
)

func (w *world) policyCheckCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "read a policy and say what is wrong with it",
		ArgsUsage: "FILE...|- [--hosts]",
		Description: describe(`Asks nobody and changes nothing. Ends with 4 when the policy is wrong; warnings
alone do not make it so. Several files are documents of one policy. With --hosts,
policyd is asked whether the hosts are as the policy declares.`,
			"mbctl policy check web.policy",
			"mbctl policy check types.policy web.policy mail.policy --hosts",
			"mbctl policy check - <web.policy"),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "hosts", DisableDefaultText: true, Usage: "compare instances with the hosts that policyd knows"},
		},
		Action: w.action(w.policyCheck),
	}
}

// checkView is what policy check prints in JSON, and policy apply for a wrong
// policy.
type checkView struct {
	OK        bool             `json:"ok"`
	Rules     int              `json:"rules"`
	Types     int              `json:"types"`
	Instances int              `json:"instances"`
	Errors    []diagnosticView `json:"errors"`
	Warnings  []diagnosticView `json:"warnings"`
}

type diagnosticView struct {
	Document string `json:"document"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Width    int    `json:"width"`
	Message  string `json:"message"`
	Text     string `json:"text"`
}

func viewDiagnostics(found []policy.Diagnostic) []diagnosticView {
	views := make([]diagnosticView, 0, len(found))
	for _, d := range found {
		views = append(views, diagnosticView{
			Document: d.Document,
			Line:     d.Line,
			Column:   d.Column,
			Width:    d.Width,
			Message:  d.Message,
			Text:     d.Text,
		})
	}
	return views
}

func (w *world) policyCheck(c *cli.Context) error {
	name, source, err := w.readPolicy(c)
	if err != nil {
		return err
	}
	parsed, err := policy.Parse(source)
	if err != nil {
		var found policy.Errors
		if !errors.As(err, &found) {
			return err
		}
		return w.printFindings(c, name, found)
	}
	if c.Bool("hosts") {
		if err := w.checkHosts(c, source, parsed); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return w.printJSON(checkView{
			OK:        true,
			Rules:     len(parsed.Rules),
			Types:     len(parsed.Types),
			Instances: parsed.Instances(),
			Errors:    []diagnosticView{},
			Warnings:  viewDiagnostics(parsed.Warnings),
		})
	}
	w.warnText(parsed.RenderWarnings(name))
	w.printf("%s: right: %s, %s, %s\n", name, plural(len(parsed.Rules), "rule"),
		plural(len(parsed.Types), "type"), plural(parsed.Instances(), "instance"))
	return nil
}

// checkHosts adds what policyd finds odd about the hosts to the warnings.
func (w *world) checkHosts(c *cli.Context, source string, parsed *policy.Policy) error {
	p, err := w.policyd(c)
	if err != nil {
		return err
	}
	found, err := p.policy.Check(c.Context, &proto.CheckRequest{Source: source, Hosts: true})
	if err != nil {
		return p.failed(err)
	}
	if len(found.Errors) == 0 { // an older policyd may refuse what this mbctl takes
		parsed.Warnings = findings(found.Warnings, true)
	}
	return nil
}

// printFindings says what is wrong with a policy, in order of its lines.
func (w *world) printFindings(c *cli.Context, name string, found policy.Errors) error {
	if c.Bool("json") {
		err := w.printJSON(checkView{Errors: viewDiagnostics(found), Warnings: []diagnosticView{}})
		return errors.Join(err, silent(exitPolicyWrong))
	}
	w.warnText(found.Render(name))
	w.warnText(name + ": " + plural(len(found), "error") + "\n")
	return silent(exitPolicyWrong)
}

// findings turns what policyd found into what the policy package prints.
func findings(diagnostics []*proto.Diagnostic, warning bool) policy.Errors {
	found := make(policy.Errors, 0, len(diagnostics))
	for _, d := range diagnostics {
		found = append(found, policy.Diagnostic{
			Document: d.Document,
			Line:     int(d.Line),
			Column:   int(d.Column),
			Width:    int(d.Width),
			Message:  d.Message,
			Text:     d.Text,
			Warning:  warning,
		})
	}
	return found
}
