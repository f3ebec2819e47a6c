// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/urfave/cli/v2"

	"mbchain/policy"
	"mbchain/proto"
)

func (w *world) policyApplyCommand() *cli.Command {
	return &cli.Command{
		Name:      "apply",
		Usage:     "replace the policy of the domain, whole or not at all",
		ArgsUsage: "FILE...|- [--dry-run] [--if-version N] [--wait]",
		Description: describe(`New sessions get their chain by the new policy. Live ones keep theirs, or follow,
as the rule that they match says (live-sessions); those that follow begin to as
soon as the hosts have the policy, or after 2 seconds, and --wait does not wait for
them. To apply the same policy again is to try again. A host that refuses its part
keeps the one it had. With --wait, the command waits for at most --timeout until
every connected host has answered, and ends with 5 when one refused or stayed
silent; the policy is applied all the same. Several files are documents of one policy.`,
			"mbctl policy apply web.policy --dry-run",
			"mbctl policy apply types.policy web.policy mail.policy",
			"mbctl policy apply web.policy --wait",
			"mbctl policy apply web.policy --if-version 7",
			"mbctl policy show --source | sed 's/weight 1/weight 2/' | mbctl policy apply -"),
		Flags: []cli.Flag{
			&cli.Uint64Flag{Name: "if-version", DefaultText: "any", Usage: "only if version `N` is running; 0: only if none ever was"},
			&cli.BoolFlag{Name: "dry-run", DisableDefaultText: true, Usage: "say what would become of live sessions, and apply nothing"},
			&cli.BoolFlag{Name: "wait", DisableDefaultText: true, Usage: "wait until the hosts have answered"},
		},
		Action: w.action(w.policyApply),
	}
}

// appliedView is what policy apply prints in JSON.
type appliedView struct {
	Version   uint64           `json:"version"`
	Unchanged bool             `json:"unchanged"`
	Rules     uint32           `json:"rules"`
	Waited    bool             `json:"waited"`
	Warnings  []diagnosticView `json:"warnings"`
	Hosts     []hostPolicyView `json:"hosts"` // with --wait
	Live      *liveView        `json:"live"`  // null: no rule speaks of live sessions
}

func (w *world) policyApply(c *cli.Context) error {
	p, err := w.policyd(c)
	if err != nil {
		return err
	}
	name, source, err := w.readPolicy(c)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return w.policyDryRun(c, p, name, source)
	}
	req := &proto.ApplyRequest{Source: source}
	if c.IsSet("if-version") {
		v := c.Uint64("if-version")
		req.IfVersion = &v
	}
	return w.applyPolicy(c, p, name, req)
}

// applyPolicy applies a policy and says what came of it.
func (w *world) applyPolicy(c *cli.Context, p *policyd, name string, req *proto.ApplyRequest) error {
	applied, err := p.policy.Apply(c.Context, req)
	if err != nil {
		return w.applyFailed(c, p, name, err)
	}
	wait := &waiting{world: w, policyd: p, version: applied.Version, quiet: c.Bool("json")}
	if !wait.quiet {
		w.printApplied(name, applied)
	}
	if c.Bool("wait") {
		err = wait.forHosts(c.Context)
	}
	if wait.quiet {
		return errors.Join(w.printJSON(appliedView{
			Version:   applied.Version,
			Unchanged: applied.Unchanged,
			Rules:     applied.Rules,
			Waited:    c.Bool("wait"),
			Warnings:  viewDiagnostics(findings(applied.Warnings, true)),
			Hosts:     viewHostPolicies(wait.hosts, applied.Version),
			Live:      viewLive(applied.Live, applied.LiveJob),
		}), err)
	}
	return err
}

func (w *world) printApplied(name string, applied *proto.ApplyResponse) {
	p := policy.Policy{Warnings: findings(applied.Warnings, true)}
	w.warnText(p.RenderWarnings(name))
	if applied.Unchanged {
		w.printf("%s: unchanged, is policy version %d already\n", name, applied.Version)
	} else {
		w.printf("%s: applied as policy version %d, %s, on its way to %s\n", name, applied.Version,
			plural(applied.Rules, "rule"), plural(applied.Hosts, "host"))
	}
	w.printLive(applied.Live, applied.LiveJob)
}

