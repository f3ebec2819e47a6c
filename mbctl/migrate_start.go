// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

const (
	// migrateWait is how long --wait waits if --timeout does not say.
	migrateWait = 10 * time.Minute
	// minPatience and maxPatience bound --patience.
	minPatience = 50 * time.Millisecond
	maxPatience = time.Minute
)

func (w *world) migrateInsertCommand() *cli.Command {
	return &cli.Command{
		Name:      "insert",
		Usage:     "put hosts into the chains of live sessions",
		ArgsUsage: "SESSION|--match PREDICATE --host NAME... --after NAME|--before NAME",
		Description: describe(`The hosts come between a host that the session passes and its neighbour, in the
order given.`+startWords,
			"mbctl migrate insert 3f9ac0de --host mb2 --after mb1",
			"mbctl migrate insert --match 'dstport=80' --host mb2,mb3 --before server --dry-run"),
		Flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "host", Usage: "the host `NAME` comes; may be repeated, or a list with commas"},
			&cli.StringFlag{Name: "after", Usage: "right of the host `NAME`, which the session passes"},
			&cli.StringFlag{Name: "before", Usage: "left of the host `NAME`, which the session passes"},
		}, startFlags()...),
		Action: w.action(func(c *cli.Context) error {
			insert := &proto.InsertHosts{Hosts: c.StringSlice("host"), After: c.String("after"), Before: c.String("before")}
			switch {
			case len(insert.Hosts) == 0:
				return wrongOperands(c, "--host is missing: who comes?")
			case (insert.After == "") == (insert.Before == ""):
				return wrongOperands(c, "one of --after and --before is wanted")
			}
			return w.migrateStart(c, &proto.StartMigrationsRequest{Change: &proto.StartMigrationsRequest_Insert{Insert: insert}})
		}, migrateWait),
	}
}

func (w *world) migrateRemoveCommand() *cli.Command {
	return &cli.Command{
		Name:      "remove",
		Usage:     "take hosts out of the chains of live sessions",
		ArgsUsage: "SESSION|--match PREDICATE --host NAME...",
		Description: describe(`Several hosts must be neighbours on the chain, and are given from left to right.
A session's client and server stay.`+startWords,
			"mbctl migrate remove 3f9ac0de --host mb1",
			"mbctl migrate remove --match 'srcip=10.0.0.0/24' --host mb1,mb2 --wait"),
		Flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "host", Usage: "the host `NAME` leaves; may be repeated, or a list with commas"},
		}, startFlags()...),
		Action: w.action(func(c *cli.Context) error {
			remove := &proto.RemoveHosts{Hosts: c.StringSlice("host")}
			if len(remove.Hosts) == 0 {
				return wrongOperands(c, "--host is missing: who leaves?")
			}
			return w.migrateStart(c, &proto.StartMigrationsRequest{Change: &proto.StartMigrationsRequest_Remove{Remove: remove}})
		}, migrateWait),
	}
}

func (w *world) migrateReplaceCommand() *cli.Command {
	return &cli.Command{
		Name:      "replace",
		Usage:     "put hosts in the place of others, with the state of their NFs",
		ArgsUsage: "SESSION|--match PREDICATE --from NAME... --to NAME...",
		Description: describe(`Several hosts to leave must be neighbours on the chain; all are given from left to
right. With --state, what the NF of each host knows of the session goes to the
host that takes its place: conntrack, the entry of the kernel's connection
tracking; exec, what the operator's program there says.`+startWords,
			"mbctl migrate replace 3f9ac0de --from mb1 --to mb3 --state conntrack",
			"mbctl migrate replace --match any --from mb1 --to mb3 --wait"),
		Flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "from", Usage: "the host `NAME` leaves; may be repeated, or a list with commas"},
			&cli.StringSliceFlag{Name: "to", Usage: "the host `NAME` comes; may be repeated, or a list with commas"},
			&cli.StringFlag{Name: "state", DefaultText: "none", Usage: "move the NF's state by `METHOD`: none, conntrack, exec"},
		}, startFlags()...),
		Action: w.action(func(c *cli.Context) error {
			method, err := parseMethod(c)
			if err != nil {
				return err
			}
			replace := &proto.ReplaceHosts{From: c.StringSlice("from"), To: c.StringSlice("to")}
			switch {
			case len(replace.From) == 0:
				return wrongOperands(c, "--from is missing: who leaves?")
			case len(replace.To) == 0:
				return wrongOperands(c, "--to is missing: who comes?")
			}
			return w.migrateStart(c, &proto.StartMigrationsRequest{StateMethod: method,
				Change: &proto.StartMigrationsRequest_Replace{Replace: replace}})
		}, migrateWait),
	}
}

