// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"github.com/urfave/cli/v2"

	"mbchain/chain"
	"mbchain/proto"
)

// askWords are what the help of both verbs says.
const askWords = `

It asks the agent of this host, by default at ` + agentSocket + `, and the
agent asks policyd. The policy decides: the rule that the session matches must say
so. SESSION is the beginning of the id of one session that this host carries. Ends
with 1 when the policy does not allow it, with 5 when it cannot be done now.`

func (w *world) migrateLeaveCommand() *cli.Command {
	return &cli.Command{
		Name:      "leave",
		Usage:     "take this host out of a session, if the policy lets it",
		ArgsUsage: "SESSION",
		Description: describe(`For an NF that has nothing left to do in a session, such as a cache whose content
cannot be cached. In the policy: may-leave.`+askWords,
			"mbctl migrate leave 3f9ac0de",
			"mbctl --agent "+agentSocket+" migrate leave 3f9ac0de --json"),
		Action: w.action(func(c *cli.Context) error {
			args, err := operands(c, 1, 1)
			if err != nil {
				return err
			}
			return w.migrateAsk(c, args[0], "this host leaves", &proto.AskRequest{Want: &proto.AskRequest_Leave{Leave: &proto.AskLeave{}}})
		}),
	}
}

func (w *world) migrateRequestCommand() *cli.Command {
	return &cli.Command{
		Name:      "request",
		Usage:     "ask for an NF in a session that this host carries, if the policy lets it",
		ArgsUsage: "TYPE SESSION",
		Description: describe(`For an NF that wants another one to look at a session, such as a light IDS that
wants deep inspection. The instance comes right of this host; left of it if the
session ends here, or right of it at a server without an agent. In the policy:
may-insert.`+askWords,
			"mbctl migrate request dpi 3f9ac0de",
			"mbctl --agent "+agentSocket+" migrate request dpi 3f9ac0de --json"),
		Action: w.action(func(c *cli.Context) error {
			args, err := operands(c, 2, 2)
			if err != nil {
				return err
			}
			return w.migrateAsk(c, args[1], args[0]+" comes into", &proto.AskRequest{
				Want: &proto.AskRequest_Insert{Insert: &proto.AskInsert{NfType: args[0]}}})
		}),
	}
}

// askedView is what the verbs that ask for a change print in JSON.
type askedView struct {
	Session string `json:"session"`
	ID      string `json:"id"`
	Job     string `json:"job"`
}

func (w *world) migrateAsk(c *cli.Context, digits, what string, r *proto.AskRequest) error {
	a := w.agent(c)
	if a == nil {
		a = w.agentAt(agentSocket)
	}
	var err error
	if r.Session, err = a.sessionID(c, strings.ToLower(digits)); err != nil {
		return err
	}
	got, err := a.local.Ask(c.Context, r)
	if err != nil {
		return a.askFailed(err)
	}
	if c.Bool("json") {
		return w.printJSON(askedView{sessionText(got.Session), id64Text(got.Id), id64Text(got.Job)})
	}
	w.printf("begun: %s session %s\n", what, cut8(sessionText(got.Session), 8))
	w.printf("migration %s of job %s: see `mbctl migrate show %[1]s`\n", id64Text(got.Id), id64Text(got.Job))
	return nil
}

// askFailed tells what the policy does not allow from what cannot be done.
func (a *agent) askFailed(err error) error {
	code := connect.CodeOf(err)
	wire := connect.IsWireError(err)
	err = a.failed(err)
	var f *failure
	if !wire || !errors.As(err, &f) {
		return err
	}
	switch code {
	case connect.CodePermissionDenied:
		f.hint = "see `mbctl policy show`"
	case connect.CodeFailedPrecondition:
		f.code = exitHosts
	case connect.CodeNotFound:
		f.hint = "see `mbctl --agent SOCKET session list`"
	}
	return f
}

// sessionID returns the id of the live session of this host that begins with these
// digits.
func (a *agent) sessionID(c *cli.Context, digits string) ([]byte, error) {
	prefix, err := hex.DecodeString(digits[:len(digits)&^1])
	if err != nil || len(digits) == 0 || len(digits) > 32 || strings.Trim(digits, "0123456789abcdef") != "" {
		return nil, usagef("read session id %q: want 1 to 32 hexadecimal digits", digits)
	}
	got, err := a.local.ListSessions(c.Context, &proto.ListSessionsRequest{Id: prefix})
	if err != nil {
		return nil, a.failed(err)
	}
	var found [][]byte
	for _, s := range got.Sessions {
		state, err := chain.ParseState(s.State)
		if err == nil && !state.Ended() && strings.HasPrefix(sessionText(s.Id), digits) {
			found = append(found, s.Id)
		}
	}
	switch {
	case len(found) == 0:
		return nil, notFound("see `mbctl --agent SOCKET session list`", "find session: none that lives on this host begins with %s", digits)
	case len(found) > 1 || got.Truncated:
		return nil, &failure{code: exitUsage, err: fmt.Errorf("find session: %d of this host begin with %s", len(found), digits),
			hint: "give more digits; see `mbctl --agent SOCKET session list`"}
	}
	return found[0], nil
}
