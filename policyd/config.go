// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"time"

	"github.com/urfave/cli/v2"

	"mbchain/monitor"
)

// config is what the command line and the environment say.
type config struct {
	listen     string
	data       string
	id         string
	raftListen string
	advertise  string // empty: other nodes cannot be told where this one is
	join       []string
	tokenFile  string // to join with; empty: none
	recover    bool
	socket     string
	auditLog   string
	rotate     time.Duration // 0: keys are not replaced by themselves
	logLevel   slog.Level
	logFormat  string
	metrics    monitor.Config
}

var flags = []cli.Flag{
	&cli.StringFlag{
		Name: "listen", EnvVars: []string{"MBCHAIN_LISTEN"}, Value: "127.0.0.1:7400",
		Usage: "`ADDRESS:PORT` for agents and mbctl",
	},
	&cli.StringFlag{
		Name: "data", EnvVars: []string{"MBCHAIN_DATA"}, Value: "/var/lib/mbchain/policyd",
		Usage: "`DIRECTORY` for the policy, the hosts and the set-up keys",
	},
	&cli.StringFlag{
		Name: "id", EnvVars: []string{"MBCHAIN_ID"}, Value: "policyd1",
		Usage: "`NAME` of this node, another for each, the same for the life of the data directory",
	},
	&cli.StringFlag{
		Name: "raft-listen", EnvVars: []string{"MBCHAIN_RAFT_LISTEN"}, DefaultText: "no port: one node needs none",
		Usage: "`ADDRESS:PORT` for the Raft of other nodes, 7401 by custom",
	},
	&cli.StringFlag{
		Name: "advertise", EnvVars: []string{"MBCHAIN_ADVERTISE"}, DefaultText: "that of --listen",
		Usage: "`ADDRESS:PORT` at which agents, mbctl and other nodes reach --listen",
	},
	&cli.StringSliceFlag{
		Name: "join", EnvVars: []string{"MBCHAIN_JOIN"},
		Usage: "`ADDRESS:PORT` of a node whose cluster to join, if the data directory is empty (may be repeated)",
	},
	&cli.StringFlag{
		Name: "token-file", EnvVars: []string{"MBCHAIN_TOKEN_FILE"},
		Usage: "`FILE` with the token that mbctl cluster join made; read until this node has its certificate, and not needed afterwards",
	},
	&cli.BoolFlag{
		Name:  "recover",
		Usage: "go on as the only node, after most others were lost for good; once",
	},
	&cli.StringFlag{
		Name: "socket", EnvVars: []string{"MBCHAIN_POLICYD_SOCKET"}, Value: "/run/mbchain/policyd.sock",
		Usage: "`PATH` of the unix socket by which root on this host, and nobody else, may do what an operator may",
	},
	&cli.StringFlag{
		Name: "audit-log", EnvVars: []string{"MBCHAIN_AUDIT_LOG"}, DefaultText: "audit.log in the data directory",
		Usage: "`FILE` that gets a line of JSON for each change: who, what, from where, with what result",
	},
	&cli.DurationFlag{
		Name: "rotate-keys", EnvVars: []string{"MBCHAIN_ROTATE_KEYS"}, Value: 24 * time.Hour,
		Usage: "`TIME` after which the set-up key of the data plane is replaced, such as 12h; 0: never by itself",
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
		Name: "metrics", EnvVars: []string{"MBCHAIN_POLICYD_METRICS"}, Value: "127.0.0.1:7402",
		Usage: "`ADDRESS:PORT` for Prometheus, and for /healthz and /readyz; empty: none",
	},
	&cli.StringFlag{
		Name: "debug-socket", EnvVars: []string{"MBCHAIN_POLICYD_DEBUG_SOCKET"}, DefaultText: "none",
		Usage: "`PATH` of a unix socket where root gets profiles of this program (/debug/pprof/)",
	},
}

// idForm is that of a host name, for the same reasons: it is seen in logs.
var idForm = regexp.MustCompile(`^[a-z0-9.-]{1,63}$`)

