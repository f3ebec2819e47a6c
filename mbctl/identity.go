// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/x509"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/identity"
	"mbchain/identity/enroll"
)

func (w *world) identityCommand() *cli.Command {
	return &cli.Command{
		Name:  "identity",
		Usage: "this user's certificate: join, show",
		Description: describe(`policyd knows who calls by a certificate. It is in MBCHAIN_IDENTITY, or else in
~/.config/mbchain/identity.pem, and is renewed when mbctl is used. Root on policyd's
own host needs none.`,
			"mbctl identity join --name anna --policyd 10.255.0.100:7400", "mbctl identity show"),
		Subcommands: []*cli.Command{
			{
				Name:      "join",
				Usage:     "get a certificate with a token",
				ArgsUsage: "--name NAME [TOKEN-FILE]",
				Description: describe(`The token is read from TOKEN-FILE, or from standard input. It names the domain's
CA: mbctl gives it to nobody else.`,
					"mbctl identity join --name anna --policyd 10.255.0.100:7400",
					"mbctl identity join --name dashboard --role viewer /etc/mbchain/token"),
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "name", Usage: "who you are, `NAME`: a-z, 0-9, '.' and '-'; it stands in the audit log"},
					&cli.StringFlag{Name: "role", Value: "operator", Usage: "the `ROLE` that the token is for: operator or viewer"},
				},
				Action: w.action(w.identityJoin),
			},
			{
				Name:        "show",
				Usage:       "show whose the certificate is, and until when",
				ArgsUsage:   " ",
				Description: describe("Asks nobody.", "mbctl identity show", "mbctl identity show --json"),
				Action:      w.action(w.identityShow),
			},
		},
	}
}

// identityView is what identity join and show print in JSON.
type identityView struct {
	Role        string `json:"role"`
	Name        string `json:"name"`
	Expires     string `json:"expires"` // RFC 3339
	Fingerprint string `json:"ca_fingerprint"`
	File        string `json:"file"`
}

// maxTokenFile is more than a token's text has, with blanks around it.
const maxTokenFile = 4096

func (w *world) readToken(args []string) (identity.Token, error) {
	from := w.stdin
	if len(args) > 0 && args[0] != "-" {
		f, err := w.open(args[0])
		if err != nil {
			return identity.Token{}, fmt.Errorf("read token: %w", err)
		}
		defer f.Close()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxTokenFile))
	if err != nil {
		return identity.Token{}, fmt.Errorf("read token: %w", err)
	}
	token, err := identity.ParseToken(strings.TrimSpace(string(text)))
	if err != nil {
		return identity.Token{}, &failure{code: exitUsage, err: err}
	}
	return token, nil
}

func (w *world) identityJoin(c *cli.Context) error {
	args, err := operands(c, 0, 1)
	if err != nil {
		return err
	}
	role, err := identity.ParseRole(c.String("role"))
	if err != nil || role != identity.Operator && role != identity.Viewer {
		return usagef("read --role %q: want operator or viewer", c.String("role"))
	}
	if err := identity.CheckName(c.String("name")); err != nil {
		return usagef("read --name: %w", err)
	}
	addresses := strings.Split(c.String("policyd"), ",")
	for _, address := range addresses {
		if isSocket(address) {
			return usagef("read --policyd %q: join by ADDRESS:PORT", address)
		}
	}
	path, err := w.identityPath()
	if err != nil {
		return err
	}
	token, err := w.readToken(args)
	if err != nil {
		return err
	}
	who := identity.Subject{Role: role, Name: c.String("name")}
	b, err := w.enroll(who, func(request []byte) (leaf, ca *x509.Certificate, err error) {
		for _, address := range addresses {
			leaf, ca, err = enroll.Join(c.Context, w.server(strings.TrimSpace(address)), token, request)
			if err == nil || enroll.Answered(err) {
				break
			}
		}
		return leaf, ca, err
	})
	if err != nil {
		return err
	}
	if err := w.save(path, b); err != nil {
		return err
	}
	return w.printIdentity(c, path, b)
}

func (w *world) identityShow(c *cli.Context) error {
	if _, err := operands(c, 0, 0); err != nil {
		return err
	}
	path, b, err := w.loaded()
	if err != nil {
		return err
	}
	return w.printIdentity(c, path, b)
}

func (w *world) printIdentity(c *cli.Context, path string, b *identity.Bundle) error {
	s := b.Subject()
	view := identityView{s.Role.String(), s.Name, timeJSON(b.Leaf.NotAfter.UnixMilli()), identity.FingerprintOf(b.CA).String(), path}
	if c.Bool("json") {
		return w.printJSON(view)
	}
	t := &table{}
	t.add(text("name"), tinted(bold, view.Name))
	t.add(text("role"), text(view.Role))
	t.add(text("expires"), text(view.Expires))
	t.add(text("ca"), text(view.Fingerprint))
	t.add(text("file"), text(view.File))
	t.print(w)
	return nil
}