// startWords are what the help of all three verbs says.
const startWords = `

SESSION is the beginning of one session's id; --match takes all sessions for which
the predicate holds and which are not over.
Guarantees, each with all that the one before it promises: loss-free, the default;
ordered, the default when state moves: packets keep their order, and are held up
for it; substream, TCP only: each byte, its repetitions and its acknowledgement
pass the same hosts.

With --wait, the command follows the migrations until all are over, for at most
10m if --timeout does not say. To interrupt it aborts nothing. Ends with 5 when a
host did not answer, a session that was meant stays as it is, or a migration
failed.`

func startFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "match", Usage: "all sessions that `PREDICATE`, as in a policy's match(), holds for"},
		&cli.StringFlag{Name: "guarantee", DefaultText: "loss-free, or ordered", Usage: "promise `WORD`: loss-free, ordered, substream"},
		&cli.StringFlag{Name: "overflow", Value: "abort", Usage: "what to do when more packets come than may be held: `WORD` abort, or drop those"},
		&cli.DurationFlag{Name: "patience", DefaultText: "5s", Usage: "go back to the old path after `TIME` without commit, 50ms to 1m"},
		&cli.BoolFlag{Name: "dry-run", DisableDefaultText: true, Usage: "say what would be done, and do nothing"},
		&cli.BoolFlag{Name: "wait", DisableDefaultText: true, Usage: "wait until all migrations are over"},
	}
}

// startedView is what the verbs that begin migrations print in JSON.
type startedView struct {
	Job         string          `json:"job"` // empty: none was begun
	DryRun      bool            `json:"dry_run"`
	Begun       uint32          `json:"begun"`
	Migrations  []migrationView `json:"migrations"` // the first of them
	Skipped     []skippedView   `json:"skipped"`    // the first of them
	MoreSkipped uint32          `json:"more_skipped"`
	Missing     []missingView   `json:"missing"`
	Outcome     *outcomeView    `json:"outcome"` // with --wait
}

type skippedView struct {
	Session string `json:"session"`
	Reason  string `json:"reason"`
}

// migrateStart adds to r what all three verbs have, sends it, and says what has come
// of it.
func (w *world) migrateStart(c *cli.Context, r *proto.StartMigrationsRequest) error {
	p, err := w.policyd(c)
	if err != nil {
		return err
	}
	if err := w.readStart(c, p, r); err != nil {
		return err
	}
	var names hostNames
	if r.DryRun || c.Bool("json") { // what else is said has no addresses
		if names, err = p.hostNames(c); err != nil {
			return err
		}
	}
	if !r.DryRun {
		r.Job = w.newJob()
	}
	got, err := p.migrate.Start(c.Context, r)
	if err != nil {
		return p.startFailed(err, r.Job)
	}
	if !c.Bool("json") {
		w.printStarted(got, names, r)
	}
	w.warnSkipped(got)
	for _, m := range got.Missing { // for more reasons than silence
		w.warnf("host %s: %s", m.Host, m.Error)
	}
	var follow *following
	if c.Bool("wait") && got.Begun > 0 && !r.DryRun {
		follow = newFollowing(w, p, got, c.Bool("json"))
		err = follow.all(c.Context)
	}
	if c.Bool("json") {
		err = errors.Join(w.printJSON(startedView{
			Job: id64Text(got.Job), DryRun: r.DryRun, Begun: got.Begun, Migrations: names.views(got.Migrations),
			Skipped: viewSkipped(got.Skipped), MoreSkipped: got.MoreSkipped, Missing: viewMissing(got.Missing),
			Outcome: follow.view(),
		}), err)
	}
	if err == nil && len(got.Missing)+len(got.Skipped) > 0 {
		err = silent(exitHosts)
	}
	return err
}

