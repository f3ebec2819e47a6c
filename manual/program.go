// SPDX-License-Identifier: Apache-2.0

package manual

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// Daemon returns the page of a program that has options and no commands, in section 8.
// see are the pages that it points to, such as "mbctl(1)".
func Daemon(app *cli.App, see ...string) Page {
	const section = 8
	w := begin(app.Name, section, app.Version, app.Usage)
	w.head("Synopsis")
	w.linef("%s", usage(app.UsageText))
	w.head("Description")
	// The options go before the examples, which are last in the description.
	told := false
	tell := func() {
		if !told {
			w.head("Options")
			w.options(app.Flags)
		}
		told = true
	}
	w.describe(app.Description, func(title string) { tell(); w.head(title) })
	tell()
	w.seeAlso(see)
	return Page{app.Name, section, w.String()}
}

// Commands returns the pages of a program that has commands, in section 1: one of the program,
// and one for each of its commands with all that is below it.
func Commands(app *cli.App, version string, see ...string) []Page {
	const section = 1
	w := begin(app.Name, section, version, app.Usage)
	w.head("Synopsis")
	w.linef("%s", usage(app.UsageText))
	w.head("Commands")
	var pages []Page
	for _, c := range app.Commands {
		if c.Hidden {
			continue
		}
		p := page(app.Name, c, version)
		pages = append(pages, p)
		w.linef(".TP\n%s%s%s(%d)", bold, escape(p.Name), roman, section)
		w.linef("%s", escape(c.Usage))
	}
	w.head("Options")
	w.linef("These may stand anywhere on the command line.")
	w.options(app.Flags)
	w.describe(app.Description, w.head)
	w.seeAlso(see)
	return append([]Page{{app.Name, section, w.String()}}, pages...)
}

// page is that of one command.
func page(program string, c *cli.Command, version string) Page {
	name, path := program+"-"+c.Name, program+" "+c.Name
	w := begin(name, 1, version, c.Usage)
	w.head("Synopsis")
	if len(c.Subcommands) == 0 {
		w.linef("%s", usage(path+" "+c.ArgsUsage+" [OPTION...]"))
		w.head("Description")
		w.describe(c.Description, w.head)
		if len(c.Flags) > 0 {
			w.head("Options")
			w.options(c.Flags)
		}
	} else {
		for _, verb := range c.Subcommands {
			w.linef("%s\n.br", usage(path+" "+verb.Name+" "+verb.ArgsUsage+" [OPTION...]"))
		}
		w.head("Description")
		w.describe(c.Description, w.head)
		w.head("Verbs")
		for _, verb := range c.Subcommands {
			w.linef(".SS %s", quoted(strings.TrimSpace(path+" "+verb.Name+" "+verb.ArgsUsage)))
			w.linef("%s.", escape(upperFirst(verb.Usage)))
			w.describe(verb.Description, func(title string) { w.linef(".PP\n%s:", escape(title)) })
			w.options(verb.Flags)
		}
	}
	w.seeAlso([]string{program + "(1)"})
	return Page{name, 1, w.String()}
}

func (w *writer) seeAlso(pages []string) {
	if len(pages) == 0 {
		return
	}
	w.head("See also")
	for i, p := range pages {
		name, section, _ := strings.Cut(p, "(")
		comma := ","
		if i == len(pages)-1 {
			comma = ""
		}
		w.linef("%s%s%s(%s%s", bold, escape(name), roman, section, comma)
	}
}

func upperFirst(s string) string { return strings.ToUpper(s[:min(1, len(s))]) + s[min(1, len(s)):] }
