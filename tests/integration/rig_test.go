// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"mbchain/genl"
	"mbchain/policy"
)

// rig is a chain of hosts without daemons, in a row like the lab's: client,
// middleboxes, server. Host K from the left, from 1, is 10.8.0.K; its devices
// are called left and right, after where they lead.
type rig struct {
	hosts   []*host
	version uint64 // of the policy loaded last
}

// rigKey signs and verifies on every host of a rig.
var rigKey = genl.Key{ID: 7, Secret: genl.Secret{0: 1, 15: 2}}

// rigSeed makes the instance choice of a rig.
var rigSeed = policy.Seed{0: 3, 15: 4}

// newRig builds a rig with n middleboxes, which goes when the test ends.
func newRig(t *testing.T, n int) *rig {
	t.Helper()
	hint(t)
	names := []string{"rig-client"}
	for i := range n {
		names = append(names, fmt.Sprintf("rig-mb%d", i+1))
	}
	names = append(names, "rig-server")

	r := &rig{}
	for i, name := range names {
		r.hosts = append(r.hosts, addHost(t, name, i+1))
	}
	for i := range len(names) - 1 {
		r.link(t, i)
	}
	for i := range r.hosts {
		r.route(t, i)
	}
	return r
}

// addHost makes a namespace that forwards.
func addHost(t *testing.T, name string, number int) *host {
	t.Helper()
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Fatalf("add host %s: %v: %s", name, err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "delete", name).CombinedOutput(); err != nil {
			t.Errorf("delete host %s: %v: %s", name, err, out)
		}
	})
	addr := netip.AddrFrom4([4]byte{10, 8, 0, byte(number)})
	h, err := newHost(name, addr)
	if err != nil {
		t.Fatalf("add host %s: %v", name, err)
	}
	t.Cleanup(func() { _ = h.module.Close() })
	h.setting(t, "ipv4/ip_forward", "1")
	h.setting(t, "ipv6/conf/all/disable_ipv6", "1")
	h.ip(t, "link set lo up", "addr add "+addr.String()+"/32 dev lo")
	if err := h.module.SetKeys(t.Context(), []genl.Key{rigKey}); err != nil {
		t.Fatalf("add host %s: %v", name, err)
	}
	if err := h.module.SetConfig(t.Context(), genl.Config{CloseTimeout: 100 * time.Millisecond}); err != nil {
		t.Fatalf("add host %s: %v", name, err)
	}
	return h
}

// ip runs commands of the program ip.
func (h *host) ip(t *testing.T, commands ...string) {
	t.Helper()
	h.feed(t, strings.Join(commands, "\n")+"\n", "ip", "-batch", "-")
}

// link joins host i and the next one.
func (r *rig) link(t *testing.T, i int) {
	t.Helper()
	left, right := r.hosts[i], r.hosts[i+1]
	left.ip(t, "link add right type veth peer name left netns "+right.name,
		fmt.Sprintf("addr add 10.8.%d.1/30 dev right", i+1), "link set right up")
	right.ip(t, fmt.Sprintf("addr add 10.8.%d.2/30 dev left", i+1), "link set left up")
}

// route tells host i the way to the others.
func (r *rig) route(t *testing.T, i int) {
	t.Helper()
	var commands []string
	for j, h := range r.hosts {
		switch {
		case j < i:
			commands = append(commands, fmt.Sprintf("route add %s via 10.8.%d.1 src %s", h.addr, i, r.hosts[i].addr))
		case j > i:
			commands = append(commands, fmt.Sprintf("route add %s via 10.8.%d.2 src %s", h.addr, i+1, r.hosts[i].addr))
		}
	}
	r.hosts[i].ip(t, commands...)
}

// attach adds a client beside the first one, linked to the first middlebox.
func (r *rig) attach(t *testing.T) *host {
	t.Helper()
	c, mb := addHost(t, "rig-client2", 100), r.hosts[1]
	c.ip(t, "link add right type veth peer name side netns "+mb.name,
		"addr add 10.8.100.1/30 dev right", "link set right up")
	mb.ip(t, "addr add 10.8.100.2/30 dev side", "link set side up",
		fmt.Sprintf("route add %s via 10.8.100.1 src %s", c.addr, mb.addr))
	for i, h := range r.hosts {
		c.ip(t, fmt.Sprintf("route add %s via 10.8.100.2 src %s", h.addr, c.addr))
		switch {
		case i == 0:
			h.ip(t, fmt.Sprintf("route add %s via 10.8.1.2 src %s", c.addr, h.addr))
		case i > 1:
			h.ip(t, fmt.Sprintf("route add %s via 10.8.%d.1 src %s", c.addr, i, h.addr))
		}
	}
	return c
}

func (r *rig) client() *host { return r.hosts[0] }
func (r *rig) server() *host { return r.hosts[len(r.hosts)-1] }

// middleboxes are the hosts between client and server.
func (r *rig) middleboxes() []*host { return r.hosts[1 : len(r.hosts)-1] }

// types declares each middlebox as the only instance of a type of its name.
func (r *rig) types() string {
	var b strings.Builder
	for _, mb := range r.middleboxes() {
		fmt.Fprintf(&b, "type %s { %s }\n", strings.TrimPrefix(mb.name, "rig-"), mb.addr)
	}
	return b.String()
}

// load makes rules the policy of these hosts; all hosts of the rig without.
func (r *rig) load(t *testing.T, rules string, hosts ...*host) {
	t.Helper()
	p, err := policy.Parse(r.types() + rules)
	if err != nil {
		t.Fatal(err)
	}
	r.version++
	if len(hosts) == 0 {
		hosts = r.hosts
	}
	for _, h := range hosts {
		compiled, err := r.compile(p.Split([]netip.Addr{h.addr}))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.in(func() error { return h.module.LoadPolicy(t.Context(), compiled) }); err != nil {
			t.Fatalf("load policy of %s: %v", h.name, err)
		}
	}
}

func (r *rig) compile(sub *policy.Subpolicy) (*genl.Policy, error) {
	out := &genl.Policy{Version: r.version, Seed: rigSeed}
	for _, nf := range sub.Types {
		converted := genl.Type{Name: nf.Name}
		for _, in := range nf.Instances {
			converted.Instances = append(converted.Instances, genl.Instance{Addr: in.Address, Weight: in.Weight})
		}
		out.Types = append(out.Types, converted)
	}
	for _, rule := range sub.Rules {
		converted := genl.Rule{ID: uint32(rule.Number), OnFailure: genl.OnFailure(rule.OnFailure)}
		for _, nf := range rule.Types {
			converted.Types = append(converted.Types, uint16(nf))
		}
		out.Rules = append(out.Rules, converted)
	}
	for _, h := range r.hosts {
		out.Hosts = append(out.Hosts, h.addr)
	}
	var err error
	out.Programs, err = policy.Compile(sub.Predicates())
	return out, err
}

// hops are the addresses of hosts.
func hops(hosts ...*host) []netip.Addr {
	addrs := make([]netip.Addr, len(hosts))
	for i, h := range hosts {
		addrs[i] = h.addr
	}
	return addrs
}

// chained fails the test unless each of the hosts, and no other of the rig,
// carries the session.
func (r *rig) chained(t *testing.T, s genl.Session, path ...*host) {
	t.Helper()
	for _, h := range r.hosts {
		has := slices.ContainsFunc(h.sessions(t), func(other genl.Session) bool { return other.ID == s.ID })
		if want := slices.Contains(path, h); has != want {
			t.Errorf("%s carries session %v: %v, want %v", h.name, s.Super, has, want)
		}
	}
}