// startFailed is migrateFailed, and names the job where nobody knows what was begun.
func (p *policyd) startFailed(err error, job uint64) error {
	late := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		connect.CodeOf(err) == connect.CodeDeadlineExceeded
	err = p.migrateFailed(err)
	var f *failure
	if late && job != 0 && errors.As(err, &f) {
		f.hint = strings.TrimPrefix(f.hint+"; ", "; ") + "it may have begun: see `mbctl migrate list --job " + id64Text(job) + "`"
	}
	return err
}

// readStart reads the options and the argument of all three verbs.
func (w *world) readStart(c *cli.Context, p *policyd, r *proto.StartMigrationsRequest) (err error) {
	args, err := operands(c, 0, 1)
	if err != nil {
		return err
	}
	r.DryRun, r.Match = c.Bool("dry-run"), c.String("match")
	if (len(args) == 0) == (r.Match == "") {
		return wrongOperands(c, "one of SESSION and --match is wanted; --match any is for all sessions")
	}
	if r.Match != "" {
		if _, err := w.predicate(r.Match); err != nil {
			return err
		}
	}
	if r.Guarantee, err = parseGuarantee(c); err != nil {
		return err
	}
	if r.StateMethod != 0 && r.Guarantee == proto.Guarantee_GUARANTEE_LOSS_FREE {
		return usagef("read --guarantee: loss-free moves no state, which would change while it is copied: take ordered or substream, or leave out --state")
	}
	switch overflow := c.String("overflow"); overflow {
	case "abort":
	case "drop":
		r.OverflowDrop = true
	default:
		return usagef("read --overflow %q: want abort or drop", overflow)
	}
	if patience := c.Duration("patience"); c.IsSet("patience") {
		if patience < minPatience || patience > maxPatience {
			return usagef("read --patience %v: want %v to %v", patience, minPatience, maxPatience)
		}
		r.PatienceMs = uint32(patience.Milliseconds())
	}
	if len(args) > 0 {
		r.Session, err = p.sessionID(c, strings.ToLower(args[0]))
	}
	return err
}

// sessionID reads the beginning of a session's id. The protocol knows whole bytes;
// of a session given by an odd number of digits the whole id is looked up.
func (p *policyd) sessionID(c *cli.Context, digits string) ([]byte, error) {
	prefix, err := hex.DecodeString(digits[:len(digits)&^1])
	if err != nil || len(digits) == 0 || len(digits) > 32 || strings.Trim(digits, "0123456789abcdef") != "" {
		return nil, usagef("read session id %q: want 1 to 32 hexadecimal digits", digits)
	}
	if len(digits)%2 == 0 {
		return prefix, nil
	}
	got, err := p.domain.ListSessions(c.Context, &proto.ListSessionsRequest{Id: prefix})
	if err != nil {
		return nil, p.failed(err)
	}
	var found []string
	for _, s := range got.Sessions {
		if id := sessionText(s.Id); strings.HasPrefix(id, digits) && !slices.Contains(found, id) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 0:
		return nil, notFound("see `mbctl session list`", "find session: none begins with %s", digits)
	case 1:
		return hex.DecodeString(found[0])
	}
	return nil, &failure{code: exitUsage, err: fmt.Errorf("find session: %d begin with %s", len(found), digits),
		hint: "give more digits; see `mbctl session list`"}
}

