// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) migrateAbortCommand() *cli.Command {
	return &cli.Command{
		Name:      "abort",
		Usage:     "give up migrations that are not committed",
		ArgsUsage: "ID-PREFIX|--job JOB",
		Description: describe(`Their sessions go back to the old path, or stay there. What is committed goes on:
to undo it, change the chain again. Ends with 1 when it is too late for all, with
5 when a host did not answer.`,
			"mbctl migrate abort 5f3a90c1",
			"mbctl migrate abort --job 00000000c0ffee00"),
		Flags:  []cli.Flag{jobFlag()},
		Action: w.action(w.migrateAbort),
	}
}

// abortedView is what migrate abort prints in JSON.
type abortedView struct {
	Aborted uint32        `json:"aborted"`
	Late    uint32        `json:"late"`
	Missing []missingView `json:"missing"`
}

func (w *world) migrateAbort(c *cli.Context) error {
	p, args, err := w.policydAndOperands(c, 0, 1)
	if err != nil {
		return err
	}
	job, err := parseJob(c)
	if err != nil {
		return err
	}
	if (len(args) == 0) == (job == 0) {
		return wrongOperands(c, "one of ID-PREFIX and --job is wanted")
	}
	req := &proto.AbortMigrationsRequest{Job: job}
	if len(args) > 0 {
		m, err := w.oneMigration(c, p, args[0], true)
		if err != nil {
			return err
		}
		req.Id = m.Id
	}
	got, err := p.migrate.Abort(c.Context, req)
	if err != nil {
		return p.migrateFailed(err)
	}
	w.warnMissing(got.Missing)
	if c.Bool("json") {
		err = w.printJSON(abortedView{got.Aborted, got.Late, viewMissing(got.Missing)})
	} else {
		w.printf("asked %s to give up; too late for %s\n", plural(got.Aborted, "migration"), countText(uint64(got.Late)))
	}
	switch {
	case err != nil || got.Aborted > 0 && len(got.Missing) == 0:
		return err
	case len(got.Missing) > 0:
		return silent(exitHosts)
	case got.Late > 0:
		return &failure{code: exitFailure, err: errors.New("abort migrations: committed or over, all of them"),
			hint: "change the chain again to undo them; see `mbctl migrate list`"}
	}
	return notFound("see `mbctl migrate list`", "abort migrations: there are none of this job")
}
