// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) migrateShowCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "show one migration: its hosts, its steps and their times",
		ArgsUsage: "ID-PREFIX",
		Description: describe(`Shows the plan, what each host is in it, and when each step was taken, as the
agent of the left anchor knows it. AT counts from when the migration began, TOOK
from the step before.`,
			"mbctl migrate show 5f3a90c1"),
		Action: w.action(w.migrateShow),
	}
}

func (w *world) migrateShow(c *cli.Context) error {
	p, args, err := w.policydAndOperands(c, 1, 1)
	if err != nil {
		return err
	}
	names, err := p.hostNames(c)
	if err != nil {
		return err
	}
	m, err := w.oneMigration(c, p, args[0], false)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return w.printJSON(names.view(m))
	}
	w.printMigration(m, names)
	return nil
}

func (w *world) printMigration(m *proto.Migration, names hostNames) {
	p := m.GetPlan()
	t := &table{}
	t.add(text("migration"), tinted(bold, id64Text(m.Id)))
	t.add(text("session"), text(sessionText(p.GetSession())))
	t.add(cell{}, text(tupleText(p.GetSuper(), w.glyphs().right)+" "+protocolText(p.GetSuper().GetProtocol())))
	t.add(text("change"), text(names.change(p)))
	t.add(text("guarantee"), text(guaranteeText(p.GetGuarantee())))
	for i, s := range p.GetState() {
		head := text("nf state")
		if i > 0 {
			head = cell{}
		}
		t.add(head, text(fmt.Sprintf("of %s for %s, by %s", names.label(s.From), names.label(s.To), methodText(s.Method))))
	}
	state := migrationCell(m)
	if took := tookMicros(m); took > 0 {
		state.text += ", took " + microsText(took)
	}
	t.add(text("state"), state)
	if m.GetWhy().GetReason() != "" {
		t.add(text("why"), text(names.explain(m.Why)))
	}
	t.add(text("tries"), text(fmt.Sprintf("%d, %s", m.Tries, plural(m.Messages, "message"))))
	t.add(text("patience"), text(millisText(uint64(p.GetPatienceMs()))))
	t.add(text("began"), text(w.timeText(m.BeganUnixUs/1000)))
	t.add(text("job"), text(id64Text(m.Job)))
	t.print(w)
	w.printf("\n")
	w.printPlanHosts(m, names)
	if len(m.Steps) > 0 {
		w.printf("\n")
		w.printSteps(m.Steps, names)
	}
}

// printPlanHosts lists the hosts of a plan, left to right, those that leave before
// those that come.
func (w *world) printPlanHosts(m *proto.Migration, names hostNames) {
	p := m.GetPlan()
	t := newTable("HOST", "ADDRESS", "PART")
	add := func(part string, addresses ...string) {
		for _, a := range addresses {
			t.add(text(names[a]), text(a), text(part))
		}
	}
	add("left anchor, leads", p.GetLeft())
	add("leaves", p.GetOld()...)
	add("comes", p.GetNew()...)
	add("right anchor", p.GetRight())
	t.print(w)
}

func (w *world) printSteps(all []*proto.MigrationStep, names hostNames) {
	t := newTable("STEP", "AT", "TOOK", "WHAT")
	var before uint64
	for _, s := range all {
		what := steps[s.Name]
		if s.GetWhy().GetReason() != "" {
			what = names.explain(s.Why)
		}
		t.add(text(s.Name), figure(microsText(s.AtUs)), figure(microsText(max(s.AtUs, before)-before)),
			cell{text: what})
		before = s.AtUs
	}
	t.print(w)
}