func newConfig(c *cli.Context) (*config, error) {
	if c.Args().Present() {
		return nil, fmt.Errorf("unknown argument %q", c.Args().First())
	}
	cfg := &config{
		listen:     c.String("listen"),
		data:       c.String("data"),
		id:         c.String("id"),
		raftListen: c.String("raft-listen"),
		logFormat:  c.String("log-format"),
		socket:     c.String("socket"),
		auditLog:   c.String("audit-log"),
		rotate:     c.Duration("rotate-keys"),
	}
	if cfg.auditLog == "" {
		cfg.auditLog = filepath.Join(cfg.data, "audit.log")
	}
	if cfg.rotate < 0 {
		return nil, fmt.Errorf("read --rotate-keys %v: want a time, such as 24h, or 0", cfg.rotate)
	}
	if cfg.socket == "" {
		return nil, fmt.Errorf("read --socket: no path is given")
	}
	if _, _, err := net.SplitHostPort(cfg.listen); err != nil {
		return nil, fmt.Errorf("read --listen %q: want ADDRESS:PORT, such as 127.0.0.1:7400", cfg.listen)
	}
	if cfg.raftListen != "" {
		if _, _, err := net.SplitHostPort(cfg.raftListen); err != nil {
			return nil, fmt.Errorf("read --raft-listen %q: want ADDRESS:PORT, such as 127.0.0.1:7401", cfg.raftListen)
		}
	}
	if err := cfg.readCluster(c); err != nil {
		return nil, err
	}
	if cfg.data == "" {
		return nil, fmt.Errorf("read --data: no directory is given")
	}
	if !idForm.MatchString(cfg.id) {
		return nil, fmt.Errorf("read --id %q: want 1 to 63 characters out of a-z, 0-9, '.' and '-'", cfg.id)
	}
	if err := cfg.logLevel.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return nil, fmt.Errorf("read --log-level %q: want debug, info, warn or error", c.String("log-level"))
	}
	if err := monitor.CheckLogFormat(cfg.logFormat); err != nil {
		return nil, fmt.Errorf("read --log-format %w", err)
	}
	cfg.metrics = monitor.Config{Address: c.String("metrics"), Chosen: c.IsSet("metrics"), Debug: c.String("debug-socket")}
	if err := monitor.CheckAddress(cfg.metrics.Address); err != nil {
		return nil, fmt.Errorf("read --metrics %w", err)
	}
	return cfg, nil
}

// readCluster reads what is about other nodes.
func (cfg *config) readCluster(c *cli.Context) error {
	cfg.advertise, cfg.recover, cfg.tokenFile = c.String("advertise"), c.Bool("recover"), c.String("token-file")
	switch host, _, err := net.SplitHostPort(cfg.advertise); {
	case cfg.advertise == "":
		if host, port, _ := net.SplitHostPort(cfg.listen); port != "0" && !unspecified(host) {
			cfg.advertise = cfg.listen
		}
	case err != nil || unspecified(host):
		return fmt.Errorf("read --advertise %q: want ADDRESS:PORT that reaches this node, such as 10.255.0.100:7400", cfg.advertise)
	}
	for _, address := range c.StringSlice("join") {
		if address == "" {
			continue // an empty variable of the environment says nothing
		}
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("read --join %q: want ADDRESS:PORT, such as 10.255.0.100:7400", address)
		}
		cfg.join = append(cfg.join, address)
	}
	switch {
	case cfg.raftListen != "" && cfg.advertise == "":
		return fmt.Errorf("read --listen %q: other nodes need an address that reaches this one: give --advertise ADDRESS:PORT", cfg.listen)
	case len(cfg.join) > 0 && cfg.recover:
		return fmt.Errorf("read --recover: a node that recovers is a cluster of its own: leave out --join")
	case len(cfg.join) > 0 && cfg.raftListen == "":
		return fmt.Errorf("read --join: other nodes need a port to reach this one: give --raft-listen ADDRESS:PORT")
	}
	return nil
}

// unspecified reports whether host stands for all addresses of this host.
func unspecified(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "" || err == nil && a.IsUnspecified()
}
