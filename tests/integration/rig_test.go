// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mbchain/genl"
	"mbchain/policy"
)

// rig is a chain of hosts without daemons, in a row like the lab's: client,
// middleboxes, server, with addresses of one family. Their devices are called
// left and right, after where they lead.
type rig struct {
	family
	hosts   []*host
	agents  []*host // those that policies say run mbchain
	version uint64  // of the policy loaded last
}

// rigKey signs and verifies on every host of a rig.
var rigKey = genl.Key{ID: 7, Secret: genl.Secret{0: 1, 15: 2}}

// rigSeed makes the instance choice of a rig.
var rigSeed = policy.Seed{0: 3, 15: 4}

// newRig builds a rig for IPv4 with n middleboxes, which goes when the test
// ends.
func newRig(t *testing.T, n int) *rig {
	t.Helper()
	return newRigOf(t, ipv4, n)
}

// newRigOf is newRig for a family.
func newRigOf(t *testing.T, f family, n int) *rig {
	t.Helper()
	hint(t)
	names := []string{"rig-client"}
	for i := range n {
		names = append(names, fmt.Sprintf("rig-mb%d", i+1))
	}
	names = append(names, "rig-server")
	r := &rig{family: f, hosts: addHosts(t, f, 1, names...)}
	r.agents = r.hosts
	for i, h := range r.hosts {
		h.ip(t, r.wiring(i)...)
		if i > 0 {
			h.fifo(t, "left")
			r.hosts[i-1].fifo(t, "right")
		}
	}
	return r
}

// wiring joins host i to its neighbours, of which the left one has done its
// part, and tells it the way to all others.
func (r *rig) wiring(i int) []string {
	var commands []string
	if i > 0 {
		commands = append(commands, fmt.Sprintf("addr add %s dev left", r.link(i, 2)), "link set left up")
	}
	if i < len(r.hosts)-1 {
		commands = append(commands, "link add right type veth peer name left netns "+r.hosts[i+1].name,
			fmt.Sprintf("addr add %s dev right", r.link(i+1, 1)), "link set right up")
	}
	return append(commands, r.ways(i, "add")...)
}

// ways is what ip does to "add" or "replace" the routes of host i to all others.
func (r *rig) ways(i int, how string) (commands []string) {
	for j, other := range r.hosts {
		switch {
		case j < i:
			commands = append(commands, "route "+how+" "+way(other, r.link(i, 1), r.hosts[i]))
		case j > i:
			commands = append(commands, "route "+how+" "+way(other, r.link(i+1, 2), r.hosts[i]))
		}
	}
	return commands
}

// way is how a host is reached, which is spoken to from another's address.
func way(to *host, via netip.Prefix, from *host) string {
	return fmt.Sprintf("%s via %s src %s", to.addr, via.Addr(), from.addr)
}

// addHosts makes namespaces that forward, with addresses of a family.
func addHosts(t *testing.T, f family, first int, names ...string) []*host {
	t.Helper()
	for _, name := range names {
		if err := addNamespace(name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := deleteNamespace(name); err != nil {
				t.Error(err)
			}
		})
	}
	var hosts []*host
	for i, name := range names {
		hosts = append(hosts, addHost(t, f, name, first+i))
	}
	return hosts
}

// addHost makes host K of a new namespace.
func addHost(t *testing.T, f family, name string, k int) *host {
	t.Helper()
	h, err := newHost(name, f.host(k))
	if err != nil {
		t.Fatalf("add host %s: %v", name, err)
	}
	t.Cleanup(func() { _ = h.module.Close() })
	h.set(t, "ipv4/ip_forward", "1")
	h.set(t, "ipv6/conf/all/forwarding", "1")
	// Addresses are good at once; the devices are still to come.
	for _, which := range []string{"all", "default"} {
		h.set(t, "ipv6/conf/"+which+"/accept_dad", "0")
	}
	h.ip(t, "link set lo up", fmt.Sprintf("addr add %s/%d dev lo%s", h.addr, f.hostBits, f.atOnce))
	if err := h.module.SetKeys(t.Context(), []genl.Key{rigKey}); err != nil {
		t.Fatalf("add host %s: %v", name, err)
	}
	if err := h.module.SetConfig(t.Context(), genl.Config{CloseTimeout: 100 * time.Millisecond}); err != nil {
		t.Fatalf("add host %s: %v", name, err)
	}
	return h
}

