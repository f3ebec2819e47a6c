// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/monitor"
)

// config is what the command line and the environment say.
type config struct {
	listen     string
	data       string
	id         string
	raftListen string
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
		Usage: "`NAME` of this voter, the same for the life of the data directory",
	},
	&cli.StringFlag{
		Name: "raft-listen", EnvVars: []string{"MBCHAIN_RAFT_LISTEN"}, DefaultText: "no port: one voter needs none",
		Usage: "`ADDRESS:PORT` for other voters",
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
	}
	if _, _, err := net.SplitHostPort(cfg.listen); err != nil {
		return nil, fmt.Errorf("read --listen %q: want ADDRESS:PORT, such as 127.0.0.1:7400", cfg.listen)
	}
	if cfg.raftListen != "" {
		if _, _, err := net.SplitHostPort(cfg.raftListen); err != nil {
			return nil, fmt.Errorf("read --raft-listen %q: want ADDRESS:PORT, such as 127.0.0.1:7401", cfg.raftListen)
		}
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

// exposed reports whether other hosts may reach the port.
func (cfg *config) exposed() bool {
	host, _, _ := net.SplitHostPort(cfg.listen)
	if strings.EqualFold(host, "localhost") {
		return false
	}
	a, err := netip.ParseAddr(host)
	return err != nil || !a.IsLoopback()
}
