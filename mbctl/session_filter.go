// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"slices"

	"github.com/urfave/cli/v2"

	"mbchain/chain"
	"mbchain/mbctl/internal/chainview"
	"mbchain/policy"
)

func filterFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "match", Usage: "only sessions that `PREDICATE`, as in a policy's match(), holds for"},
		&cli.StringSliceFlag{Name: "state",
			Usage: "only sessions in `STATE`: syn, established, closing, closed, reset; may be repeated"},
	}
}

// filter says which sessions a command is about.
type filter struct {
	predicate policy.Predicate // nil: any
	states    []string         // empty: any
}

func (w *world) newFilter(c *cli.Context) (filter, error) {
	f := filter{states: c.StringSlice("state")}
	for _, s := range f.states {
		if _, err := chain.ParseState(s); err != nil {
			return f, usagef("read --state: %w", err)
		}
	}
	var err error
	if text := c.String("match"); text != "" {
		f.predicate, err = w.predicate(text)
	}
	return f, err
}

// predicate reads what --match was given, and shows what is wrong with it.
func (w *world) predicate(text string) (policy.Predicate, error) {
	p, err := policy.ParsePredicate(text)
	var found policy.Errors
	switch {
	case errors.As(err, &found):
		w.warnText(found.Render("--match"))
		return nil, silent(exitUsage)
	case err != nil:
		return nil, usagef("read --match %q: %w", text, err)
	}
	return p, nil
}

// chain says whether a session passes. Its state is that at the leftmost host
// that reported it.
func (f filter) chain(c chainview.Chain) bool {
	if len(f.states) > 0 && !slices.Contains(f.states, c.First().GetState()) {
		return false
	}
	if f.predicate == nil {
		return true
	}
	tuple, ok := fiveTuple(c.Super)
	return ok && f.predicate.Match(tuple)
}
