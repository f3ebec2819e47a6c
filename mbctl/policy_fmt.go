// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"mbchain/policy"
)

func (w *world) policyFmtCommand() *cli.Command {
	return &cli.Command{
		Name:      "fmt",
		Usage:     "print policy files in the layout that all have",
		ArgsUsage: "FILE...|- [--write] [--check]",
		Description: describe(`Changes blanks, line breaks and indentation; comments stay, and the policy is the
same. With --write, the files are rewritten. With --check, nothing is printed but the
names of files that would change, and the command ends with 1 if there are any. Ends
with 4 when a file is wrong; then none is rewritten.`,
			"mbctl policy fmt web.policy",
			"mbctl policy fmt --write *.policy",
			"mbctl policy fmt --check types.policy web.policy"),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "write", DisableDefaultText: true, Usage: "rewrite the files that change"},
			&cli.BoolFlag{Name: "check", DisableDefaultText: true, Usage: "say which files would change"},
		},
		Action: w.action(w.policyFmt),
	}
}

// formattedView is what policy fmt prints in JSON.
type formattedView struct {
	Files []formattedFile `json:"files"`
}

type formattedFile struct {
	File    string `json:"file"`
	Changed bool   `json:"changed"`
	Text    string `json:"text"` // in its layout
}

func (w *world) policyFmt(c *cli.Context) error {
	write, check := c.Bool("write"), c.Bool("check")
	args, err := operands(c, 1, policy.MaxDocuments)
	switch {
	case err != nil:
		return err
	case write && check:
		return usagef("read --write: it goes not with --check")
	}
	view := formattedView{}
	for _, file := range args {
		name, text, err := w.readText(file)
		if err != nil {
			return err
		}
		if file == "-" && write {
			return usagef("read --write: standard input cannot be rewritten")
		}
		formatted, err := policy.Format(text)
		if err != nil {
			var found policy.Errors
			if !errors.As(err, &found) {
				return err
			}
			return w.printFindings(c, name, found)
		}
		view.Files = append(view.Files, formattedFile{name, formatted != text, formatted})
	}
	changed := 0
	for _, f := range view.Files {
		if f.Changed {
			changed++
		}
		if write && f.Changed {
			if err := w.write(f.File, []byte(f.Text)); err != nil {
				return fmt.Errorf("write policy: %w", err)
			}
		}
	}
	if c.Bool("json") {
		err = w.printJSON(view)
	} else {
		w.printFormatted(view, write || check)
	}
	if check && changed > 0 {
		return errors.Join(err, silent(exitFailure))
	}
	return err
}

func (w *world) printFormatted(view formattedView, names bool) {
	for _, f := range view.Files {
		switch {
		case !names:
			w.printf("%s", f.Text)
		case f.Changed:
			w.printf("%s\n", f.File)
		}
	}
}
