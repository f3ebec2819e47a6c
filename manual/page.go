// SPDX-License-Identifier: Apache-2.0

package manual

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"
)

// A Page is one man page.
type Page struct {
	Name    string // such as "mbctl-policy"
	Section int    // 1: commands of users, 8: daemons
	Text    string // in roff
}

// Write writes pages below a directory, where man looks for them: manSECTION/NAME.SECTION.
func Write(directory string, pages ...Page) error {
	for _, p := range pages {
		path := filepath.Join(directory, fmt.Sprintf("man%d", p.Section), fmt.Sprintf("%s.%d", p.Name, p.Section))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write man page: %w", err)
		}
		if err := os.WriteFile(path, []byte(p.Text), 0o644); err != nil {
			return fmt.Errorf("write man page: %w", err)
		}
	}
	return nil
}

// writer writes one page.
type writer struct {
	strings.Builder
	section string // where the next text belongs
}

func (w *writer) linef(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// begin writes what stands at the top of every page.
func begin(name string, section int, version, what string) *writer {
	w := new(writer)
	w.linef(`.\" SPDX-License-Identifier: Apache-2.0`)
	w.linef(`.\" Made of what --help prints; do not edit.`)
	w.linef(`.TH %s %d "" "mbchain %s" "mbchain"`, escape(strings.ToUpper(name)), section, escape(version))
	w.linef(`.nh`) // a name that is cut in two is not found again
	w.linef(`.ad l`)
	w.head("Name")
	w.linef(`%s \- %s`, escape(name), escape(what))
	return w
}

func (w *writer) head(title string) {
	w.section = strings.ToUpper(title)
	w.linef(".SH %s", quoted(w.section))
}

// quoted is text as one argument of a request.
func quoted(text string) string { return `"` + escape(text) + `"` }

// heading is a line that begins a section. What follows on the line is text of it.
var heading = regexp.MustCompile(`^([A-Z][a-z]+(?: [a-z]+)?):(?: (.*))?$`)

// headings are the ones that do. "Guarantees: ..." is a sentence.
var headings = map[string]bool{"Examples": true, "Exit status": true}

// describe writes a description. begin is called for each section in it.
func (w *writer) describe(text string, begin func(title string)) {
	verbatim, paragraph := false, true
	leave := func() {
		if verbatim {
			w.linef(".fi\n.RE")
		}
		verbatim = false
	}
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, " ")
		if m := heading.FindStringSubmatch(line); m != nil && headings[m[1]] {
			leave()
			begin(m[1])
			if line, paragraph = m[2], false; line == "" {
				continue
			}
		}
		switch {
		case line == "":
			paragraph = true
			continue
		case strings.HasPrefix(line, "  "):
			if !verbatim {
				w.linef(".RS 4\n.nf")
			} else if paragraph {
				w.linef(".sp")
			}
			verbatim = true
			w.linef("%s", indented(line))
		default:
			leave()
			if paragraph {
				w.linef(".PP")
			}
			w.linef("%s", prose(line))
		}
		paragraph = false
	}
	leave()
}

// indented is a line that stands as it is, without the two blanks that say so.
func indented(line string) string {
	line = strings.TrimPrefix(line, "  ")
	text := strings.TrimLeft(line, " ")
	return strings.Repeat(`\ `, len(line)-len(text)) + escape(text)
}

// options writes a list of options.
func (w *writer) options(flags []cli.Flag) {
	for _, f := range flags {
		if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
			continue
		}
		// As --help prints it: the option, a tab, what it does.
		option, what, _ := strings.Cut(f.String(), "\t")
		w.linef(".TP")
		w.linef("%s", usage(option))
		w.linef("%s", escape(strings.TrimSpace(what)))
	}
}
