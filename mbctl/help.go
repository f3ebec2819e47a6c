// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// appDescription is the part of "mbctl --help" that is not a list of names.
func appDescription() string {
	var b strings.Builder
	b.WriteString("Exit status:\n")
	for code, meaning := range exitMeanings {
		fmt.Fprintf(&b, "  %d  %s\n", code, meaning)
	}
	b.WriteString(`
Examples:
  mbctl status
  mbctl policy apply web.policy --wait
  mbctl session show --match 'dstport=80'
  mbctl migrate replace --match any --from mb1 --to mb3 --wait
  mbctl --policyd 10.255.0.100:7400 host list --json`)
	return b.String()
}

// describe makes a command's description: what it does, and how to use it.
func describe(what string, examples ...string) string {
	return what + "\n\nExamples:\n  " + strings.Join(examples, "\n  ")
}

const optionLines = `{{range .VisibleFlags}}
   {{.}}{{end}}
`

const appHelp = `{{.Name}} - {{.Usage}}

Usage:
   {{.UsageText}}

Commands:{{range .VisibleCommands}}
   {{join .Names ", "}}{{"\t"}}{{.Usage}}{{end}}

Options, anywhere on the command line:` + optionLines + `
{{.Description}}
`

const nounHelp = `{{.HelpName}} - {{.Usage}}

Usage:
   {{.HelpName}} VERB [OPTIONS] [ARGUMENTS]

Verbs:{{range .VisibleCommands}}
   {{.Name}}{{"\t"}}{{.Usage}}{{end}}

{{.Description}}

Options of every command and exit status: mbctl --help
`

const commandHelp = `{{.HelpName}} - {{.Usage}}

Usage:
   {{.HelpName}} {{.ArgsUsage}}

{{.Description}}

Options:` + optionLines + `
Options of every command and exit status: mbctl --help
`
