// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
)

// Hosts, and both ends of the links between them.
const (
	client = "bench-client"
	middle = "bench-middle"
	server = "bench-server"
)

// nic is a device of a host, and the one it is connected to.
type nic struct {
	host, name string
	mac, peer  net.HardwareAddr
}

var (
	c0 = nic{client, "c0", net.HardwareAddr{2, 0, 0, 0, 1, 2}, net.HardwareAddr{2, 0, 0, 0, 1, 1}}
	m0 = nic{middle, "m0", c0.peer, c0.mac}
	m1 = nic{middle, "m1", net.HardwareAddr{2, 0, 0, 0, 2, 1}, net.HardwareAddr{2, 0, 0, 0, 2, 2}}
	s0 = nic{server, "s0", m1.peer, m1.mac}
)

// topology makes the three hosts and their links anew. Nobody has to ask for a
// neighbour or announces itself: the only packets are those that are meant.
func topology() error {
	for _, h := range []string{client, middle, server} {
		if _, err := os.Stat("/run/netns/" + h); err == nil {
			if err := command("ip", "netns", "del", h); err != nil {
				return err
			}
		}
		if err := command("ip", "netns", "add", h); err != nil {
			return err
		}
		if err := sysctl(h, "net/ipv6/conf/default/accept_dad", "0",
			"net/ipv6/conf/default/router_solicitations", "0",
			"net/ipv6/conf/default/addr_gen_mode", "1"); err != nil {
			return err
		}
	}
	if err := links(); err != nil {
		return fmt.Errorf("make links: %w", err)
	}
	for _, n := range []nic{c0, m0, m1, s0} {
		if err := n.configure(); err != nil {
			return err
		}
	}
	return sysctl(middle, "net/ipv4/ip_forward", "1", "net/ipv6/conf/all/forwarding", "1")
}

func links() error {
	var b strings.Builder
	for _, l := range [][2]nic{{c0, m0}, {m1, s0}} {
		fmt.Fprintf(&b, "link add %s netns %s address %s type veth peer name %s netns %s address %s\n",
			l[0].name, l[0].host, l[0].mac, l[1].name, l[1].host, l[1].mac)
	}
	return ip(b.String())
}

// configure gives a device its addresses and its neighbour's.
func (n nic) configure() error {
	var b strings.Builder
	fmt.Fprintf(&b, "link set lo up\nlink set %s up\n", n.name)
	for _, f := range families {
		own, peer, bits := f.ends(n)
		fmt.Fprintf(&b, "addr add %s/%d dev %s\n", own, bits, n.name)
		fmt.Fprintf(&b, "neigh replace %s lladdr %s dev %s nud permanent\n", peer, n.peer, n.name)
		switch n.host {
		case client:
			// So that a client may send much before it is answered.
			fmt.Fprintf(&b, "route add default via %s initcwnd 64\n", peer)
		case server:
			fmt.Fprintf(&b, "route add default via %s\n", peer)
		}
	}
	if err := ip(b.String(), "-n", n.host); err != nil {
		return fmt.Errorf("configure %s: %w", n.name, err)
	}
	return nil
}

// ip runs many commands of ip at once: to start a program takes the guest as
// long as hundreds of packets.
func ip(commands string, options ...string) error {
	cmd := exec.Command("ip", append(options, "-batch", "-")...)
	cmd.Stdin = strings.NewReader(commands)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run ip: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// drop makes a device drop whatever it receives, before any protocol sees it.
func (n nic) drop() error {
	return sh(n.host, "tc qdisc add dev "+n.name+" clsact && tc filter add dev "+n.name+
		" ingress matchall action drop")
}

// insertModule loads the module that tests/vm/run names.
func insertModule() error {
	file := os.Getenv("MBCHAIN_KO")
	if file == "" {
		return fmt.Errorf("load module: MBCHAIN_KO is not set; start with tests/vm/run")
	}
	// insmod, unlike modprobe, brings nothing that the file needs.
	if err := command("modprobe", "nf_defrag_ipv6"); err != nil {
		return err
	}
	return command("insmod", file)
}
