// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := run(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "runner: %v\n", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (ok bool, err error) {
	flags := flag.NewFlagSet("runner", flag.ContinueOnError)
	names := flags.String("tier", "", "run only these `TIERS`, comma-separated, or all of them, \"all\": "+tierNames())
	pattern := flags.String("run", "", "in guests, run only tests that match `REGEXP`")
	length := flags.Duration("for", 0, "run the tiers again and again for `TIME`, until one fails")
	limit := flags.Duration("limit", 25*time.Minute, "`TIME` that a guest may take")
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	chosen, err := chooseTiers(*names)
	if err != nil {
		return false, err
	}
	top, err := findTop()
	if err != nil {
		return false, err
	}
	r, err := newRunner(top, os.Stdout)
	if err != nil {
		return false, err
	}
	r.pattern, r.limit = *pattern, *limit
	end := time.Now().Add(*length)
	for {
		r.runTiers(ctx, chosen)
		if r.failed() || ctx.Err() != nil || !time.Now().Before(end) {
			break
		}
	}
	return r.report(), nil
}

// findTop returns the directory that holds go.mod, here or above.
func findTop() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("find go.mod: not here nor above")
		}
		dir = filepath.Dir(dir)
	}
}
