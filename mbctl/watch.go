// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

const (
	// watchEvery is how often watch asks, leastEvery how often at most: each time
	// policyd asks every host.
	watchEvery = 2 * time.Second
	leastEvery = 200 * time.Millisecond
	// reconnectEvery is how long watch keeps its connections, for its certificate may
	// be renewed with new ones.
	reconnectEvery = time.Hour
)

func (w *world) watchCommand() *cli.Command {
	return &cli.Command{
		Name:      "watch",
		Usage:     "show sessions, migrations and hosts, again and again",
		ArgsUsage: "[--every TIME] [--once]",
		Description: describe(`Shows who leads, hosts with those first that need somebody, migrations, the newest
first, and the sessions that carry most. On a terminal it fills the screen until q or
ctrl-c is typed; elsewhere each view follows the one before. With --json, each is one
line. RATE is what the host that reported first sent and received, both ways, since
the view before. --timeout is that of one view. Once there was one, it goes on
although another fails.`,
			"mbctl watch", "mbctl watch --once", "mbctl watch --json --every 10s | jq -c '{at, carried, counts}'"),
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "every", Value: watchEvery, Usage: "show anew after `TIME`, 200ms or more"},
			&cli.BoolFlag{Name: "once", DisableDefaultText: true, Usage: "show it once, and end"},
		},
		Action: w.watch,
	}
}

// watcher is one watch.
type watcher struct {
	*world
	c    *cli.Context
	json bool

	policyd   *policyd // nil: to be dialled
	connected time.Time
	last      *frame // the one before, if it went well
}

// watch is no action of the usual kind: it ends when the operator wants it to.
func (w *world) watch(c *cli.Context) error {
	if _, err := operands(c, 0, 0); err != nil {
		return err
	}
	every, limit := c.Duration("every"), c.Duration("timeout")
	switch {
	case every < leastEvery:
		return usagef("read --every %v: want %v or more", every, leastEvery)
	case limit <= 0:
		return usagef("read --timeout %v: must be more than 0", limit)
	}
	wt := &watcher{world: w, c: c, json: c.Bool("json")}
	if c.Bool("once") {
		f := wt.next(c.Context)
		if f.err == nil {
			wt.show(f)
		}
		return f.err
	}
	ctx, leave := context.WithCancel(c.Context)
	defer leave()
	if w.terminal != nil && !wt.json {
		restore, err := w.terminal(func(key byte) {
			if key == 'q' || key == 'Q' || key == ctrlC {
				leave()
			}
		})
		if err != nil {
			return fmt.Errorf("take over the terminal: %w", err)
		}
		defer restore()
	}
	for first := true; ctx.Err() == nil; first = false {
		f := wt.next(ctx)
		switch {
		case ctx.Err() != nil:
		case f.err != nil && first: // it may be for ever
			return f.err
		default:
			wt.show(f)
		}
		if w.unwritten != nil || w.sleep(ctx, every) != nil {
			break
		}
	}
	return nil
}

// ctrlC is what a terminal sends that makes no signals of keys.
const ctrlC = 3

// next asks for the next frame, within --timeout.
func (wt *watcher) next(ctx context.Context) *frame {
	ctx, cancel := wt.limit(ctx, wt.c.Duration("timeout"))
	defer cancel()
	outer := wt.c.Context
	wt.c.Context = ctx
	defer func() { wt.c.Context = outer }()
	if wt.policyd == nil || wt.now().Sub(wt.connected) > reconnectEvery {
		p, err := wt.world.policyd(wt.c)
		if err != nil {
			return &frame{at: wt.now(), err: err}
		}
		wt.policyd, wt.connected = p, wt.now()
	}
	f := wt.policyd.frame(wt.c, wt.now())
	if f.err != nil {
		wt.policyd, wt.last = nil, nil
		return f
	}
	f.rate(wt.last)
	wt.last = f
	return f
}

// show prints a frame in the way that was asked for.
func (wt *watcher) show(f *frame) {
	if wt.json {
		line, err := json.Marshal(f.view())
		if err != nil { // it has no such values
			panic(err)
		}
		wt.printf("%s\n", line)
		return
	}
	var text strings.Builder
	drawn := *wt.world
	drawn.stdout = &text
	if wt.size != nil {
		drawn.width, drawn.height = wt.size()
	}
	f.draw(&drawn)
	if wt.terminal == nil || wt.c.Bool("once") {
		wt.printf("%s", text.String())
		if !wt.c.Bool("once") {
			wt.printf("\n")
		}
		return
	}
	lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	if drawn.height > 0 && len(lines) > drawn.height {
		lines = lines[:drawn.height]
	}
	// Over what stands there, line by line: to clear the screen first would flicker.
	wt.printf("\x1b[H%s\x1b[K\x1b[J", strings.Join(lines, "\x1b[K\r\n"))
}
