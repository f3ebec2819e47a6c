// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// defaultTimeout is long enough for policyd to wait for agents that are gone,
// and short enough for a person.
const defaultTimeout = 10 * time.Second

// app is the command tree. Nouns in the order in which one needs them.
func (w *world) app() *cli.App {
	app := &cli.App{
		Name:            "mbctl",
		Usage:           "see and steer dynamic service chains",
		UsageText:       "mbctl [OPTIONS] NOUN [VERB] [OPTIONS] [ARGUMENTS]",
		Description:     appDescription(),
		HideVersion:     true,
		HideHelpCommand: true,
		Writer:          w.stdout,
		ErrWriter:       w.stderr,
		ExitErrHandler:  func(*cli.Context, error) {}, // run decides
		OnUsageError:    onUsageError,
		Action:          nounMissing,
		Flags:           w.globalFlags(),
		Commands: []*cli.Command{
			w.statusCommand(),
			w.policyCommand(),
			w.sessionCommand(),
			w.migrateCommand(),
			w.hostCommand(),
			w.nfCommand(),
			w.statsCommand(),
			w.watchCommand(),
			w.doctorCommand(),
			w.clusterCommand(),
			w.tokenCommand(),
			w.memberCommand(),
			w.keyCommand(),
			w.identityCommand(),
			w.versionCommand(),
			w.completionCommand(),
			w.completeCommand(),
			w.manCommand(),
		},
		CustomAppHelpTemplate: appHelp,
	}
	dress(app.Commands)
	return app
}

func (w *world) globalFlags() []cli.Flag {
	address := w.getenv("MBCHAIN_POLICYD")
	if address == "" {
		address = defaultPolicyd
	}
	return []cli.Flag{
		&cli.StringFlag{Name: "policyd", Value: address,
			Usage: "`ADDRESS:PORT` of policyd, or of each with commas between, or unix:PATH of its socket; MBCHAIN_POLICYD sets the default, else the socket of this host is taken if there is one"},
		&cli.StringFlag{Name: "agent",
			Usage: "ask the agent of this host at `SOCKET` (" + agentSocket + "): doctor, session, stats, status, migrate leave, migrate request"},
		&cli.DurationFlag{Name: "timeout", Value: defaultTimeout,
			Usage: "give up after `TIME`, such as 500ms or 1m"},
		&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print JSON, with the keys of docs/MBCTL.md"},
	}
}

// dress gives every command what all of them have.
func dress(cmds []*cli.Command) {
	for _, cmd := range cmds {
		cmd.HideHelpCommand = true
		cmd.OnUsageError = onUsageError
		cmd.CustomHelpTemplate = commandHelp
		if len(cmd.Subcommands) > 0 {
			cmd.CustomHelpTemplate = nounHelp
			cmd.Action = nounMissing
		}
		dress(cmd.Subcommands)
	}
}

// nounMissing runs where a noun or verb is missing or unknown.
func nounMissing(c *cli.Context) error {
	path := c.Command.HelpName
	cmds := c.Command.Subcommands
	if c.Command.Name == c.App.Name {
		path, cmds = c.App.Name, c.App.Commands
	}
	var names []string
	for _, cmd := range cmds {
		if !cmd.Hidden {
			names = append(names, cmd.Name)
		}
	}
	hint := fmt.Sprintf("one of: %s; see `%s --help`", strings.Join(names, ", "), path)
	err := fmt.Errorf("run %s: command missing", path)
	if c.Args().Present() {
		err = fmt.Errorf("run %s: no command %q", path, c.Args().First())
	}
	return &failure{code: exitUsage, err: err, hint: hint}
}

func onUsageError(c *cli.Context, err error, _ bool) error {
	path := c.App.Name
	if c.Command != nil && c.Command.HelpName != "" {
		path = c.Command.HelpName
	}
	what := err.Error()
	if name, ok := strings.CutPrefix(what, "flag provided but not defined: -"); ok {
		what = "no option --" + strings.TrimLeft(name, "-")
	}
	return &failure{code: exitUsage, err: fmt.Errorf("run %s: %s", path, what),
		hint: fmt.Sprintf("see `%s --help`", path)}
}

// operands are a command's arguments, between least and most of them.
func operands(c *cli.Context, least, most int) ([]string, error) {
	args := c.Args().Slice()
	switch {
	case len(args) < least:
		return nil, wrongOperands(c, "argument missing")
	case len(args) > most:
		return nil, wrongOperands(c, fmt.Sprintf("unexpected argument %q", args[most]))
	}
	return args, nil
}

func wrongOperands(c *cli.Context, what string) error {
	return &failure{
		code: exitUsage,
		err:  fmt.Errorf("run %s: %s", c.Command.HelpName, what),
		hint: fmt.Sprintf("usage: %s %s", c.Command.HelpName, c.Command.ArgsUsage),
	}
}
