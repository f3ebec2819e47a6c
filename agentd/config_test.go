// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/urfave/cli/v2"

	"mbchain/agentd/internal/agent/agenttest"
)

func TestWrongUseIsExplained(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"flag", []string{"--colour"}, "flag provided but not defined: -colour"},
		{"argument", []string{"start"}, `unknown argument "start"`},
		{"name", []string{"--name", "MB 1"}, `--name "MB 1": not of a-z, 0-9, '.' and '-', 1 to 63 of them`},
		{"address", []string{"--address", "mb1"}, `--address "mb1": no IP address`},
		{"address of a group", []string{"--address", "224.0.0.1"}, `--address "224.0.0.1": not a unicast address; write the address of the host`},
		{"address of an IPv6 group", []string{"--address", "10.0.0.2", "--address", "ff02::1"}, `--address "ff02::1": not a unicast address; write the address of the host`},
		// policyd refused these three, and agentd tried again for ever.
		{"address of loopback", []string{"--address", "127.0.0.1"}, `--address "127.0.0.1": a loopback address, which other hosts cannot reach; write the address of the host`},
		{"link-local address", []string{"--address", "fe80::1"}, `--address "fe80::1": a link-local address, which hosts behind a router cannot reach; write a global address`},
		{"address with a zone", []string{"--address", "fe80::1%eth0"}, `--address "fe80::1%eth0": an address with a zone, which only this host understands; write a global address`},
		{"mapped address", []string{"--address", "::ffff:10.0.0.2"}, `--address "::ffff:10.0.0.2": an IPv4 address mapped into IPv6; write 10.0.0.2`},
		{"IPv6 address twice", []string{"--address", "fd00::2", "--address", "FD00:0::2"}, `--address "FD00:0::2": given twice`},
		{"address twice", []string{"--address", "10.0.0.2", "--address", "10.0.0.2"}, `--address "10.0.0.2": given twice`},
		{"NF type twice", []string{"--nf-type", "ids", "--nf-type", "ids"}, `--nf-type "ids": given twice`},
		{"NF type without a name", []string{"--nf-type", "ids", "--nf-type="}, `--nf-type "": not of 1 to 31 characters`},
		{"policyd without a port", []string{"--policyd", "policyd1"}, `--policyd "policyd1": not of the form ADDRESS:PORT`},
		{"policyd without an address", []string{"--policyd", ":7400"}, `--policyd ":7400": no address`},
		{"one of several policyds", []string{"--policyd", "10.0.0.1:7400,policyd2"}, `--policyd "policyd2": not of the form ADDRESS:PORT`},
		{"policyd's port", []string{"--policyd", "policyd1:http"}, `--policyd "policyd1:http": port "http" is not from 1 to 65535`},
		{"NF", []string{"--nf", "mirror:ids0"}, `--nf "mirror:ids0": want inline, none, tap:DEVICE or redirect:IN,OUT`},
		{"NF without a device", []string{"--nf", "tap"}, `--nf "tap": want inline, none, tap:DEVICE or redirect:IN,OUT`},
		{"NF with a strange device", []string{"--nf", "tap:a/b"}, `--nf "tap:a/b": "a/b" is not the name of a network device; ip link lists them`},
		{"a probe by a name", []string{"--nf-probe", "ping"}, `--nf-probe "ping": not an absolute path`},
		{"more than all", []string{"--too-busy", "101"}, `--too-busy 101: not from 0 to 100`},
		{"NF's state by a name", []string{"--nf-state", "nf-state"}, `--nf-state "nf-state": not an absolute path`},
		{"peer address", []string{"--peer-listen", "7300"}, `--peer-listen "7300": not of the form ADDRESS:PORT`},
		{"peer port", []string{"--peer-listen", "[::]:0"}, `--peer-listen "[::]:0": not of the form ADDRESS:PORT`},
		{"log level", []string{"--log-level", "loud"}, `--log-level "loud": not debug, info, warn or error`},
		{"log format", []string{"--log-format", "xml"}, `--log-format "xml": want text or json`},
		{"metrics", []string{"--metrics", "7302"}, `--metrics "7302": want ADDRESS:PORT, or nothing for no metrics`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out, stderr bytes.Buffer
			args := append([]string{"agentd", "--name", "mb1"}, test.args...)
			if status := start(t.Context(), args, &out, &stderr, agenttest.NewModule()); status != 2 {
				t.Errorf("exit status %d, want 2", status)
			}
			want := "agentd: " + test.want + "\nRun 'agentd --help' for usage.\n"
			if diff := cmp.Diff(want, stderr.String()); diff != "" {
				t.Errorf("stderr (-want +got):\n%s", diff)
			}
			if out.Len() != 0 {
				t.Errorf("stdout: %s", &out)
			}
		})
	}
}