// applyFailed tells a wrong policy and a lost race from other errors.
func (w *world) applyFailed(c *cli.Context, p *policyd, name string, err error) error {
	if !connect.IsWireError(err) {
		return p.failed(err)
	}
	var answer *connect.Error
	errors.As(err, &answer)
	switch answer.Code() {
	case connect.CodeInvalidArgument:
		if found := checkDetail(answer); found != nil {
			return w.printFindings(c, name, findings(found.Errors, false))
		}
		return &failure{code: exitPolicyWrong, err: fmt.Errorf("%s: %s", name, answer.Message())}
	case connect.CodeAborted:
		return &failure{code: exitFailure, err: fmt.Errorf("apply policy %s: %s", name, answer.Message()),
			hint: "someone else changed the policy: look at `mbctl policy show`, then give that version"}
	case connect.CodeUnknown:
		return &failure{code: exitFailure, err: fmt.Errorf("apply policy %s: %s", name, answer.Message()),
			hint: "it may be applied or not: run the same command again, which does no harm"}
	}
	return p.failed(err)
}

func checkDetail(answer *connect.Error) *proto.CheckResponse {
	for _, detail := range answer.Details() {
		if msg, err := detail.Value(); err == nil {
			if found, ok := msg.(*proto.CheckResponse); ok && len(found.Errors) > 0 {
				return found
			}
		}
	}
	return nil
}

// pollInterval is how often --wait asks policyd; the hosts' answers take a
// round trip and the compilation of their rules.
const pollInterval = 200 * time.Millisecond

// waiting is one apply --wait.
type waiting struct {
	*world
	policyd *policyd
	version uint64
	quiet   bool

	hosts []*proto.HostPolicy // as last told
	said  map[string]hostState
}

// forHosts returns once every connected host has answered or ctx has ended.
func (wt *waiting) forHosts(ctx context.Context) error {
	wt.said = make(map[string]hostState)
	for {
		got, err := wt.policyd.policy.Get(ctx, &proto.GetRequest{})
		if err == nil {
			wt.hosts = got.Hosts
			wt.progress()
			if wt.count(hostPending) == 0 {
				return wt.outcome()
			}
			err = wt.sleep(ctx, pollInterval)
		}
		switch {
		case err == nil:
		case errors.Is(context.Cause(ctx), context.DeadlineExceeded) && wt.hosts != nil:
			return wt.outcome()
		case ctx.Err() != nil:
			return fmt.Errorf("wait for hosts: %w; the policy stays applied", context.Cause(ctx))
		default:
			return wt.policyd.failed(err)
		}
	}
}

// progress prints a line for each host whose state is news.
func (wt *waiting) progress() {
	for _, h := range wt.hosts {
		state := stateOf(h, wt.version)
		if state == hostPending || wt.said[h.Host] == state {
			continue
		}
		wt.said[h.Host] = state
		wt.printHost(h)
	}
}

func (wt *waiting) printHost(h *proto.HostPolicy) {
	if wt.quiet {
		return
	}
	word, why := stateCells(h, wt.version)
	line := fmt.Sprintf("  %s: %s", h.Host, wt.paint(word.colour, word.text))
	if why != "" {
		line += ": " + why
	}
	wt.printf("%s\n", line)
}

func (wt *waiting) outcome() error {
	for _, h := range wt.hosts {
		if stateOf(h, wt.version) == hostPending {
			wt.printHost(h)
		}
	}
	refused, silent, away := wt.count(hostRefused), wt.count(hostPending), wt.count(hostAway)
	if !wt.quiet {
		wt.printf("%d of %s run version %d, %d refused, %d silent, %d away\n", wt.count(hostRunning),
			plural(len(wt.hosts), "host"), wt.version, refused, silent, away)
	}
	if refused+silent == 0 {
		return nil
	}
	return &failure{code: exitHosts,
		err:  fmt.Errorf("wait for hosts: %s without policy version %d", plural(refused+silent, "host"), wt.version),
		hint: "they keep what they had and are offered it again when their agentd starts anew; see `mbctl policy show`"}
}

func (wt *waiting) count(state hostState) int {
	n := 0
	for _, h := range wt.hosts {
		if stateOf(h, wt.version) == state {
			n++
		}
	}
	return n
}
