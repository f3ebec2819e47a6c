// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mbchain/proto"
)

// following is one --wait for the migrations of a job.
type following struct {
	progressLine
	policyd *policyd
	job     uint64
	begun   uint32
	leads   map[string]bool // hosts that lead them; nil: more than are known

	counts *proto.MigrationCounts // as last told; nil: never
	over   bool
	failed []reasonView
}

func newFollowing(w *world, p *policyd, got *proto.StartMigrationsResponse, quiet bool) *following {
	f := &following{progressLine: progressLine{world: w, quiet: quiet}, policyd: p, job: got.Job, begun: got.Begun}
	if int(got.Begun) <= len(got.Migrations) {
		f.leads = make(map[string]bool)
		for _, m := range got.Migrations {
			f.leads[m.LeftHost] = true
		}
	}
	return f
}

// all returns once all migrations are over or ctx has ended.
func (f *following) all(ctx context.Context) error {
	err := f.poll(ctx)
	f.show("")
	timeUp := errors.Is(context.Cause(ctx), context.DeadlineExceeded)
	switch {
	case err == nil:
		err = f.countReasons(ctx)
		f.printOutcome()
		return cmp.Or(err, f.outcome())
	case timeUp && f.counts != nil:
		f.printOutcome()
		return f.outcome()
	case ctx.Err() != nil && !timeUp:
		return &failure{code: exitFailure, err: fmt.Errorf("wait for migrations: %w; they go on", context.Cause(ctx)), hint: f.hint()}
	}
	err = f.policyd.migrateFailed(err)
	var known *failure
	if errors.As(err, &known) {
		known.hint = strings.TrimPrefix(known.hint+"; ", "; ") + "the migrations go on: " + f.hint()
	}
	return err
}

// hint says how to go on with a job.
func (f *following) hint() string {
	job := id64Text(f.job)
	return fmt.Sprintf("look at them with `mbctl migrate list --job %s`, end them with `mbctl migrate abort --job %s`", job, job)
}

// poll asks until all migrations are over.
func (f *following) poll(ctx context.Context) error {
	for {
		got, err := f.policyd.migrate.List(ctx, &proto.ListMigrationsRequest{Job: f.job, Limit: 1})
		if err != nil {
			return err
		}
		f.counts = got.GetCounts()
		if f.over = f.isOver(got); f.over {
			return nil
		}
		f.show(f.progress())
		if err := f.sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
}

// isOver reports whether nothing more will come. An agent that starts anew forgets
// its migrations, so fewer may be there than were begun.
func (f *following) isOver(got *proto.ListMigrationsResponse) bool {
	c := got.GetCounts()
	switch {
	case c.GetQueued()+c.GetRunning() > 0:
		return false
	case c.GetDone()+c.GetFailed() >= f.begun:
		return true
	}
	return !slices.ContainsFunc(got.Missing, func(m *proto.Missing) bool { return f.leads == nil || f.leads[m.Host] })
}

// progress is "1,234 of 10,000 done, 3 failed, 812/s".
func (f *following) progress() string {
	line := fmt.Sprintf("%s of %s done", countText(uint64(f.counts.GetDone())), countText(uint64(f.begun)))
	if n := f.counts.GetFailed(); n > 0 {
		line += ", " + countText(uint64(n)) + " failed"
	}
	if rate := f.perSecond(); rate > 0 {
		line += fmt.Sprintf(", %s/s", countText(uint64(rate)))
	}
	return line
}

// perSecond is how many were done in a second.
func (f *following) perSecond() float64 {
	if f.counts.GetSpanUs() == 0 {
		return 0
	}
	return float64(f.counts.GetDone()) * 1e6 / float64(f.counts.GetSpanUs())
}

// countReasons asks why those failed that did.
func (f *following) countReasons(ctx context.Context) error {
	if f.counts.GetFailed() == 0 {
		return nil
	}
	got, err := f.policyd.migrate.List(ctx, &proto.ListMigrationsRequest{Job: f.job, Limit: maxMigrations})
	if err != nil {
		return f.policyd.migrateFailed(err)
	}
	counts := make(map[string]int)
	for _, m := range got.Migrations {
		if m.State == stateFailed {
			counts[m.GetWhy().GetReason()]++
		}
	}
	for reason, n := range counts {
		f.failed = append(f.failed, reasonView{Reason: reason, Count: n})
	}
	slices.SortFunc(f.failed, func(a, b reasonView) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return nil
}

// unknown is how many migrations nobody knows of any more, or says anything of.
func (f *following) unknown() uint32 {
	c := f.counts
	known := c.GetQueued() + c.GetRunning() + c.GetDone() + c.GetFailed()
	return max(f.begun, known) - known
}

func (f *following) printOutcome() {
	if f.quiet {
		return
	}
	line := fmt.Sprintf("%s of %s done", countText(uint64(f.counts.GetDone())), countText(uint64(f.begun)))
	if f.counts.GetDone() > 0 {
		line += fmt.Sprintf(" in %s, %.4g a second; median %s, p99 %s", microsText(f.counts.GetSpanUs()), f.perSecond(),
			microsText(f.counts.GetMedianUs()), microsText(f.counts.GetP99Us()))
	}
	f.printf("%s\n", line)
	for _, r := range f.failed {
		f.printf("%s failed: %s\n", countText(uint64(r.Count)), withMeaning(dash(r.Reason), r.Reason))
	}
	if n := f.counts.GetQueued() + f.counts.GetRunning(); n > 0 {
		f.printf("%s not over yet\n", countText(uint64(n)))
	}
	if n := f.unknown(); n > 0 {
		f.printf("%s that no agent speaks of: their agent is away, or has started anew\n", countText(uint64(n)))
	}
}

// outcome is nil when all were done.
func (f *following) outcome() error {
	notDone := max(f.begun, f.counts.GetDone()) - f.counts.GetDone()
	switch {
	case notDone == 0 && f.counts.GetFailed() == 0:
		return nil
	case f.over:
		return &failure{code: exitHosts, err: fmt.Errorf("wait for migrations: %s not done", plural(max(notDone, f.counts.GetFailed()), "migration")),
			hint: "those sessions keep their chain; see `mbctl migrate list --job " + id64Text(f.job) + "`"}
	}
	return &failure{code: exitHosts, err: errors.New("wait for migrations: time is up, and they go on"), hint: f.hint()}
}

// outcomeView is what became of migrations in JSON.
type outcomeView struct {
	countsView
	Unknown   uint32       `json:"unknown"`
	PerSecond float64      `json:"per_second"`
	Reasons   []reasonView `json:"reasons"` // of those that failed
}

type reasonView struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// view is nil when nobody waited, or nothing was heard.
func (f *following) view() *outcomeView {
	if f == nil || f.counts == nil {
		return nil
	}
	return &outcomeView{countsView: viewCounts(f.counts), Unknown: f.unknown(), PerSecond: f.perSecond(),
		Reasons: append([]reasonView{}, f.failed...)}
}
