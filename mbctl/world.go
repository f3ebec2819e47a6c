// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mbchain/identity"
)

// world is all that a command may touch. Tests make one of their own.
type world struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	version        string

	getenv func(key string) string
	open   func(name string) (file, error)
	write  func(name string, text []byte) error // whole or not at all
	dial   func(ctx context.Context, network, address string) (net.Conn, error)

	now   func() time.Time
	sleep func(ctx context.Context, d time.Duration) error
	limit func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)

	// A file for its owner alone, whole or not at all.
	saveSecret func(name string, data []byte) error
	// An identity is in a file, see package keep.
	load   func(path string) (*identity.Bundle, error)
	save   func(path string, b *identity.Bundle) error
	exists func(path string) bool

	newToken func() identity.Token
	newJob   func() uint64 // names the migrations of a command; random, never 0

	width  int  // columns of the terminal, 0: not a terminal, do not cut
	height int  // lines of it, 0: not a terminal, or not known
	colour bool // escape sequences for colour are welcome
	utf8   bool // line drawing and arrows are welcome

	// What watch needs, see terminal.go: the size of the terminal now, and to take it
	// over. Nil where there is none.
	size     func() (columns, lines int)
	terminal func(pressed func(key byte)) (restore func(), err error)

	unwritten error // the first that printing met
}

// file is what a command needs of an opened file.
type file = io.ReadCloser

// run is the whole program but for os.Exit.
func (w *world) run(ctx context.Context, args []string) exitCode {
	app := w.app()
	args, err := arrange(app, args)
	if err == nil {
		err = app.RunContext(ctx, append([]string{app.Name}, args...))
	}
	if err == nil && w.unwritten != nil {
		err = fmt.Errorf("write output: %w", w.unwritten)
	}
	return w.report(err)
}

// action wraps a command's work: the context it sees ends after --timeout, or, where
// the operator gave none, after as long as --wait of this command waits.
func (w *world) action(do func(c *cli.Context) error, wait ...time.Duration) cli.ActionFunc {
	return func(c *cli.Context) error {
		limit := c.Duration("timeout")
		if limit <= 0 {
			return usagef("read --timeout %v: must be more than 0", limit)
		}
		if len(wait) > 0 && c.Bool("wait") && !c.IsSet("timeout") {
			limit = wait[0]
		}
		ctx, cancel := w.limit(c.Context, limit)
		defer cancel()
		c.Context = ctx
		return do(c)
	}
}

func (w *world) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(w.stdout, format, args...); err != nil && w.unwritten == nil {
		w.unwritten = err
	}
}

// warnf tells the operator something beside the command's output.
func (w *world) warnf(format string, args ...any) {
	fmt.Fprintf(w.stderr, "mbctl: "+format+"\n", args...)
}

// warnText writes lines to stderr as they are.
func (w *world) warnText(lines string) { io.WriteString(w.stderr, lines) }

// printJSON writes what --json promises: one indented object.
func (w *world) printJSON(v any) error {
	enc := json.NewEncoder(w.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// utf8Locale follows setlocale(3): the first of these that is set decides.
func utf8Locale(getenv func(string) string) bool {
	locale := cmp.Or(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG"))
	locale = strings.ToLower(locale)
	return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
}
