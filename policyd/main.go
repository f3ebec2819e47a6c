// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"mbchain/monitor"
	"mbchain/policyd/internal/api"
	"mbchain/policyd/internal/cluster"
	"mbchain/policyd/internal/push"
)

// version is set when a release is built.
var version = "dev"

const description = `policyd keeps the policy of a domain and pushes each host's part of it to the
agent there. Hosts need it to learn of changes, not to set sessions up.

Whoever reaches its port can change the policy: there is no TLS yet. By default
it listens on loopback; give --listen an address of a management network for
agents on other hosts.

Examples:

   For agents and mbctl on this host:
      policyd

   For the agents of a domain, on its management network:
      policyd --listen 10.255.0.100:7400 --data /var/lib/mbchain/policyd

   Without privileges, to try it out:
      policyd --data ./policyd-data & mbctl policy apply web.policy

Exit status: 0 after SIGTERM or SIGINT, 1 when it cannot start or go on, 2 when
it was called wrongly.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	status := start(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// usageError is one in how the program was called.
type usageError struct{ error }

// start runs the program and returns its exit status.
func start(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	wrong := func(_ *cli.Context, err error, _ bool) error { return usageError{err} }
	app := &cli.App{
		Name: "policyd", Usage: "policy server of an mbchain domain",
		UsageText: "policyd [options]", Description: description, Version: version,
		Flags: flags, HideHelpCommand: true,
		Writer: stdout, ErrWriter: stderr,
		OnUsageError:   wrong,
		ExitErrHandler: func(*cli.Context, error) {}, // the status is start's to choose
		Action: func(c *cli.Context) error {
			cfg, err := newConfig(c)
			if err != nil {
				return usageError{err}
			}
			return run(c.Context, cfg, stderr)
		},
	}
	err := app.RunContext(ctx, args)
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintf(stderr, "policyd: %v\n", err)
	if errors.As(err, new(usageError)) {
		_, _ = fmt.Fprintln(stderr, "Run 'policyd --help' for usage.")
		return 2
	}
	return 1
}

// run is policyd until ctx is done.
func run(ctx context.Context, cfg *config, stderr io.Writer) (err error) {
	log := monitor.NewLogger(stderr, cfg.logFormat, cfg.logLevel)
	l, err := api.Listen(ctx, cfg.listen) // before the state is touched
	if err != nil {
		return err
	}
	defer l.Close()
	watched, err := newWatched(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, watched.Close()) }()
	node, err := cluster.Open(cluster.Config{ID: cfg.id, Dir: cfg.data, Listen: cfg.raftListen, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()

	hub := push.NewHub(node, log)
	hub.Observe(watched.metrics)
	server := api.NewServer(api.Config{
		Cluster: node, Hub: hub, Version: version, Logger: log, Begun: watched.metrics.Begun,
	})
	log.Info("started", "version", version, "id", cfg.id, "listen", l.Addr().String(), "data_dir", cfg.data,
		"metrics", watched.Address())
	if cfg.exposed() {
		log.Warn("whoever reaches this port can change the policy: there is no TLS yet", "listen", l.Addr().String())
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return node.Run(ctx, hub.Update) })
	group.Go(func() error { return server.Serve(ctx, l) })
	group.Go(func() error { return watched.run(ctx, node, hub) })
	err = group.Wait()
	log.Info("stopped")
	return err
}
