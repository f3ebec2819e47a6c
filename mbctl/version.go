// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/urfave/cli/v2"

func (w *world) versionCommand() *cli.Command {
	return &cli.Command{
		Name:        "version",
		Usage:       "print the version of mbctl",
		ArgsUsage:   " ",
		Description: describe("Asks nobody; `mbctl status` has the version of policyd, `mbctl host list` the others.", "mbctl version"),
		Action: w.action(func(c *cli.Context) error {
			if _, err := operands(c, 0, 0); err != nil {
				return err
			}
			if c.Bool("json") {
				return w.printJSON(versionView{Version: w.version})
			}
			w.printf("mbctl %s\n", w.version)
			return nil
		}),
	}
}

// versionView is what version prints in JSON.
type versionView struct {
	Version string `json:"version"`
}
