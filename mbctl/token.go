// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"mbchain/identity"
	"mbchain/proto"
)

func (w *world) tokenCommand() *cli.Command {
	return &cli.Command{
		Name:  "token",
		Usage: "create, list and revoke tokens, which admit hosts and people",
		Description: describe(`A token admits whoever brings it, as often as it says. policyd keeps a hash of it
alone: what token create prints is all there is.`,
			"mbctl token create --role agent >token", "mbctl token list", "mbctl token revoke 1f2e3d4c5b6a7988"),
		Subcommands: []*cli.Command{
			{
				Name:      "create",
				Usage:     "make a token and print it",
				ArgsUsage: "--role ROLE",
				Description: describe(`Hand it over by a way that you trust. agentd reads it with --token-file, people give
it to mbctl identity join. With --name it also replaces a certificate of that name.`,
					"mbctl token create --role agent --name mb1 >token",
					"mbctl token create --role agent --uses 50 --ttl 24h",
					"mbctl token create --role viewer --name dashboard"),
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "role", Usage: "what it admits, `ROLE`: agent, policyd, operator or viewer"},
					&cli.StringFlag{Name: "name", DefaultText: "any that is free", Usage: "the only `NAME` that it admits"},
					&cli.DurationFlag{Name: "ttl", Value: time.Hour, Usage: "valid for `TIME`, at most 720h"},
					&cli.UintFlag{Name: "uses", Value: 1, Usage: "admits `N` of them, at most 10000"},
				},
				Action: w.action(w.tokenCreate),
			},
			{
				Name:        "list",
				Usage:       "list tokens, one line each",
				ArgsUsage:   " ",
				Description: describe("Those that have expired are forgotten when the next one is made.", "mbctl token list", "mbctl token list --json"),
				Action:      w.action(w.tokenList),
			},
			{
				Name:      "revoke",
				Usage:     "make a token useless",
				ArgsUsage: "ID",
				Description: describe(`Who joined with it stays; with --joined they are revoked too, at once: their
connections end, and hosts are forgotten.`,
					"mbctl token revoke 1f2e3d4c5b6a7988", "mbctl token revoke 1f2e3d4c5b6a7988 --joined"),
				Flags:  []cli.Flag{&cli.BoolFlag{Name: "joined", DisableDefaultText: true, Usage: "revoke all that it admitted, too"}},
				Action: w.action(w.tokenRevoke),
			},
		},
	}
}

// tokenView is a token in JSON.
type tokenView struct {
	Token     string `json:"token,omitempty"` // of token create
	ID        string `json:"id"`
	Role      string `json:"role"`
	Name      string `json:"name"`
	Uses      uint32 `json:"uses"`
	Expires   string `json:"expires"` // RFC 3339
	CreatedBy string `json:"created_by"`
	Created   string `json:"created"` // RFC 3339
}

func viewToken(t *proto.TokenInfo) tokenView {
	return tokenView{
		ID: t.Id, Role: t.Role, Name: t.Name, Uses: t.Uses, Expires: timeJSON(t.ExpiresUnixMs),
		CreatedBy: t.CreatedBy, Created: timeJSON(t.CreatedUnixMs),
	}
}

func (w *world) tokenCreate(c *cli.Context) error {
	if _, err := operands(c, 0, 0); err != nil {
		return err
	}
	role, ttl := c.String("role"), c.Duration("ttl")
	switch {
	case role == "":
		return wrongOperands(c, "--role is missing: whom does it admit?")
	case ttl < time.Millisecond:
		return usagef("read --ttl %v: must be more than 0", ttl)
	}
	p, err := w.policyd(c)
	if err != nil {
		return err
	}
	token := w.newToken()
	got, err := p.who.CreateToken(c.Context, &proto.CreateTokenRequest{
		Role: role, Name: c.String("name"), TtlMs: uint64(ttl.Milliseconds()), Uses: uint32(min(c.Uint("uses"), 1<<31)),
		Id: token.ID(), SecretHash: identity.HashSecret(token.Secret()),
	})
	if err != nil {
		return p.failed(err)
	}
	copy(token.CA[:], got.CaFingerprint)
	if c.Bool("json") {
		view := viewToken(got.Token)
		view.Token = token.Text()
		return w.printJSON(view)
	}
	w.printf("%s\n", token.Text())
	w.warnf("token %s admits %s %s until %s: hand it over by a way that you trust", got.Token.Id,
		plural(got.Token.Uses, got.Token.Role), nameText(got.Token.Name), timeJSON(got.Token.ExpiresUnixMs))
	return nil
}

func nameText(name string) string {
	if name == "" {
		return "of any free name"
	}
	return "named " + name
}

func (w *world) tokenList(c *cli.Context) error {
	p, _, err := w.policydAndOperands(c, 0, 0)
	if err != nil {
		return err
	}
	got, err := p.who.ListTokens(c.Context, &proto.ListTokensRequest{})
	if err != nil {
		return p.failed(err)
	}
	if c.Bool("json") {
		view := struct {
			Tokens []tokenView `json:"tokens"`
		}{[]tokenView{}}
		for _, t := range got.Tokens {
			view.Tokens = append(view.Tokens, viewToken(t))
		}
		return w.printJSON(view)
	}
	if len(got.Tokens) == 0 {
		w.printf("there is no token; make one with `mbctl token create --role agent`\n")
		return nil
	}
	t := newTable("TOKEN", "ROLE", "NAME", "USES LEFT", "EXPIRES", "CREATED BY")
	for _, k := range got.Tokens {
		t.add(text(k.Id), text(k.Role), text(k.Name), number(uint64(k.Uses)), w.expiresCell(k.ExpiresUnixMs), text(k.CreatedBy))
	}
	t.print(w)
	return nil
}

func (w *world) expiresCell(unixMS int64) cell {
	if unixMS <= w.now().UnixMilli() {
		return tinted(faint, "expired")
	}
	return text(timeJSON(unixMS))
}

func (w *world) tokenRevoke(c *cli.Context) error {
	p, args, err := w.policydAndOperands(c, 1, 1)
	if err != nil {
		return err
	}
	got, err := p.who.RevokeToken(c.Context, &proto.RevokeTokenRequest{Id: args[0], Joined: c.Bool("joined")})
	if err != nil {
		return p.failed(err)
	}
	if c.Bool("json") {
		return w.printJSON(struct {
			ID      string   `json:"id"`
			Revoked []string `json:"revoked"`
		}{args[0], append([]string{}, got.Revoked...)})
	}
	w.printf("token %s admits nobody any more\n", args[0])
	for _, who := range got.Revoked {
		w.printf("revoked %s\n", who)
	}
	return nil
}
