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

	"mbchain/manual"
	"mbchain/monitor"
	"mbchain/policyd/internal/api"
	"mbchain/policyd/internal/cluster"
	"mbchain/policyd/internal/push"
	"mbchain/policyd/internal/self"
)

// version is set when a release is built.
var version = "dev"

const description = `policyd keeps the policy of a domain and pushes each host's part of it to the
agent there. Hosts need it to learn of changes, not to set sessions up.

Three or five of them are a cluster that goes on without one or two.

All that is said on its ports is TLS, with certificates that policyd itself issues
(mbctl token create). Root on this host needs none: mbctl finds the unix socket. By
default the port is on loopback; give --listen an address for agents on other hosts.

Examples:

   For agents and mbctl on this host:
      policyd

   For the agents of a domain, on its management network:
      policyd --listen 10.255.0.100:7400 --data /var/lib/mbchain/policyd

   The first of three nodes, and another, with what mbctl cluster join printed:
      policyd --id policyd1 --listen 10.255.0.101:7400 --raft-listen 10.255.0.101:7401
      policyd --id policyd2 --listen 10.255.0.102:7400 --raft-listen 10.255.0.102:7401 \
         --join 10.255.0.101:7400 --token-file token

   Without privileges, to try it out:
      policyd --data ./policyd-data --socket ./policyd.sock &
      mbctl --policyd unix:./policyd.sock policy apply web.policy

Exit status: 0 after SIGTERM or SIGINT, 1 when it cannot start or go on, 2 when
it was called wrongly.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	status := start(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// manFlag is for make man: it writes the man page below a directory.
var manFlag = &cli.StringFlag{Name: "man", Hidden: true}

// usageError is one in how the program was called.
type usageError struct{ error }

// start runs the program and returns its exit status.
func start(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	wrong := func(_ *cli.Context, err error, _ bool) error { return usageError{err} }
	app := &cli.App{
		Name: "policyd", Usage: "policy server of an mbchain domain",
		UsageText: "policyd [options]", Description: description, Version: version,
		Flags: append(flags[:len(flags):len(flags)], manFlag), HideHelpCommand: true,
		Writer: stdout, ErrWriter: stderr,
		OnUsageError:   wrong,
		ExitErrHandler: func(*cli.Context, error) {}, // the status is start's to choose
		Action: func(c *cli.Context) error {
			if dir := c.String(manFlag.Name); dir != "" {
				return manual.Write(dir, manual.Daemon(c.App, "mbctl(1)", "agentd(8)"))
			}
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
	me, err := self.Open(cfg.data, cfg.id)
	if err != nil {
		return err
	}
	joining := newJoiner(cfg, log, me)
	defer joining.close()
	settings := cluster.Config{
		ID: cfg.id, Dir: cfg.data, Listen: cfg.raftListen, Address: cfg.advertise, Recover: cfg.recover,
		Network: self.Network{Identity: me, Refused: (&refusals{log: log}).add}, CA: me.CA(), Logger: log,
	}
	if len(cfg.join) > 0 {
		settings.Enter = joining.enter
	}
	node, err := cluster.Open(ctx, settings)
	if err != nil {
		if ctx.Err() != nil {
			log.Info("stopped")
			return nil
		}
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	local, err := api.ListenLocal(cfg.socket) // after the data directory is locked
	if err != nil {
		return err
	}
	defer local.Close()
	audit, auditFile, err := newAudit(cfg.auditLog, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, auditFile.Close()) }()

	hub := push.NewHub(node, log)
	hub.Observe(watched.metrics)
	hub.Follow() // until the node leads
	server := api.NewServer(api.Config{
		Cluster: node, Hub: hub, Version: version, Logger: log,
		Self: me, Audit: audit, RotateEvery: cfg.rotate, Begun: watched.metrics.Begun,
	})
	log.Info("started", "version", version, "id", cfg.id, "listen", l.Addr().String(), "raft_listen", cfg.raftListen,
		"socket", cfg.socket, "data_dir", cfg.data, "audit_log", cfg.auditLog, "metrics", watched.Address())
	monitor.Notify(os.Getenv("NOTIFY_SOCKET"), monitor.Ready, log) // it may not know yet who leads, see /readyz
	group, ctx := errgroup.WithContext(ctx)
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	group.Go(func() error { return node.Run(ctx, server) })
	group.Go(func() error { return server.Serve(serving, l, local) })
	group.Go(func() error {
		<-ctx.Done()
		monitor.Notify(os.Getenv("NOTIFY_SOCKET"), monitor.Stopping, log)
		node.Leave() // while agents and others can still be told
		stopServing()
		return nil
	})
	group.Go(func() error { return watched.run(serving, node, hub, me) })
	if len(cfg.join) > 0 {
		group.Go(func() error { return joining.settle(ctx, node) })
	}
	err = group.Wait()
	log.Info("stopped")
	return err
}
