// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/agentd/internal/kernel"
	"mbchain/chain"
	"mbchain/monitor"
	"mbchain/policy"
)

// config is what the command line and the environment say.
type config struct {
	name      string
	addresses []netip.Addr // none: those that the host has at the moment
	policyd   []string
	socket    string
	state     string
	nfTypes   []string
	nf        kernel.NF
	gateway   bool
	peers     netip.AddrPort // where other hosts' agents reach this one
	tokenFile string         // to join with; empty: none
	// nfStateCommand moves the NF's state by method exec; empty: it cannot.
	nfStateCommand string
	nfProbe        string   // program that probes the NF; empty: none
	nfProcesses    []string // names of the NF's processes
	tooBusy        uint     // load of the processors that is too much, in percent; 0: none is
	metrics        monitor.Config
	logLevel       slog.Level
	logFormat      string
}

func flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "name", EnvVars: []string{"MBCHAIN_NAME"}, DefaultText: "the host name",
			Usage: "`NAME` of this host in the domain: a-z, 0-9, '.' and '-', at most 63",
		},
		&cli.StringSliceFlag{
			Name: "address", EnvVars: []string{"MBCHAIN_ADDRESS"}, DefaultText: "all global unicast addresses",
			Usage: "`ADDRESS` of this host that subsessions may use, IPv4 or IPv6 (may be repeated)",
		},
		&cli.StringSliceFlag{
			Name: "policyd", EnvVars: []string{"MBCHAIN_POLICYD"}, Value: cli.NewStringSlice("127.0.0.1:7400"),
			Usage: "`ADDRESS:PORT` of the policy server; of each, with commas between, if there are several",
		},
		&cli.StringFlag{
			Name: "socket", EnvVars: []string{"MBCHAIN_SOCKET"}, Value: "/run/mbchain/agentd.sock",
			Usage: "`PATH` of the unix socket for mbctl --agent",
		},
		&cli.StringFlag{
			Name: "state", EnvVars: []string{"MBCHAIN_STATE"}, Value: "/var/lib/mbchain/agentd",
			Usage: "`DIRECTORY` for the last good subpolicy and this host's certificate",
		},
		&cli.StringSliceFlag{
			Name: "nf-type", EnvVars: []string{"MBCHAIN_NF_TYPE"},
			Usage: "`TYPE` of network function that this host offers (may be repeated)",
		},
		&cli.StringFlag{
			Name: "nf", EnvVars: []string{"MBCHAIN_NF"}, Value: "inline",
			Usage: "`HOW` this host's network function gets packets: inline (through the host's own stack), none, tap:DEVICE (copies) or redirect:IN,OUT (a pair of devices)",
		},
		&cli.StringFlag{
			Name: "nf-state", EnvVars: []string{"MBCHAIN_NF_STATE"},
			Usage: "`PROGRAM` that exports, imports and drops the network function's state of one session (docs/OPERATIONS.md)",
		},
		&cli.StringFlag{
			Name: "nf-probe", EnvVars: []string{"MBCHAIN_NF_PROBE"},
			Usage: "`PROGRAM` that ends with 0 while the network function does its work, run every second for 600 ms at most (docs/OPERATIONS.md)",
		},
		&cli.StringSliceFlag{
			Name: "nf-process", EnvVars: []string{"MBCHAIN_NF_PROCESS"},
			Usage: "`NAME` of processes that are the network function, whose CPU time is reported (may be repeated)",
		},
		&cli.UintFlag{
			Name: "too-busy", EnvVars: []string{"MBCHAIN_TOO_BUSY"}, Value: 90,
			Usage: "`PERCENT` of the processors' time from which on this host takes new sessions only if no other can; 0: never, for a network function that polls, or hosts that share a machine",
		},
		&cli.BoolFlag{
			Name: "gateway", EnvVars: []string{"MBCHAIN_GATEWAY"},
			Usage: "chain what this host forwards for clients that run no agent",
		},
		&cli.StringFlag{
			Name: "peer-listen", EnvVars: []string{"MBCHAIN_PEER_LISTEN"}, Value: "[::]:7300",
			Usage: "`ADDRESS:PORT` for the agents of other hosts (UDP); the port is the same on all hosts",
		},
		&cli.StringFlag{
			Name: "token-file", EnvVars: []string{"MBCHAIN_TOKEN_FILE"},
			Usage: "`FILE` with a token to join the domain with (mbctl token create); read until this host has its certificate, and not needed afterwards",
		},
		&cli.StringFlag{
			Name: "log-level", EnvVars: []string{"MBCHAIN_LOG_LEVEL"}, Value: "info",
			Usage: "`LEVEL` from which on events are logged: debug, info, warn or error",
		},
		&cli.StringFlag{
			Name: "log-format", EnvVars: []string{"MBCHAIN_LOG_FORMAT"}, Value: "text",
			Usage: "`FORMAT` of the log: text or json",
		},
		&cli.StringFlag{
			Name: "metrics", EnvVars: []string{"MBCHAIN_AGENTD_METRICS"}, Value: "127.0.0.1:7302",
			Usage: "`ADDRESS:PORT` for Prometheus, and for /healthz and /readyz; empty: none",
		},
		&cli.StringFlag{
			Name: "debug-socket", EnvVars: []string{"MBCHAIN_AGENTD_DEBUG_SOCKET"}, DefaultText: "none",
			Usage: "`PATH` of a unix socket where root gets profiles of this program (/debug/pprof/)",
		},
	}
}

// nameForm is that of SubscribeRequest.host in proto/agent.proto.
var nameForm = regexp.MustCompile(`^[a-z0-9.-]{1,63}$`)

