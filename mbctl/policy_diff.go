// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"mbchain/policy"
)

func (w *world) policyDiffCommand() *cli.Command {
	return &cli.Command{
		Name:      "diff",
		Usage:     "say how a policy differs from the running one, or two versions from each other",
		ArgsUsage: "FILE...|- [--from N] | --from N [--to N]",
		Description: describe(`Compares groups, types and rules by what they mean: layout, comments and documents
make no difference. A rule is the same one if it has the same name or, without one,
the same predicate. + is new, - is gone, ~ is changed, and > is tried at another
place among the rules.`,
			"mbctl policy diff web.policy",
			"mbctl policy diff --from 7",
			"mbctl policy diff --from 5 --to 7"),
		Flags: []cli.Flag{
			&cli.Uint64Flag{Name: "from", DefaultText: "the running one", Usage: "compare with version `N`, see mbctl policy history"},
			&cli.Uint64Flag{Name: "to", DefaultText: "the running one", Usage: "instead of a file, version `N`"},
		},
		Action: w.action(w.policyDiff),
	}
}

// diffView is what policy diff prints in JSON.
type diffView struct {
	From    string       `json:"from"`
	To      string       `json:"to"`
	Changes []changeView `json:"changes"`
}

type changeView struct {
	Kind         string `json:"kind"` // policy.ChangeKind
	Noun         string `json:"noun"`
	Name         string `json:"name"`
	Before       string `json:"before"`
	After        string `json:"after"`
	NumberBefore int    `json:"number_before"` // of a rule; 0: not there
	NumberAfter  int    `json:"number_after"`
}

func (w *world) policyDiff(c *cli.Context) error {
	files, err := operands(c, 0, policy.MaxDocuments)
	switch {
	case err != nil:
		return err
	case len(files) > 0 && c.IsSet("to"):
		return usagef("read --to: it goes not with a file")
	case len(files) == 0 && !c.IsSet("from") && !c.IsSet("to"):
		return wrongOperands(c, "argument missing")
	}
	from, before, err := w.parsePolicy(c, nil, c.Uint64("from"))
	if before == nil {
		return err
	}
	to, after, err := w.parsePolicy(c, files, c.Uint64("to"))
	if after == nil {
		return err
	}
	changes := policy.Diff(before, after)
	if c.Bool("json") {
		view := diffView{From: from, To: to, Changes: []changeView{}}
		for _, x := range changes {
			view.Changes = append(view.Changes, changeView{x.Kind.String(), x.Noun, x.Name, x.Before, x.After, x.NumberBefore, x.NumberAfter})
		}
		return w.printJSON(view)
	}
	w.printf("%s compared with %s\n", to, from)
	for _, x := range changes {
		w.printChange(x)
	}
	if len(changes) == 0 {
		w.printf("no difference\n")
	}
	return nil
}

func (w *world) printChange(x policy.Change) {
	sign := [...]string{policy.Added: "+", policy.Removed: "-", policy.Changed: "~", policy.Moved: ">"}[x.Kind]
	tint := [...]colour{policy.Added: green, policy.Removed: red, policy.Changed: yellow, policy.Moved: yellow}[x.Kind]
	what := ""
	if x.Noun == "rule" {
		switch {
		case x.NumberBefore == 0:
			what = fmt.Sprintf("rule %d: ", x.NumberAfter)
		case x.NumberAfter == 0 || x.NumberAfter == x.NumberBefore:
			what = fmt.Sprintf("rule %d: ", x.NumberBefore)
		default:
			what = fmt.Sprintf("rule %d, now %d: ", x.NumberBefore, x.NumberAfter)
		}
	}
	text := x.After
	if x.Kind == policy.Removed || x.Kind == policy.Changed {
		text = x.Before
	}
	w.printf("%s %s%s\n", w.paint(tint, sign), what, text)
	if x.Kind == policy.Changed {
		w.printf("  %s%s\n", pad("is now: ", len(what)), x.After)
	}
}