func (w *world) printStarted(got *proto.StartMigrationsResponse, names hostNames, r *proto.StartMigrationsRequest) {
	switch {
	case got.Begun == 0 && len(got.Skipped)+len(got.Missing) == 0:
		w.printf("no session matches\n")
	case got.Begun == 0:
		w.printf("no migration begun\n")
	case r.DryRun:
		w.printf("would begin %s\n", plural(got.Begun, "migration"))
		w.printPlans(got, names)
	default:
		w.printf("begun %s: %s, %s\n", plural(got.Begun, "migration"), changeText(r),
			guaranteeText(got.Migrations[0].GetPlan().GetGuarantee()))
		w.printf("job %s\n", id64Text(got.Job))
	}
}

// changeText says what a request changes, as hostNames.change does of a plan.
func changeText(r *proto.StartMigrationsRequest) string {
	switch in := r.GetInsert(); {
	case in.GetAfter() != "":
		return "+ " + strings.Join(in.Hosts, ",") + " after " + in.After
	case in != nil:
		return "+ " + strings.Join(in.Hosts, ",") + " before " + in.Before
	case r.GetRemove() != nil:
		return "- " + strings.Join(r.GetRemove().Hosts, ",")
	}
	return strings.Join(r.GetReplace().GetFrom(), ",") + " -> " + strings.Join(r.GetReplace().GetTo(), ",")
}

// printPlans shows what would be done.
func (w *world) printPlans(got *proto.StartMigrationsResponse, names hostNames) {
	ids := make([]string, len(got.Migrations))
	for i, m := range got.Migrations {
		ids[i] = sessionText(m.GetPlan().GetSession())
	}
	digits := digitsApart(ids)
	t := newTable("SESSION", "PROTO", "CLIENT", "SERVER", "CHANGE", "LED BY", "GUARANTEE")
	for i, m := range got.Migrations {
		super := m.GetPlan().GetSuper()
		t.add(text(cut8(ids[i], digits)), text(protocolText(super.GetProtocol())),
			text(endText(super.GetSource(), super.GetSourcePort())),
			text(endText(super.GetDestination(), super.GetDestinationPort())),
			text(names.change(m.GetPlan())), text(m.LeftHost), text(guaranteeText(m.GetPlan().GetGuarantee())))
	}
	t.print(w)
	if more := int(got.Begun) - len(got.Migrations); more > 0 {
		w.printf("and %s more\n", countText(uint64(more)))
	}
}

// warnSkipped says once for each reason which sessions stay as they are.
func (w *world) warnSkipped(got *proto.StartMigrationsResponse) {
	var why []string // in the order of their first session
	ids := make(map[string][]string)
	for _, s := range got.Skipped {
		if ids[s.Reason] == nil {
			why = append(why, s.Reason)
		}
		ids[s.Reason] = append(ids[s.Reason], cut8(sessionText(s.Session), 8))
	}
	for _, reason := range why {
		all := ids[reason]
		few := strings.Join(all[:min(len(all), 3)], ", ")
		switch {
		case len(all) == 1:
			w.warnf("session %s stays as it is: %s", few, reason)
		case len(all) <= 3:
			w.warnf("%d sessions stay as they are (%s): %s", len(all), few, reason)
		default:
			w.warnf("%d sessions stay as they are (%s and others): %s", len(all), few, reason)
		}
	}
	if got.MoreSkipped > 0 {
		w.warnf("%s stay as they are, for reasons like these", plural(got.MoreSkipped, "more session"))
	}
}

func viewSkipped(list []*proto.Skipped) []skippedView {
	views := make([]skippedView, 0, len(list))
	for _, s := range list {
		views = append(views, skippedView{sessionText(s.Session), s.Reason})
	}
	return views
}
