// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) memberCommand() *cli.Command {
	return &cli.Command{
		Name:        "member",
		Usage:       "list and revoke who has joined the domain",
		Description: describe("A member is a host, a policy server or a person that joined with a token.", "mbctl member list", "mbctl member revoke mb1"),
		Subcommands: []*cli.Command{
			{
				Name:      "list",
				Usage:     "list members, one line each",
				ArgsUsage: " ",
				Description: describe(`The last line says what policyd has refused since it started, by reason
(docs/LOGGING.md).`, "mbctl member list", "mbctl member list --json"),
				Action: w.action(w.memberList),
			},
			{
				Name:      "revoke",
				Usage:     "end a member's certificate and connections, at once",
				ArgsUsage: "NAME [--role ROLE]",
				Description: describe(`A host is forgotten, and its address is free for others; its module goes on with the
policy that it has, until somebody stops it there. It needs a token to join again.`,
					"mbctl member revoke mb1", "mbctl member revoke anna --role operator"),
				Flags:  []cli.Flag{&cli.StringFlag{Name: "role", Value: "agent", Usage: "the `ROLE` under which it joined"}},
				Action: w.action(w.memberRevoke),
			},
		},
	}
}

// memberView is a member in JSON.
type memberView struct {
	Role      string   `json:"role"`
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"`
	Epoch     uint32   `json:"epoch"`
	Token     string   `json:"token"`
	Joined    string   `json:"joined"`  // RFC 3339
	Revoked   string   `json:"revoked"` // RFC 3339; empty: it is not
}

func (w *world) memberList(c *cli.Context) error {
	p, _, err := w.policydAndOperands(c, 0, 0)
	if err != nil {
		return err
	}
	got, err := p.who.ListMembers(c.Context, &proto.ListMembersRequest{})
	if err != nil {
		return p.failed(err)
	}
	if c.Bool("json") {
		view := struct {
			Members  []memberView      `json:"members"`
			Counters map[string]uint64 `json:"counters"`
		}{[]memberView{}, got.Refused}
		for _, m := range got.Members {
			v := memberView{
				Role: m.Role, Name: m.Name, Addresses: append([]string{}, m.Addresses...), Epoch: m.Epoch,
				Token: m.Token, Joined: timeJSON(m.JoinedUnixMs),
			}
			if m.Revoked {
				v.Revoked = timeJSON(m.RevokedUnixMs)
			}
			view.Members = append(view.Members, v)
		}
		return w.printJSON(view)
	}
	w.printMembers(got)
	return nil
}

func (w *world) printMembers(got *proto.ListMembersResponse) {
	if len(got.Members) == 0 {
		w.printf("nobody has joined yet; make a token with `mbctl token create --role agent`\n")
	} else {
		t := newTable("ROLE", "NAME", "ADDRESSES", "JOINED", "TOKEN", "STATE")
		for _, m := range got.Members {
			state := text("valid")
			if m.Revoked {
				state = tinted(red, "revoked "+w.agoText(m.RevokedUnixMs))
			}
			t.add(text(m.Role), text(m.Name), text(strings.Join(m.Addresses, ", ")), text(w.agoText(m.JoinedUnixMs)), text(m.Token), state)
		}
		t.print(w)
	}
	var refused []string
	for _, reason := range slices.Sorted(maps.Keys(got.Refused)) {
		refused = append(refused, fmt.Sprintf("%s %s", reason, countText(got.Refused[reason])))
	}
	if len(refused) > 0 {
		w.printf("refused: %s\n", strings.Join(refused, ", "))
	}
}

func (w *world) memberRevoke(c *cli.Context) error {
	p, args, err := w.policydAndOperands(c, 1, 1)
	if err != nil {
		return err
	}
	role := c.String("role")
	if _, err := p.who.RevokeMember(c.Context, &proto.RevokeMemberRequest{Role: role, Name: args[0]}); err != nil {
		return p.failed(err)
	}
	if c.Bool("json") {
		return w.printJSON(struct {
			Role string `json:"role"`
			Name string `json:"name"`
		}{role, args[0]})
	}
	w.printf("revoked %s %s\n", role, args[0])
	return nil
}
