// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"golang.org/x/sync/errgroup"
)

// Config says where a program is watched.
type Config struct {
	Address string // for scrapers; empty: nowhere
	// Chosen: somebody wants that address, and no other will do. If it is only the
	// default and taken, as by another program of the same kind, the program does
	// without.
	Chosen  bool
	Control Control // of the port's socket; may be nil
	Debug   string  // path of the socket for profiles; empty: none
	Log     *slog.Logger
}

// CheckAddress refuses what is no address for scrapers. Empty is one: nowhere.
func CheckAddress(address string) error {
	if address == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return fmt.Errorf("%q: want ADDRESS:PORT, or nothing for no metrics", address)
	}
	return nil
}

// An Endpoint is where a program is watched.
type Endpoint struct {
	log      *slog.Logger
	scrapers net.Listener // nil: none
	debug    net.Listener // nil: none
}

// Open opens what a Config asks for. The endpoint must be run, or closed.
func Open(ctx context.Context, cfg Config) (*Endpoint, error) {
	e := &Endpoint{log: cfg.Log}
	var err error
	if cfg.Address != "" {
		e.scrapers, err = Listen(ctx, cfg.Address, cfg.Control)
		if err != nil && !cfg.Chosen {
			cfg.Log.Warn("no metrics: give --metrics another address, or nothing", "metrics", cfg.Address, "error", err)
			err = nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w (--metrics says where)", err)
		}
	}
	if cfg.Debug != "" {
		if e.debug, err = ListenDebug(cfg.Debug); err != nil {
			return nil, errors.Join(fmt.Errorf("%w (--debug-socket says where)", err), e.Close())
		}
	}
	return e, nil
}

// Address returns where scrapers find the program, empty if nowhere.
func (e *Endpoint) Address() string {
	if e.scrapers == nil {
		return ""
	}
	return e.scrapers.Addr().String()
}

// Run answers until ctx is done.
func (e *Endpoint) Run(ctx context.Context, s *Server) error {
	group, ctx := errgroup.WithContext(ctx)
	if e.scrapers != nil {
		group.Go(func() error { return s.Serve(ctx, e.scrapers) })
	}
	if e.debug != nil {
		group.Go(func() error { return ServeDebug(ctx, e.debug, e.log) })
	}
	return group.Wait()
}

// Close closes what was opened. Run does so too.
func (e *Endpoint) Close() error {
	var errs []error
	for _, l := range []net.Listener{e.scrapers, e.debug} {
		if l == nil {
			continue
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
