// SPDX-License-Identifier: Apache-2.0

package manual

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"
)

var update = flag.Bool("update", false, "write the golden files")

// tool has each kind of thing that a page may have to say, and text that roff would obey.
func tool() *cli.App {
	return &cli.App{
		Name: "tool", Usage: "does .things", UsageText: "tool [OPTIONS] NOUN", Version: "1.2.3",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "at", Value: `\fB`, Usage: "`ADDRESS` to ask; isn't needed"},
			&cli.BoolFlag{Name: "secret", Hidden: true},
		},
		Description: "First.\n.so /etc/passwd\n\nSee `tool --help`: it's\n'short'.\n  $ tool \\n\n\n    deeper\nAfter it.\n\n" +
			"Examples:\n  tool a\n  .tool b\n\nExit status: 0 if it went well.\nGuarantees: none.",
		Commands: []*cli.Command{
			{Name: "noun", Usage: "has verbs", Description: "Some.\n\nExamples:\n  tool noun see", Subcommands: []*cli.Command{
				{Name: "see", ArgsUsage: "NAME", Usage: "show one", Description: "Asks.\n\nExamples:\n  tool noun see x",
					Flags: []cli.Flag{&cli.IntFlag{Name: "limit", Value: 3, Usage: "at most `N`"}}},
				{Name: "list", ArgsUsage: " ", Usage: "show all", Description: "All."},
			}},
			{Name: "alone", ArgsUsage: "[FILE]", Usage: "does it all", Description: "What → where."},
			{Name: "__hidden", Hidden: true},
		},
	}
}

func TestPagesAreTheGoldenOnes(t *testing.T) {
	app := tool()
	daemon := Daemon(app, "other(8)", "more(1)")
	pages := append(Commands(app, app.Version, "other(8)"), daemon)
	dir := t.TempDir()
	if err := Write(dir, pages...); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range []string{"man1/tool.1", "man1/tool-noun.1", "man1/tool-alone.1", "man8/tool.8"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, name)
		golden := filepath.Join("testdata", filepath.Base(name)+".golden")
		if *update {
			if err := os.WriteFile(golden, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatalf("%v; write it with: go test ./manual -update", err)
		}
		if diff := cmp.Diff(string(want), string(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if len(got) != len(pages) {
		t.Errorf("%d pages, want %q", len(pages), got)
	}
}

func TestWriteSaysWhatItCannotWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(file, Page{Name: "a", Section: 1}); err == nil {
		t.Error("written below a file")
	}
}
