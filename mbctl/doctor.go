// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"connectrpc.com/connect"
	"github.com/urfave/cli/v2"

	"mbchain/identity"
	"mbchain/proto"
)

func (w *world) doctorCommand() *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "examine a host, and say what is wrong and what to type",
		ArgsUsage: "[HOST]",
		Description: describe(`Without HOST it asks the agent of this host, else policyd asks that of HOST. The
agent looks at its host's settings, clock and certificate, opens a connection to
the agents of up to 16 neighbours, and sends them ICMP echo requests as long as
the link takes. Nothing is changed. An error keeps sessions from being set up or
lets packets get lost; a warning may do so one day, or costs speed. Status 1: there
is an error.`,
			"mbctl doctor", "mbctl doctor mb1", "mbctl doctor mb1 --json | jq -r '.findings[] | select(.level == \"error\").do'"),
		Action: w.action(w.doctor),
	}
}

// doctorView is what doctor prints in JSON.
type doctorView struct {
	Host     string        `json:"host"` // empty: the agent that was asked did not answer
	Errors   int           `json:"errors"`
	Warnings int           `json:"warnings"`
	Findings []findingView `json:"findings"`
}

type findingView struct {
	Check string `json:"check"` // what was looked at, one of a few words
	Level string `json:"level"` // ok, warning or error
	What  string `json:"what"`
	Do    string `json:"do"` // what to type or do; empty: nothing
}

func (w *world) doctor(c *cli.Context) error {
	args, err := operands(c, 0, 1)
	if err != nil {
		return err
	}
	var host string
	var findings []finding
	switch {
	case len(args) == 1 && c.String("agent") != "":
		return usagef("run %s: an agent knows its own host alone: leave out --agent or %s", c.Command.HelpName, args[0])
	case len(args) == 1:
		host = args[0]
		findings, err = w.examineRemote(c, host)
	default:
		host, findings = w.examineLocal(c)
	}
	if err != nil {
		return err
	}
	view := viewFindings(host, findings)
	if c.Bool("json") {
		err = w.printJSON(view)
	} else {
		w.printCheckup(view, findings)
	}
	if err == nil && view.Errors > 0 {
		err = silent(exitFailure)
	}
	return err
}

// examineRemote has policyd ask a host.
func (w *world) examineRemote(c *cli.Context, host string) ([]finding, error) {
	p, err := w.policyd(c)
	if err != nil {
		return nil, err
	}
	status, err := p.domain.GetStatus(c.Context, &proto.GetStatusRequest{})
	if err != nil {
		return nil, p.failed(err)
	}
	got, err := p.domain.Examine(c.Context, &proto.ExamineRequest{Host: host})
	if err != nil {
		return nil, p.failed(err)
	}
	if got.Examination == nil {
		why := "no answer"
		if len(got.Missing) > 0 {
			why = got.Missing[0].Error
		}
		return []finding{{"agent", failed, "policyd cannot have it examined: " + why,
			"on " + host + ": mbctl doctor"}}, nil
	}
	up := checkup{x: got.Examination, newest: status.PolicyVersion}
	if p.shown != nil {
		up.ca = identity.FingerprintOf(p.shown.CA).String()
	}
	return up.findings(), nil
}

// examineLocal asks the agent of this host. That it does not answer is a finding, too.
func (w *world) examineLocal(c *cli.Context) (host string, _ []finding) {
	a := w.agent(c)
	if a == nil {
		a = w.agentAt(agentSocket)
	}
	got, err := a.local.Examine(c.Context, &proto.ExamineRequest{})
	if err == nil && got.Examination != nil {
		x := got.Examination
		return x.GetStatus().GetHost(), checkup{x: x, newest: x.GetStatus().GetOfferedVersion()}.findings()
	}
	do := "systemctl start mbchain-agentd"
	switch {
	case err == nil:
		err = errors.New("it does not know how to examine the host")
	case connect.IsWireError(err):
		do = "mbctl status --agent " + agentSocket
	case errors.Is(err, fs.ErrPermission):
		do = "sudo mbctl doctor"
	}
	findings := []finding{{"agent", failed, fmt.Sprintf("%s: %v", a.name, rootCause(err)), do}}
	if !w.exists("/sys/module/mbchain") {
		findings = append(findings, noModule("the module is not loaded"))
	}
	return "", findings
}

func viewFindings(host string, findings []finding) doctorView {
	view := doctorView{Host: host, Findings: []findingView{}}
	for _, f := range findings {
		switch f.level {
		case warned:
			view.Warnings++
		case failed:
			view.Errors++
		}
		view.Findings = append(view.Findings, findingView{f.check, f.level.String(), f.what, f.do})
	}
	return view
}

func (w *world) printCheckup(view doctorView, findings []finding) {
	name := view.Host
	if name == "" {
		name = "this host"
	}
	w.printf("%s: %s, %s\n\n", w.paint(bold, name), plural(view.Errors, "error"), plural(view.Warnings, "warning"))
	width := 0
	for _, f := range findings {
		width = max(width, len(f.check))
	}
	levelWidth := len(warned.String())
	for _, f := range findings {
		w.printf("%s  %s  %s\n", w.paint(f.level.colour(), pad(f.level.String(), levelWidth)), pad(f.check, width), f.what)
		if f.do != "" { // whole, whatever the terminal's width: it is to be copied
			w.printf("%s%s\n", strings.Repeat(" ", levelWidth+width+2*len(gap)), w.paint(bold, "do: "+f.do))
		}
	}
}
