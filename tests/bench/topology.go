// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Hosts, and the addresses of the links between them.
const (
	client = "bench-client"
	middle = "bench-middle"
	server = "bench-server"

	clientAddr    = "10.2.1.2" // on c0
	middleAddr    = "10.2.1.1" // on m0, where the client's packets arrive
	middleOutAddr = "10.2.2.1" // on m1
	serverAddr    = "10.2.2.2" // on s0
	tunnelAddr    = "10.9.0.2" // the server at the end of a tunnel

	clientMAC = "02:00:00:00:01:02"
	middleMAC = "02:00:00:00:01:01"
)

// sh runs a shell script in a namespace.
func sh(namespace, script string) error {
	out, err := exec.Command("ip", "netns", "exec", namespace, "sh", "-ec", script).CombinedOutput()
	if err != nil {
		return fmt.Errorf("run %q in %s: %w: %s", script, namespace, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// topology makes the three hosts and their links, with no module in any.
func topology() error {
	script := `
for h in ` + client + " " + middle + " " + server + `; do
	ip netns del $h 2>/dev/null || true
	ip netns add $h
	ip -n $h link set lo up
done
ip link add c0 netns ` + client + ` address ` + clientMAC + ` type veth peer name m0 netns ` + middle + ` address ` + middleMAC + `
ip link add m1 netns ` + middle + ` address 02:00:00:00:02:01 type veth peer name s0 netns ` + server + ` address 02:00:00:00:02:02
ip -n ` + client + ` addr add ` + clientAddr + `/24 dev c0
ip -n ` + middle + ` addr add ` + middleAddr + `/24 dev m0
ip -n ` + middle + ` addr add ` + middleOutAddr + `/24 dev m1
ip -n ` + server + ` addr add ` + serverAddr + `/24 dev s0
ip -n ` + client + ` link set c0 up
ip -n ` + middle + ` link set m0 up
ip -n ` + middle + ` link set m1 up
ip -n ` + server + ` link set s0 up
ip -n ` + client + ` route add default via ` + middleAddr + `
ip -n ` + server + ` route add default via ` + middleOutAddr + `
ip -n ` + client + ` neigh replace ` + middleAddr + ` lladdr ` + middleMAC + ` dev c0 nud permanent
ip -n ` + middle + ` neigh replace ` + clientAddr + ` lladdr ` + clientMAC + ` dev m0 nud permanent
ip -n ` + middle + ` neigh replace ` + serverAddr + ` lladdr 02:00:00:00:02:02 dev m1 nud permanent
ip -n ` + server + ` neigh replace ` + middleOutAddr + ` lladdr 02:00:00:00:02:01 dev s0 nud permanent
`
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		return fmt.Errorf("make hosts: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return sh(middle, "sysctl -qw net.ipv4.ip_forward=1")
}

// drop makes a device drop whatever it receives, before any protocol sees it.
func drop(namespace, device string) error {
	return sh(namespace, "tc qdisc add dev "+device+" clsact && tc filter add dev "+device+
		" ingress matchall action drop")
}

// insertModule loads the module that tests/vm/run names.
func insertModule() error {
	file := os.Getenv("MBCHAIN_KO")
	if file == "" {
		return fmt.Errorf("load module: MBCHAIN_KO is not set; start with tests/vm/run")
	}
	// insmod, unlike modprobe, brings nothing that the file needs.
	if out, err := exec.Command("modprobe", "nf_defrag_ipv6").CombinedOutput(); err != nil {
		return fmt.Errorf("load what the module needs: %w: %s", err, strings.TrimSpace(string(out)))
	}
	if out, err := exec.Command("insmod", file).CombinedOutput(); err != nil {
		return fmt.Errorf("load module: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
