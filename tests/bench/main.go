// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"
)

func main() {
	app := &cli.App{
		Name:  "bench",
		Usage: "count instructions per packet of a middle host",
		Description: "Examples:\n" +
			"  tests/vm/run --icount --no-module -- build/bench run --out build/vm-out/bench.json\n" +
			"  build/bench report --in build/bench.json --doc docs/BENCHMARKS.md",
		Commands: []*cli.Command{
			{
				Name:  "run",
				Usage: "measure, as root in a guest that counts instructions",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "out", Value: "build/vm-out/bench.json"},
					&cli.StringFlag{Name: "only", Usage: "rows whose name contains this, and the first"},
					&cli.IntFlag{Name: "flows", Value: 1000},
				},
				Action: func(c *cli.Context) error {
					return run(c.String("out"), c.String("only"), c.Int("flows"))
				},
			},
			{
				Name:  "report",
				Usage: "print the rows as a table, and put it into a document",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "in", Value: "build/bench.json"},
					&cli.StringFlag{Name: "doc"},
				},
				Action: func(c *cli.Context) error { return report(c.String("in"), c.String("doc")) },
			},
			{
				Name:  "profile",
				Usage: "print what the plugin counted, by function",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "in", Value: "build/vm-out/bench.json"},
					&cli.StringFlag{Name: "counts", Value: "build/vm-out/counts"},
					&cli.StringFlag{Name: "symbols", Value: "build/vm-out/kallsyms"},
				},
				Action: func(c *cli.Context) error {
					return profile(c.String("in"), c.String("counts"), c.String("symbols"), 10000)
				},
			},
			// What "run" runs in its namespaces.
			{Name: "serve", Hidden: true, Action: func(*cli.Context) error { return serve() }},
			{
				Name: "dial", Hidden: true,
				Action: func(c *cli.Context) error {
					var n int
					if _, err := fmt.Sscan(c.Args().Get(1), &n); err != nil {
						return fmt.Errorf("read number of connections: %w", err)
					}
					return dial(c.Args().First(), n)
				},
			},
			{
				Name: "configure", Hidden: true,
				Flags:  []cli.Flag{&cli.BoolFlag{Name: "chain"}},
				Action: func(c *cli.Context) error { return configure(c.Bool("chain")) },
			},
			{Name: "subsessions", Hidden: true, Action: func(*cli.Context) error { return subsessions() }},
			{
				Name: "blast", Hidden: true,
				Action: func(c *cli.Context) error {
					var n int
					if _, err := fmt.Sscan(c.Args().First(), &n); err != nil {
						return fmt.Errorf("read number of passes: %w", err)
					}
					tuples, err := io.ReadAll(os.Stdin)
					if err != nil {
						return err
					}
					return blast(string(tuples), n)
				},
			},
		},
	}
	if err := app.Run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
