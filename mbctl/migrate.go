// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

const (
	migrateName = "migrate"
	// maxMigrations is the most that one answer may have.
	maxMigrations = 10000
	idDigitsOf64  = 16 // of a job or a migration
)

func (w *world) migrateCommand() *cli.Command {
	return &cli.Command{
		Name:  migrateName,
		Usage: "change the chains of live sessions, and follow the changes",
		Description: describe(`A migration changes the chain of one live session: hosts come, leave, or take the
place of others. Nothing is lost or reset, and neither end notices. The agent of
the host left of the change leads it; until it has committed, it can be aborted.`,
			"mbctl migrate insert 3f9ac0de --host mb2 --after mb1",
			"mbctl migrate replace --match any --from mb1 --to mb3 --wait",
			"mbctl migrate list --unfinished"),
		Subcommands: []*cli.Command{
			w.migrateInsertCommand(), w.migrateRemoveCommand(), w.migrateReplaceCommand(),
			w.migrateListCommand(), w.migrateShowCommand(), w.migrateAbortCommand(),
			w.migrateLeaveCommand(), w.migrateRequestCommand(),
		},
	}
}

// migrateFailed is for the errors of MigrationService, which knows more things that
// may be missing than hosts.
func (p *policyd) migrateFailed(err error) error {
	err = p.failed(err)
	var f *failure
	if errors.As(err, &f) && f.code == exitNotFound {
		f.hint = "see `mbctl session list` and `mbctl host list`"
	}
	return err
}

// id64Text writes the id of a job or a migration; empty for 0, which is none.
func id64Text(id uint64) string {
	if id == 0 {
		return ""
	}
	return fmt.Sprintf("%016x", id)
}

// parseJob reads what --job was given; 0: nothing.
func parseJob(c *cli.Context) (uint64, error) {
	text := c.String("job")
	if !c.IsSet("job") {
		return 0, nil
	}
	job, err := strconv.ParseUint(text, 16, 64)
	if err != nil || len(text) != idDigitsOf64 || job == 0 {
		return 0, usagef("read --job %q: want the 16 hexadecimal digits that the command which began it printed", text)
	}
	return job, nil
}

func jobFlag() cli.Flag {
	return &cli.StringFlag{Name: "job", Usage: "those that one command began, which printed `JOB`"}
}

// oneMigration asks for the one whose id begins with these digits.
func (w *world) oneMigration(c *cli.Context, p *policyd, digits string, unfinished bool) (*proto.Migration, error) {
	digits = strings.ToLower(digits)
	id, err := strconv.ParseUint(digits, 16, 64)
	if err != nil || len(digits) > idDigitsOf64 || digits[0] == '+' {
		return nil, usagef("read migration id %q: want 1 to 16 hexadecimal digits", digits)
	}
	req := &proto.ListMigrationsRequest{Limit: maxMigrations, Unfinished: unfinished}
	whole := len(digits) == idDigitsOf64 && id != 0
	if whole {
		req.Id, req.Unfinished = id, false
	}
	got, err := p.migrate.List(c.Context, req)
	if err != nil {
		return nil, p.migrateFailed(err)
	}
	var found []*proto.Migration
	var ids []string
	for _, m := range got.Migrations {
		if whole || strings.HasPrefix(id64Text(m.Id), digits) {
			found = append(found, m)
			ids = append(ids, id64Text(m.Id))
		}
	}
	switch len(found) {
	case 0:
		w.warnMissing(got.Missing)
		return nil, notFound("see `mbctl migrate list`; agents forget the oldest, and all when they start anew",
			"find migration: none begins with %s", digits)
	case 1:
		return found[0], nil
	}
	w.warnMissing(got.Missing)
	var few []string
	apart := digitsApart(ids)
	for _, id := range ids[:min(len(ids), 5)] {
		few = append(few, cut8(id, apart))
	}
	return nil, &failure{code: exitUsage, err: fmt.Errorf("find migration: %d begin with %s", len(found), digits),
		hint: fmt.Sprintf("give more digits: %s; see `mbctl migrate list`", strings.Join(few, ", "))}
}

// hostNames maps addresses to hosts, in what speaks of migrations.
type hostNames map[string]string

func (p *policyd) hostNames(c *cli.Context) (hostNames, error) {
	hosts, err := p.hosts(c)
	return hostNames(directory(hosts).names()), err
}

// label is a host's name, or its address where no name is known.
func (n hostNames) label(address string) string {
	if name := n[address]; name != "" {
		return name
	}
	return dash(address)
}

func (n hostNames) labels(addresses []string) string {
	all := make([]string, len(addresses))
	for i, a := range addresses {
		all[i] = n.label(a)
	}
	return strings.Join(all, ",")
}

// change says what a plan changes: "mb1 -> mb3", "+ mb2 after client", "- mb1".
func (n hostNames) change(p *proto.MigratePlan) string {
	from, to := n.labels(p.GetOld()), n.labels(p.GetNew())
	switch {
	case from == "":
		return "+ " + dash(to) + " after " + n.label(p.GetLeft())
	case to == "":
		return "- " + from
	}
	return from + " -> " + to
}

// microsText writes a time that a migration took: "0.9ms", "14.2ms", "3.1s".
func microsText(us uint64) string {
	if us < 1_000_000 {
		return fmt.Sprintf("%.1fms", float64(us)/1000)
	}
	return millisText(us / 1000)
}

// tookMicros is how long a migration took, 0 as long as it is not over.
func tookMicros(m *proto.Migration) uint64 {
	if len(m.Steps) == 0 || !migrationOver(m) {
		return 0
	}
	for _, s := range m.Steps {
		if s.Name == stateDone {
			return s.AtUs
		}
	}
	return m.Steps[len(m.Steps)-1].AtUs
}

// The states of a migration after which nothing happens.
const (
	stateDone   = "done"
	stateFailed = "failed"
)

func migrationOver(m *proto.Migration) bool { return m.State == stateDone || m.State == stateFailed }

// ageText is how long ago a migration began.
func (w *world) ageText(m *proto.Migration) string {
	return spanText(w.now().Sub(time.UnixMicro(m.BeganUnixUs)))
}

func sessionText(id []byte) string { return hex.EncodeToString(id) }
