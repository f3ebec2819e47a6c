// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/urfave/cli/v2"

	"mbchain/manual"
)

// manCommand is for make man: it writes the man pages below a directory.
func (w *world) manCommand() *cli.Command {
	return &cli.Command{
		Name: "__man", Hidden: true,
		Action: func(c *cli.Context) error {
			args, err := operands(c, 1, 1)
			if err != nil {
				return err
			}
			return manual.Write(args[0], w.pages()...)
		},
	}
}

// pages are mbctl(1) and one for each noun.
func (w *world) pages() []manual.Page {
	return manual.Commands(w.app(), w.version, "agentd(8)", "policyd(8)")
}
