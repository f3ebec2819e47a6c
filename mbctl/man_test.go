// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// The pages have every command and option, because they are made of what --help is.
func TestEveryCommandHasAManPage(t *testing.T) {
	w := newTestWorld(t, lab())
	dir := t.TempDir()
	if code := w.run(t.Context(), []string{"__man", dir}); code != exitOK {
		t.Fatalf("exit %d: %s", code, &w.err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, "man1", name+".1"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.NewReplacer(`\-`, "-", `\fB`, "", `\fI`, "", `\fR`, "", `\(aq`, "'").Replace(string(text))
	}
	wants := func(page, text string) {
		t.Helper()
		if !strings.Contains(read(page), text) {
			t.Errorf("no %q in %s(1)", text, page)
		}
	}
	for _, f := range w.app().Flags {
		wants("mbctl", "\n--"+f.Names()[0])
	}
	for _, noun := range w.app().Commands {
		if noun.Hidden {
			continue
		}
		page := "mbctl-" + noun.Name
		wants("mbctl", page+"(1)\n"+noun.Usage)
		wants(page, page+" - "+noun.Usage)
		for _, c := range append([]*cli.Command{noun}, noun.Subcommands...) {
			if c != noun {
				wants(page, `.SS "mbctl `+noun.Name+" "+c.Name)
			}
			for _, f := range c.Flags {
				wants(page, "\n--"+f.Names()[0])
			}
		}
	}
	compareGolden(t, "man_stats", read("mbctl-stats"))
}