// attach adds a client beside the first one, linked to the first middlebox.
func (r *rig) attach(t *testing.T) *host {
	t.Helper()
	const side = 100 // number of the link
	c, mb := addHosts(t, r.family, 100, "rig-client2")[0], r.hosts[1]
	c.ip(t, "link add right type veth peer name side netns "+mb.name)
	r.attachBy(t, c, side, "right", "side")
	c.fifo(t, "right")
	mb.fifo(t, "side")
	for i, h := range r.hosts {
		switch {
		case i == 0:
			h.ip(t, "route add "+way(c, r.link(1, 2), h))
		case i > 1:
			h.ip(t, "route add "+way(c, r.link(i, 1), h))
		}
	}
	return c
}

// attachBy has the client that attach made, and the first middlebox, speak to each
// other by these devices from now on; the link gets a number of its own.
func (r *rig) attachBy(t *testing.T, c *host, number int, from, to string) {
	t.Helper()
	mb := r.hosts[1]
	c.ip(t, fmt.Sprintf("addr add %s dev %s", r.link(number, 1), from), "link set "+from+" up")
	mb.ip(t, fmt.Sprintf("addr add %s dev %s", r.link(number, 2), to), "link set "+to+" up",
		"route replace "+way(c, r.link(number, 1), mb))
	for _, h := range r.hosts {
		c.ip(t, "route replace "+way(h, r.link(number, 2), c))
	}
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
	if len(hosts) == 0 {
		hosts = r.hosts
	}
	r.version++
	for _, h := range hosts {
		r.give(t, rules, h, h)
	}
}

// loadGateway makes rules the policy of a gateway, for its own sessions and those
// of clients behind it, until the test ends.
func (r *rig) loadGateway(t *testing.T, rules string, gateway *host, clients ...*host) {
	t.Helper()
	gateway.configure(t, genl.Config{Gateway: new(true)})
	r.version++
	r.give(t, rules, gateway, append(clients, gateway)...)
}

// give loads the rules that hold for sessions of these clients into the module
// of h.
func (r *rig) give(t *testing.T, rules string, h *host, clients ...*host) {
	t.Helper()
	p, err := policy.Parse(r.types() + rules)
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := r.compile(p.Split(hops(clients...)))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.module.LoadPolicy(t.Context(), compiled); err != nil {
		t.Fatalf("load policy of %s: %v", h.name, err)
	}
}

func (r *rig) compile(sub *policy.Subpolicy) (*genl.Policy, error) {
	out := &genl.Policy{Version: r.version, Seed: rigSeed}
	for _, nf := range sub.Types {
		converted := genl.Type{Name: nf.Name, Choice: genl.Choice(nf.Choose)}
		for _, in := range nf.Instances {
			converted.Instances = append(converted.Instances, genl.Instance{Addr: in.Address, Addr6: in.Address6, Weight: in.Weight})
		}
		out.Types = append(out.Types, converted)
	}
	for _, rule := range sub.Rules {
		converted := genl.Rule{ID: uint32(rule.Number), OnFailure: genl.OnFailure(rule.OnFailure), Setup: genl.SetupWay(rule.SetUp)}
		for _, nf := range rule.Types {
			converted.Types = append(converted.Types, uint16(nf))
		}
		out.Rules = append(out.Rules, converted)
	}
	for _, h := range r.agents {
		out.Hosts = append(out.Hosts, h.addr)
	}
	predicates := sub.Predicates()
	var err error
	if out.Programs, err = policy.Compile(predicates); err != nil {
		return nil, err
	}
	out.Programs6, err = policy.Compile6(predicates)
	return out, err
}

// guard makes a host stop what rules that are required do not let in.
func (r *rig) guard(t *testing.T, rules string, h *host) {
	t.Helper()
	p, err := policy.Parse(r.types() + rules)
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := r.compile(p.Split(hops(h)))
	if err != nil {
		t.Fatal(err)
	}
	var predicates []policy.Predicate
	for _, g := range p.Guards(hops(h)) {
		compiled.Guards = append(compiled.Guards, genl.Guard{ID: uint32(g.Number), Required: g.Required})
		predicates = append(predicates, g.Predicate)
	}
	if compiled.GuardPrograms, err = policy.Compile(predicates); err == nil {
		compiled.GuardPrograms6, err = policy.Compile6(predicates)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := h.module.LoadPolicy(t.Context(), compiled); err != nil {
		t.Fatalf("load guards of %s: %v", h.name, err)
	}
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
	chained(t, r.hosts, s, path)
}
