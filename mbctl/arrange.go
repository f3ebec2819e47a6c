// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// line is a command line taken apart.
type line struct {
	global   []string // options of mbctl itself, wherever they stood
	path     []string // noun and verb
	local    []string // options of the command
	operands []string // the rest
	ended    bool     // "--" was seen

	command *cli.Command // what path leads to; nil: mbctl itself
	wants   cli.Flag     // an option at the very end that still lacks its value
}

// arrange puts options where the cli package looks for them, so that the
// operator may write them anywhere: "mbctl policy apply FILE --wait --json".
// "mbctl help NOUN VERB" becomes "mbctl NOUN VERB --help".
func arrange(app *cli.App, args []string) ([]string, error) {
	if len(args) > 0 {
		switch args[0] {
		case completeName: // its arguments are a line still being typed
			return args, nil
		case "help":
			args = append(slices.Clone(args[1:]), "--help")
		}
	}
	l := takeApart(app, args)
	if l.wants != nil {
		return nil, usagef("run mbctl: option --%s lacks its value", l.wants.Names()[0])
	}
	out := slices.Concat(l.global, l.path, l.local)
	if len(l.operands) > 0 {
		out = append(append(out, "--"), l.operands...)
	}
	return out, nil
}

func takeApart(app *cli.App, args []string) line {
	var l line
	next := app.Commands
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case l.ended:
			l.operands = append(l.operands, arg)
		case arg == "--":
			l.ended = true
		case isOption(arg):
			f, global := findFlag(app, l.command, arg)
			words := []string{arg}
			if takesValue(f) && !strings.Contains(arg, "=") {
				if i+1 < len(args) {
					i++
					words = append(words, args[i])
				} else {
					l.wants = f
				}
			}
			if global {
				l.global = append(l.global, words...)
			} else {
				l.local = append(l.local, words...)
			}
		default:
			if cmd := findCommand(next, arg); cmd != nil && len(l.operands) == 0 {
				l.command, next = cmd, cmd.Subcommands
				l.path = append(l.path, arg)
			} else {
				l.operands = append(l.operands, arg)
			}
		}
	}
	return l
}

// isOption tells "-x" and "--xyz" from "-" (standard input) and "->".
func isOption(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && arg[1] != '>'
}

// findFlag looks an option up in the command, then in mbctl itself. An option
// that is in neither is the command's to refuse.
func findFlag(app *cli.App, cmd *cli.Command, arg string) (f cli.Flag, global bool) {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	named := func(f cli.Flag) bool { return slices.Contains(f.Names(), name) }
	if cmd != nil {
		if i := slices.IndexFunc(cmd.Flags, named); i >= 0 {
			return cmd.Flags[i], false
		}
	}
	if i := slices.IndexFunc(app.Flags, named); i >= 0 {
		return app.Flags[i], true
	}
	return nil, cmd == nil
}

func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}

func findCommand(cmds []*cli.Command, name string) *cli.Command {
	for _, cmd := range cmds {
		if cmd.HasName(name) {
			return cmd
		}
	}
	return nil
}
