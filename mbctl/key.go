// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) keyCommand() *cli.Command {
	return &cli.Command{
		Name:  "key",
		Usage: "list and rotate the set-up keys of the data plane",
		Description: describe(`Hosts sign the headers that set sessions up with the first key, and take all of
them.`, "mbctl key list", "mbctl key rotate"),
		Subcommands: []*cli.Command{
			{
				Name:      "list",
				Usage:     "show the keys, and how far a rotation is",
				ArgsUsage: " ",
				Description: describe(`Secrets are never shown. spreading: hosts are getting the new key; retiring: they
sign with it, and still take the old one.`, "mbctl key list", "mbctl key list --json"),
				Action: w.action(w.keyList),
			},
			{
				Name:      "rotate",
				Usage:     "begin to replace the key; no session is refused meanwhile",
				ArgsUsage: " ",
				Description: describe(`policyd goes on by itself as hosts take the new key, and drops the old one a few
minutes after all sign with the new one. Nothing is begun while a rotation is
under way.`, "mbctl key rotate", "mbctl key rotate --json"),
				Action: w.action(w.keyRotate),
			},
		},
	}
}

// keyListView is what key list prints in JSON.
type keyListView struct {
	Keys    []keyView `json:"keys"`
	Step    string    `json:"step"`
	Since   string    `json:"since"` // RFC 3339; empty: unknown
	Waiting []string  `json:"waiting"`
}

type keyView struct {
	ID    uint32 `json:"id"`
	Signs bool   `json:"signs"`
}

func (w *world) keyList(c *cli.Context) error {
	p, _, err := w.policydAndOperands(c, 0, 0)
	if err != nil {
		return err
	}
	got, err := p.who.ListKeys(c.Context, &proto.ListKeysRequest{})
	if err != nil {
		return p.failed(err)
	}
	view := keyListView{Keys: []keyView{}, Step: got.Step, Waiting: append([]string{}, got.Waiting...)}
	if got.SinceUnixMs != 0 {
		view.Since = timeJSON(got.SinceUnixMs)
	}
	t := newTable("KEY", "USE")
	for _, k := range got.Keys {
		view.Keys = append(view.Keys, keyView{k.Id, k.Signs})
		use := "signs and verifies"
		if !k.Signs {
			use = "verifies"
		}
		t.add(text(fmt.Sprint(k.Id)), text(use))
	}
	if c.Bool("json") {
		return w.printJSON(view)
	}
	t.print(w)
	w.printf("rotation: %s\n", got.Step)
	if len(got.Waiting) > 0 {
		w.printf("waiting for: %s\n", strings.Join(got.Waiting, ", "))
	}
	return nil
}

func (w *world) keyRotate(c *cli.Context) error {
	p, _, err := w.policydAndOperands(c, 0, 0)
	if err != nil {
		return err
	}
	got, err := p.who.RotateKey(c.Context, &proto.RotateKeyRequest{})
	if err != nil {
		return p.failed(err)
	}
	if c.Bool("json") {
		return w.printJSON(struct {
			ID        uint32 `json:"id"`
			Unchanged bool   `json:"unchanged"`
		}{got.Id, got.Unchanged})
	}
	if got.Unchanged {
		w.printf("a rotation to key %d is under way already; see `mbctl key list`\n", got.Id)
		return nil
	}
	w.printf("key %d goes to all hosts; see `mbctl key list`\n", got.Id)
	return nil
}
