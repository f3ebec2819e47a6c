// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/policy"
	"mbchain/proto"
)

// liveView is in JSON what a policy makes of the sessions that live.
type liveView struct {
	Job     string        `json:"job"`     // of the migrations; empty: none
	Counted bool          `json:"counted"` // all that follows is known
	Migrate uint32        `json:"migrate"`
	Reset   uint32        `json:"reset"`
	Stay    uint32        `json:"stay"`
	Keep    uint32        `json:"keep"`
	Skipped []skippedView `json:"skipped"` // the first of those that stay
	Missing []missingView `json:"missing"`
}

// viewLive is nil if the policy does not speak of live sessions.
func viewLive(live *proto.LiveSessions, job uint64) *liveView {
	if live == nil && job == 0 {
		return nil
	}
	return &liveView{
		Job: id64Text(job), Counted: live != nil, Migrate: live.GetMigrate(), Reset: live.GetResets(), Stay: live.GetStay(),
		Keep: live.GetKeep(), Skipped: viewSkipped(live.GetSkipped()), Missing: viewMissing(live.GetMissing()),
	}
}

// printLive says what becomes of live sessions now that a policy is applied.
func (w *world) printLive(live *proto.LiveSessions, job uint64) {
	list := fmt.Sprintf("mbctl migrate list --job %s", id64Text(job))
	if n := live.GetMigrate(); n > 0 {
		w.printf("%s migrated: %s\n", liveSessions(n), list)
	}
	if n := live.GetResets(); n > 0 {
		w.printf("%s reset\n", liveSessions(n))
	}
	switch {
	case live == nil && job != 0:
		w.printf("live sessions follow; how many was not known in time: %s\n", list)
	case job != 0 && live.Migrate == 0:
		w.printf("no live session has to be migrated, as far as hosts answered; those of others: %s\n", list)
	case live != nil && live.Migrate+live.Resets+live.Stay == 0:
		w.printf("no live session has to change\n")
	}
	w.warnLive(live)
}

func liveSessions(n uint32) string {
	if n == 1 {
		return "1 live session is"
	}
	return plural(n, "live session") + " are"
}

// warnLive says which sessions stay as they are, and of which nobody knows.
func (w *world) warnLive(live *proto.LiveSessions) {
	w.warnSkipped(&proto.StartMigrationsResponse{
		Skipped: live.GetSkipped(), MoreSkipped: live.GetStay() - uint32(len(live.GetSkipped())),
	})
	for _, m := range live.GetMissing() {
		w.warnf("host %s: %s", m.Host, m.Error)
	}
}

// dryRunView is what policy apply --dry-run prints in JSON.
type dryRunView struct {
	checkView
	Live *liveView `json:"live"`
}

// policyDryRun asks policyd what would become of a policy and of live sessions.
func (w *world) policyDryRun(c *cli.Context, p *policyd, name, source string) error {
	if c.Bool("wait") || c.IsSet("if-version") {
		return usagef("read --dry-run: nothing is applied, so leave out --wait and --if-version")
	}
	found, err := p.policy.Check(c.Context, &proto.CheckRequest{Source: source, Live: true, Hosts: true})
	switch {
	case err != nil:
		return p.failed(err)
	case len(found.Errors) > 0:
		return w.printFindings(c, name, findings(found.Errors, false))
	case found.Live == nil:
		return &failure{code: exitFailure, err: errors.New("check policy: policyd does not say what becomes of live sessions"),
			hint: "is it of another version? compare `mbctl version` with `mbctl status`"}
	}
	warnings := findings(found.Warnings, true)
	if c.Bool("json") {
		return w.printJSON(dryRunView{
			checkView: checkView{OK: true, Rules: int(found.Rules), Types: int(found.Types), Instances: int(found.Instances),
				Errors: []diagnosticView{}, Warnings: viewDiagnostics(warnings)},
			Live: viewLive(found.Live, 0),
		})
	}
	w.warnText((&policy.Policy{Warnings: warnings}).RenderWarnings(name))
	w.printf("%s: right: %s, %s, %s; not applied\n", name, plural(found.Rules, "rule"), plural(found.Types, "type"),
		plural(found.Instances, "instance"))
	var parts []string
	for _, part := range []struct {
		n    uint32
		word string
	}{{found.Live.Migrate, "migrated"}, {found.Live.Resets, "reset"}} {
		if part.n > 0 {
			parts = append(parts, countText(uint64(part.n))+" would be "+part.word)
		}
	}
	if found.Live.Stay > 0 {
		parts = append(parts, countText(uint64(found.Live.Stay))+" could not be changed")
	}
	parts = append(parts, countText(uint64(found.Live.Keep))+" would be left as they are")
	w.printf("live sessions: %s\n", strings.Join(parts, ", "))
	w.warnLive(found.Live)
	return nil
}
