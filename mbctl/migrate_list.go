// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) migrateListCommand() *cli.Command {
	return &cli.Command{
		Name:      "list",
		Usage:     "list migrations, one line each, the newest first",
		ArgsUsage: "[--job JOB] [--session ID-PREFIX] [--unfinished]",
		Description: describe(`Each agent keeps the history of the migrations that it led, until it starts anew.
CHANGE is who comes, leaves, or takes whose place; TOOK is the time from the first
try until the old path was given up. Ends with 5 when a host did not answer.`,
			"mbctl migrate list",
			"mbctl migrate list --unfinished",
			"mbctl migrate list --job 00000000c0ffee00 --json | jq '.counts'"),
		Flags: []cli.Flag{
			jobFlag(),
			&cli.StringFlag{Name: "session", Usage: "those of sessions whose id begins with `ID-PREFIX`"},
			&cli.BoolFlag{Name: "unfinished", DisableDefaultText: true, Usage: "those that are not over"},
			&cli.UintFlag{Name: "limit", Value: 100, Usage: "at most `N`, the newest"},
		},
		Action: w.action(w.migrateList),
	}
}

// migrationListView is what migrate list prints in JSON.
type migrationListView struct {
	Migrations []migrationView `json:"migrations"`
	Counts     countsView      `json:"counts"`
	Missing    []missingView   `json:"missing"`
}

func (w *world) migrateList(c *cli.Context) error {
	p, _, err := w.policydAndOperands(c, 0, 0)
	if err != nil {
		return err
	}
	req, err := readMigrationList(c)
	if err != nil {
		return err
	}
	names, err := p.hostNames(c)
	if err != nil {
		return err
	}
	got, err := p.migrate.List(c.Context, req)
	if err != nil {
		return p.migrateFailed(err)
	}
	w.warnMissing(got.Missing)
	if c.Bool("json") {
		err = w.printJSON(migrationListView{names.views(got.Migrations), viewCounts(got.Counts), viewMissing(got.Missing)})
	} else {
		w.printMigrations(got, names)
	}
	if err == nil && len(got.Missing) > 0 {
		err = silent(exitHosts)
	}
	return err
}

func readMigrationList(c *cli.Context) (*proto.ListMigrationsRequest, error) {
	job, err := parseJob(c)
	if err != nil {
		return nil, err
	}
	limit := c.Uint("limit")
	if limit < 1 || limit > maxMigrations {
		return nil, usagef("read --limit %d: want 1 to %d", limit, maxMigrations)
	}
	req := &proto.ListMigrationsRequest{Job: job, Unfinished: c.Bool("unfinished"), Limit: uint32(limit)}
	if text := c.String("session"); text != "" {
		if req.Session, err = hex.DecodeString(text); err != nil || len(text) > 32 {
			return nil, usagef("read --session %q: want 2 to 32 hexadecimal digits, an even number", text)
		}
	}
	return req, nil
}

func (w *world) printMigrations(got *proto.ListMigrationsResponse, names hostNames) {
	if len(got.Migrations) == 0 {
		w.printf("no migration\n")
		return
	}
	w.migrationTable(got.Migrations, names).print(w)
	w.printf("%s\n", tallyText(got.Counts, len(got.Migrations)))
}

func (w *world) migrationTable(list []*proto.Migration, names hostNames) *table {
	ids := make([]string, len(list))
	for i, m := range list {
		ids[i] = id64Text(m.Id)
	}
	digits := digitsApart(ids)
	t := newTable("ID", "SESSION", "CHANGE", "GUARANTEE", "STATE", "AGE", "TOOK", "WHY")
	for i, m := range list {
		p := m.GetPlan()
		t.add(text(cut8(ids[i], digits)), text(cut8(sessionText(p.GetSession()), 8)), text(names.change(p)),
			text(guaranteeText(p.GetGuarantee())), migrationCell(m), figure(w.ageText(m)), tookCell(m),
			cell{text: names.whyText(m.Why)})
	}
	return t
}

func migrationCell(m *proto.Migration) cell {
	switch m.State {
	case stateDone:
		return text(m.State)
	case stateFailed:
		return tinted(red, m.State)
	}
	return tinted(yellow, m.State)
}

func tookCell(m *proto.Migration) cell {
	if took := tookMicros(m); took > 0 {
		return figure(microsText(took))
	}
	return figure("-")
}

// migrationTally is "2 running, 12 done, 1 failed; median 3.1ms, p99 9.8ms".
func migrationTally(c *proto.MigrationCounts) string {
	var parts []string
	for _, n := range []struct {
		count uint32
		word  string
	}{{c.GetQueued(), "queued"}, {c.GetRunning(), "running"}, {c.GetDone(), stateDone}, {c.GetFailed(), stateFailed}} {
		if n.count > 0 {
			parts = append(parts, countText(uint64(n.count))+" "+n.word)
		}
	}
	line := strings.Join(parts, ", ")
	if c.GetDone() > 0 {
		line += fmt.Sprintf("; median %s, p99 %s", microsText(c.GetMedianUs()), microsText(c.GetP99Us()))
	}
	return line
}

// tallyText is the line below a list.
func tallyText(c *proto.MigrationCounts, listed int) string {
	line := migrationTally(c)
	all := uint64(c.GetQueued()) + uint64(c.GetRunning()) + uint64(c.GetDone()) + uint64(c.GetFailed())
	if all > uint64(listed) {
		line += fmt.Sprintf("; the newest %s are shown, --limit shows more", countText(uint64(listed)))
	}
	return line
}
