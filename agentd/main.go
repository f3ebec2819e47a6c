// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"mbchain/agentd/internal/agent"
	"mbchain/agentd/internal/api"
	"mbchain/agentd/internal/examine"
	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/load"
	"mbchain/agentd/internal/mover"
	"mbchain/agentd/internal/probe"
	"mbchain/agentd/internal/push"
	"mbchain/agentd/internal/setup"
	"mbchain/agentd/internal/sockdiag"
	"mbchain/agentd/internal/state"
	"mbchain/chain"
	"mbchain/identity"
	"mbchain/manual"
	"mbchain/monitor"
)

// version is set when a release is built.
var version = "dev"

const description = `agentd runs on every host of a domain. It loads the host's part of the policy
into the mbchain module, and answers questions about the host. It needs
CAP_NET_ADMIN. On SIGTERM it ends and leaves the module running.

Examples:

   A host whose name and addresses are what the system says, for the first time,
   with a token of mbctl token create; afterwards it has its certificate:
      agentd --policyd 10.255.0.100:7400 --token-file /etc/mbchain/token

   One in a domain with three policyds:
      agentd --policyd 10.255.0.101:7400,10.255.0.102:7400,10.255.0.103:7400

   A middlebox, said explicitly:
      agentd --name mb1 --address 10.0.0.2 --nf-type firewall --policyd 10.255.0.100:7400

   One for IPv4 and IPv6:
      agentd --name mb1 --address 10.0.0.2 --address fd00::2 --nf-type firewall --policyd 10.255.0.100:7400

   The same from the environment, for a service manager:
      MBCHAIN_NAME=mb1 MBCHAIN_ADDRESS=10.0.0.2,fd00::2 MBCHAIN_POLICYD=10.255.0.100:7400 agentd

   An IDS that gets copies of all packets on device ids0:
      agentd --name mb2 --address 10.0.0.3 --nf-type ids --nf tap:ids0 --policyd 10.255.0.100:7400

Exit status: 0 after a signal, 1 when it cannot start or go on, 2 when it was
called wrongly.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	status := start(ctx, os.Args, os.Stdout, os.Stderr, kernel.New())
	stop()
	os.Exit(status)
}

// module is the kernel module, for all that agentd does; see package kernel.
type module interface {
	agent.Kernel
	setup.Module
	mover.Module
}

// manFlag is for make man: it writes the man page below a directory.
var manFlag = &cli.StringFlag{Name: "man", Hidden: true}

// usageError is one in how the program was called.
type usageError struct{ error }

// start runs the program in front of a module and returns its exit status.
func start(ctx context.Context, args []string, stdout, stderr io.Writer, m module) int {
	wrong := func(_ *cli.Context, err error, _ bool) error { return usageError{err} }
	app := &cli.App{
		Name: "agentd", Usage: "agent of one host of an mbchain domain",
		UsageText: "agentd [options]", Description: description, Version: version,
		Flags: append(flags(), manFlag), HideHelpCommand: true,
		Writer: stdout, ErrWriter: stderr,
		OnUsageError:   wrong,
		ExitErrHandler: func(*cli.Context, error) {}, // the status is start's to choose
		Action: func(c *cli.Context) error {
			if dir := c.String(manFlag.Name); dir != "" {
				return manual.Write(dir, manual.Daemon(c.App, "mbctl(1)", "policyd(8)"))
			}
			cfg, err := newConfig(c)
			if err != nil {
				return usageError{err}
			}
			return run(c.Context, cfg, stderr, m)
		},
	}
	err := app.RunContext(ctx, args)
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintf(stderr, "agentd: %v\n", err)
	if errors.As(err, new(usageError)) {
		_, _ = fmt.Fprintln(stderr, "Run 'agentd --help' for usage.")
		return 2
	}
	return 1
}

// run is the agent until ctx is done.
func run(ctx context.Context, cfg *config, stderr io.Writer, m module) (err error) {
	log := monitor.NewLogger(stderr, cfg.logFormat, cfg.logLevel)
	// Two agents of one host would undo each other's work: both of these
	// are for one process.
	disk, err := state.Open(cfg.state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	watched, err := newWatched(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, watched.Close()) }()
	ln, err := api.Listen(cfg.socket)
	if err != nil {
		return err
	}
	var policyd *push.Client
	keeper, err := newKeeper(cfg, log, func(done string, b *identity.Bundle) {
		log.Info(done, "host", cfg.name, "expires", b.Leaf.NotAfter)
		policyd.Resubscribe() // with the new one
	})
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	peers, err := newPeers(cfg, m, disk, keeper, watched.metrics, log)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	policyd = push.New(push.Config{
		Host: cfg.name, Policyd: cfg.policyd, Log: log, Dial: dialControl,
		TLS:     identity.ClientTLS(keeper, time.Now, []string{"h2"}, identity.Policyd),
		Refused: keeper.Look, Revoked: peers.revoke, Misfit: watched.metrics.Misfits.Count,
	})
	var a *agent.Agent
	prober := newProber(cfg, func() { a.ReportNow() })
	a = agent.New(agent.Config{
		Host: cfg.name, NFTypes: cfg.nfTypes,
		AgentVersion: version, KernelRelease: kernelRelease(),
		Addresses: cfg.hostAddresses, OutOfBand: peers.node != nil, NF: cfg.nf,
		Gateway: cfg.gateway, Mover: peers.movers, Sockets: sockets{},
		Examiner: examine.New(examine.Config{Identity: keeper, Try: peers.try()}), Log: log,
		Meter: load.New(os.DirFS("/proc"), cfg.nfProcesses), Probe: prober, TooBusy: 10 * uint32(cfg.tooBusy),
	}, m, disk, policyd)
	peers.follow(cfg, a)

	log.Info("started", "version", version, "host", cfg.name, "policyd", strings.Join(cfg.policyd, ","),
		"socket", cfg.socket, "state_dir", cfg.state, "metrics", watched.Address())
	monitor.Notify(os.Getenv("NOTIFY_SOCKET"), monitor.Ready, log) // it answers from now on
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		<-ctx.Done()
		monitor.Notify(os.Getenv("NOTIFY_SOCKET"), monitor.Stopping, log)
		return nil
	})
	group.Go(func() error { return a.Run(ctx) })
	group.Go(func() error { return api.Serve(ctx, ln, api.NewService(a)) })
	group.Go(func() error { return peers.run(ctx) })
	group.Go(func() error { keeper.Run(ctx); return nil })
	group.Go(func() error { prober.run(ctx); return nil })
	group.Go(func() error {
		// Both end only with ctx, but for the first when this host has joined.
		if keeper.Wait(ctx) == nil {
			_ = policyd.Run(ctx, a)
		}
		return nil
	})
	group.Go(func() error { return watched.run(ctx, a, m, peers, keeper) })
	err = group.Wait()
	log.Info("stopped; the module runs on")
	return err
}

// prober is the operator's probe, or none.
type prober struct{ *probe.Prober }

func newProber(cfg *config, changed func()) prober {
	if cfg.nfProbe == "" {
		return prober{}
	}
	return prober{probe.New(cfg.nfProbe, changed)}
}

// Result implements [agent.Probe].
func (p prober) Result() probe.Result {
	if p.Prober == nil {
		return probe.Result{}
	}
	return p.Prober.Result()
}

func (p prober) run(ctx context.Context) {
	if p.Prober != nil {
		p.Run(ctx)
	}
}

// sockets are those of this network namespace.
type sockets struct{}

func (sockets) Destroy(ctx context.Context, t chain.FiveTuple) error { return sockdiag.Destroy(ctx, t) }

// kernelRelease is what uname -r prints, empty if nobody knows.
func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return strings.TrimRight(string(u.Release[:]), "\x00")
}
