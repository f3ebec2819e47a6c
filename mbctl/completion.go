// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"strings"

	"github.com/urfave/cli/v2"
)

// The scripts ask "mbctl __complete" for candidates, so that what is known of
// commands and options is in one place.
var (
	//go:embed completion/mbctl.bash
	bashScript string
	//go:embed completion/mbctl.zsh
	zshScript string
	//go:embed completion/mbctl.fish
	fishScript string
)

func (w *world) completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the shell script that completes mbctl's commands",
		ArgsUsage: "bash|zsh|fish",
		Description: `To have it in every new shell, as root:
  mbctl completion bash >/usr/share/bash-completion/completions/mbctl
  mbctl completion zsh  >/usr/share/zsh/vendor-completions/_mbctl
  mbctl completion fish >/usr/share/fish/vendor_completions.d/mbctl.fish

Examples:
  source <(mbctl completion bash)
  mbctl completion fish | source`,
		Action: w.action(func(c *cli.Context) error {
			args, err := operands(c, 1, 1)
			if err != nil {
				return err
			}
			scripts := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}
			script, known := scripts[args[0]]
			if !known {
				return wrongOperands(c, "no script for the shell "+args[0])
			}
			w.printf("%s", script)
			return nil
		}),
	}
}

// completeCommand is for the scripts: its arguments are the words before the
// cursor, the last one as far as it is typed.
func (w *world) completeCommand() *cli.Command {
	return &cli.Command{
		Name:            completeName,
		Hidden:          true,
		SkipFlagParsing: true,
		Action: func(c *cli.Context) error {
			for _, candidate := range candidates(c.App, c.Args().Slice()) {
				w.printf("%s\n", candidate)
			}
			return nil
		},
	}
}

const completeName = "__complete"

// candidates are the words that may stand where the last of words is, each
// beginning with it. None means that a file name may stand there.
func candidates(app *cli.App, words []string) []string {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	l := takeApart(app, words[:len(words)-1])
	var all []string
	switch {
	case l.wants != nil:
		all = values(l.path, l.wants)
	case l.ended:
	case strings.HasPrefix(last, "-"):
		all = options(app, l.command)
	case len(l.operands) > 0:
	case l.command == nil:
		all = names(app.Commands)
	case len(l.command.Subcommands) > 0:
		all = names(l.command.Subcommands)
	case l.command.Name == "completion":
		all = []string{"bash", "zsh", "fish"}
	}
	var fit []string
	for _, word := range all {
		if strings.HasPrefix(word, last) {
			fit = append(fit, word)
		}
	}
	return fit
}

func names(cmds []*cli.Command) []string {
	var all []string
	for _, cmd := range cmds {
		if !cmd.Hidden {
			all = append(all, cmd.Name)
		}
	}
	return all
}

func options(app *cli.App, cmd *cli.Command) []string {
	flags := app.Flags
	if cmd != nil {
		flags = append(append([]cli.Flag{}, cmd.Flags...), flags...)
	}
	var all []string
	for _, f := range flags {
		name := "--" + f.Names()[0]
		if name != "--help" {
			all = append(all, name)
		}
	}
	return append(all, "--help")
}

// values are the words an option takes, where they are few.
func values(path []string, f cli.Flag) []string {
	migrate := len(path) > 0 && path[0] == migrateName
	switch name := f.Names()[0]; {
	case name == "state" && migrate:
		return methodNames
	case name == "state":
		return []string{"syn", "established", "closing", "closed", "reset"}
	case name == "guarantee" && migrate:
		return guaranteeNames
	}
	return nil
}
