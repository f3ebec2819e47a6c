// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os/exec"
	"strings"
	"testing"
)

// loadBridgeNetfilter has bridges able to show their frames to the hooks of IP, as
// those of hosts with Docker or libvirt do: net.bridge.bridge-nf-call-iptables.
func loadBridgeNetfilter(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("modprobe", "br_netfilter").CombinedOutput(); err != nil {
		t.Fatalf("load br_netfilter: %v: %s", err, out)
	}
}

// What only crosses a bridge of a host is none of its own, though br_netfilter,
// which Docker and libvirt load, shows it to the module.
func TestBridgedTrafficIsUntouched(t *testing.T) {
	const port = 5001
	hint(t)
	loadBridgeNetfilter(t)
	hosts := addHosts(t, ipv4, 1, "rig-client", "rig-mb1", "rig-server")
	client, bridge, server := hosts[0], hosts[1], hosts[2]
	bridge.ip(t, "link add br0 type bridge", "link set br0 up")
	for _, h := range []*host{client, server} {
		h.ip(t, "link add eth type veth peer name "+h.name+" netns "+bridge.name, "link set eth up")
		bridge.ip(t, "link set "+h.name+" master br0 up")
	}
	client.ip(t, "route add "+server.addr.String()+" dev eth src "+client.addr.String())
	server.ip(t, "route add "+client.addr.String()+" dev eth src "+server.addr.String())
	bridge.set(t, "bridge/bridge-nf-call-iptables", "1")
	bridge.nft(t, "witness", "counter shown { }\nchain c { type filter hook postrouting priority 0; tcp dport 5001 counter name shown; }")
	r := &rig{family: ipv4, hosts: hosts, agents: hosts}
	// Its own connections would be blocked: it is the chain's only host.
	r.load(t, "match(dstport=5001) >> {mb1}\n", bridge)

	server.echo(t, port)
	before := bridge.counters(t)
	c := client.connect(t, 0, server.port(port))
	talk(t, c, 100_000)
	if got := bridge.counters(t).since(before); len(got) > 0 {
		t.Errorf("counters of the bridge rose by %v, want none", got)
	}
	if out := bridge.run(t, "nft", "list", "counters", "table", "inet", "witness"); strings.Contains(out, "packets 0 ") {
		t.Errorf("the bridge shows its frames to nobody, so this says nothing: %s", out)
	}
}
