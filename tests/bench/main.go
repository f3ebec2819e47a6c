// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"
)

func main() {
	app := &cli.App{
		Name:     "bench",
		Usage:    "count instructions per packet; tests/bench/run is what to start",
		Commands: []*cli.Command{runCommand, listCommand, reportCommand, profileCommand},
	}
	if err := app.Run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

var runCommand = &cli.Command{
	Name:  "run",
	Usage: "measure, as root in a guest that counts instructions",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "out", Value: "build/vm-out/bench.json", Usage: "where the results go"},
		&cli.StringFlag{Name: "rows", Usage: "patterns of names, separated by commas (default: all)"},
		&cli.IntFlag{Name: "windows", Value: 1, Usage: "how often each row is measured"},
		&cli.IntFlag{Name: "packets", Value: 10000, Usage: "in each window"},
		&cli.StringFlag{Name: "progress", Usage: "what stands before each line of progress"},
		&cli.StringFlag{Name: "symbols", Usage: "where a copy of the guest's symbols goes"},
	},
	Action: func(c *cli.Context) error {
		return run(options{
			out: c.String("out"), rows: c.String("rows"), windows: c.Int("windows"),
			packets: c.Int("packets"), progress: c.String("progress"), symbols: c.String("symbols"),
		})
	},
}

var listCommand = &cli.Command{
	Name:  "list",
	Usage: "name the rows",
	Flags: []cli.Flag{&cli.StringFlag{Name: "rows", Usage: "of these only, and what they are compared to"}},
	Action: func(c *cli.Context) error {
		rows, err := choose(allRows(), c.String("rows"))
		for _, r := range rows {
			fmt.Printf("%-28s %s\n", r.name, r.title)
		}
		return err
	},
}

var reportCommand = &cli.Command{
	Name:      "report",
	Usage:     "sum up what guests found",
	ArgsUsage: "RESULTS...",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "out", Usage: "also as JSON"},
		&cli.StringFlag{Name: "doc", Usage: "also into this document"},
		&cli.StringFlag{Name: "plot", Usage: "also as a picture"},
	},
	Action: func(c *cli.Context) error {
		return report(c.Args().Slice(), c.String("out"), c.String("doc"), c.String("plot"))
	},
}

var profileCommand = &cli.Command{
	Name:      "profile",
	Usage:     "print by function what the plugin of tests/bench/count counted",
	ArgsUsage: "RESULTS COUNTS SYMBOLS",
	Action: func(c *cli.Context) error {
		return profile(c.Args().Get(0), c.Args().Get(1), c.Args().Get(2))
	},
}