// An empty MBCHAIN_ADDRESS was an address that cannot be read, an empty
// MBCHAIN_NF_TYPE an NF type that policyd refuses.
func TestEmptyVariablesSayNothing(t *testing.T) {
	t.Setenv("MBCHAIN_ADDRESS", "")
	t.Setenv("MBCHAIN_NF_TYPE", "")
	t.Setenv("MBCHAIN_NF", "")
	app := &cli.App{Flags: flags(), Action: func(c *cli.Context) error {
		cfg, err := newConfig(c)
		if err == nil && (len(cfg.addresses) > 0 || len(cfg.nfTypes) > 0) {
			t.Errorf("addresses %v, NF types %q, want none", cfg.addresses, cfg.nfTypes)
		}
		return err
	}}
	if err := app.RunContext(t.Context(), []string{"agentd", "--name", "mb1"}); err != nil {
		t.Error(err)
	}
}

func TestHelpHasExamplesAndVersionIsShort(t *testing.T) {
	tests := []struct {
		flag string
		want []string
	}{
		{"--help", []string{"Examples:", "agentd --policyd 10.255.0.100:7400", "MBCHAIN_POLICYD", "Exit status"}},
		{"--version", []string{"agentd version dev\n"}},
	}
	for _, test := range tests {
		t.Run(test.flag, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if status := start(t.Context(), []string{"agentd", test.flag}, &stdout, &stderr, agenttest.NewModule()); status != 0 {
				t.Errorf("exit status %d, want 0: %s", status, &stderr)
			}
			for _, want := range test.want {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("stdout does not contain %q:\n%s", want, &stdout)
				}
			}
		})
	}
}

func TestGlobalAddresses(t *testing.T) {
	var addrs []net.Addr
	for _, s := range []string{
		"127.0.0.1/8", "10.0.0.2/32", "10.1.1.2/30", "::1/128", "fd00::2/128", "fe80::42:acff:fe11:2/64",
		"2001:db8::1/64", "169.254.3.4/16", "10.0.0.2/32", "fd00::2/64",
	} {
		ip, network, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, &net.IPNet{IP: ip, Mask: network.Mask})
	}
	want := []netip.Addr{
		netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.1.1.2"),
		netip.MustParseAddr("fd00::2"), netip.MustParseAddr("2001:db8::1"),
	}
	if diff := cmp.Diff(want, globalAddresses(addrs), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

func TestAddressesOfBothFamilies(t *testing.T) {
	want := []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2"), netip.MustParseAddr("fd00:0:0:1::2")}
	args := []string{"agentd", "--name", "mb1"}
	for _, a := range want {
		args = append(args, "--address", a.String())
	}
	app := &cli.App{Flags: flags(), Action: func(c *cli.Context) error {
		cfg, err := newConfig(c)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, cfg.addresses, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("addresses (-want +got):\n%s", diff)
		}
		return nil
	}}
	if err := app.RunContext(t.Context(), args); err != nil {
		t.Error(err)
	}
}