func newConfig(c *cli.Context) (*config, error) {
	if c.Args().Present() {
		return nil, fmt.Errorf("unknown argument %q", c.Args().First())
	}
	cfg := &config{
		name:           c.String("name"),
		policyd:        c.StringSlice("policyd"),
		socket:         c.String("socket"),
		state:          c.String("state"),
		nfTypes:        list(c, "nf-type"),
		gateway:        c.Bool("gateway"),
		tokenFile:      c.String("token-file"),
		nfStateCommand: c.String("nf-state"),
		nfProbe:        c.String("nf-probe"),
		nfProcesses:    list(c, "nf-process"),
	}
	if cfg.nfProbe != "" && !filepath.IsAbs(cfg.nfProbe) {
		return nil, fmt.Errorf("--nf-probe %q: not an absolute path", cfg.nfProbe)
	}
	if cfg.tooBusy = c.Uint("too-busy"); cfg.tooBusy > 100 {
		return nil, fmt.Errorf("--too-busy %d: not from 0 to 100", cfg.tooBusy)
	}
	if slices.Contains(cfg.nfProcesses, "") {
		return nil, errors.New("--nf-process: no name")
	}
	if cfg.nfStateCommand != "" && !filepath.IsAbs(cfg.nfStateCommand) {
		return nil, fmt.Errorf("--nf-state %q: not an absolute path", cfg.nfStateCommand)
	}
	for i, t := range cfg.nfTypes {
		if t == "" || len(t) > policy.MaxTypeName {
			return nil, fmt.Errorf("--nf-type %q: not of 1 to %d characters", t, policy.MaxTypeName)
		}
		if slices.Contains(cfg.nfTypes[:i], t) {
			return nil, fmt.Errorf("--nf-type %q: given twice", t)
		}
	}
	var err error
	if how := c.String("nf"); how != "" { // as for an empty list
		if cfg.nf, err = kernel.ParseNF(how); err != nil {
			return nil, fmt.Errorf("--nf %q: %w", how, err)
		}
	}
	if cfg.name == "" {
		if cfg.name, err = hostName(); err != nil {
			return nil, err
		}
	}
	if !nameForm.MatchString(cfg.name) {
		return nil, fmt.Errorf("--name %q: not of a-z, 0-9, '.' and '-', 1 to 63 of them", cfg.name)
	}
	if len(cfg.policyd) == 0 {
		return nil, errors.New("--policyd: no address")
	}
	for _, server := range cfg.policyd {
		if err := checkServer(server); err != nil {
			return nil, fmt.Errorf("--policyd %q: %w", server, err)
		}
	}
	for _, s := range list(c, "address") {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("--address %q: no IP address", s)
		}
		if err := chain.CheckHost(addr); err != nil {
			return nil, fmt.Errorf("--address %q: %w", s, err)
		}
		if slices.Contains(cfg.addresses, addr) {
			return nil, fmt.Errorf("--address %q: given twice", s)
		}
		cfg.addresses = append(cfg.addresses, addr)
	}
	if cfg.peers, err = netip.ParseAddrPort(c.String("peer-listen")); err != nil || cfg.peers.Port() == 0 {
		return nil, fmt.Errorf("--peer-listen %q: not of the form ADDRESS:PORT", c.String("peer-listen"))
	}
	if err := cfg.logLevel.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return nil, fmt.Errorf("--log-level %q: not debug, info, warn or error", c.String("log-level"))
	}
	cfg.logFormat = c.String("log-format")
	if err := monitor.CheckLogFormat(cfg.logFormat); err != nil {
		return nil, fmt.Errorf("--log-format %w", err)
	}
	cfg.metrics = monitor.Config{Address: c.String("metrics"), Chosen: c.IsSet("metrics"), Debug: c.String("debug-socket")}
	if err := monitor.CheckAddress(cfg.metrics.Address); err != nil {
		return nil, fmt.Errorf("--metrics %w", err)
	}
	return cfg, nil
}

// list is a repeatable option. A variable of the environment that is empty says
// nothing, as a service manager's file may have it.
func list(c *cli.Context, name string) []string {
	values := c.StringSlice(name)
	if len(values) == 1 && values[0] == "" {
		return nil
	}
	return values
}

func hostName() (string, error) {
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("get host name: %w (say --name)", err)
	}
	return strings.ToLower(name), nil
}

// checkServer says what is wrong with an ADDRESS:PORT; the address may be a
// name.
func checkServer(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return errors.New("not of the form ADDRESS:PORT")
	}
	if host == "" {
		return errors.New("no address")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("port %q is not from 1 to 65535", port)
	}
	return nil
}

// hostAddresses returns what subsessions may use: the addresses that were
// configured, or those that the host has now.
func (c *config) hostAddresses() ([]netip.Addr, error) {
	if len(c.addresses) > 0 {
		return c.addresses, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	return globalAddresses(addrs), nil
}

// globalAddresses returns the global unicast addresses among those of the
// interfaces, of both families, in order, each once.
func globalAddresses(addrs []net.Addr) []netip.Addr {
	var out []netip.Addr
	seen := make(map[netip.Addr]bool)
	for _, a := range addrs {
		prefix, isPrefix := a.(*net.IPNet)
		if !isPrefix {
			continue
		}
		addr, _ := netip.AddrFromSlice(prefix.IP)
		addr = addr.Unmap()
		if addr.IsGlobalUnicast() && chain.CheckHost(addr) == nil && !seen[addr] {
			seen[addr] = true
			out = append(out, addr)
		}
	}
	return out
}
