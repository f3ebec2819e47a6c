// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A client that runs no agent is behind a host whose agent makes it a gateway: its
// connections and its datagrams are chained, and mbctl shows where it stands.
func TestGatewayOfTheLab(t *testing.T) {
	l := useLab(t)
	l.apply(t, fmt.Sprintf("match(dstport=53 | dstport=5001) >> %s\n", l.chain(2)))
	clients := map[string]*lab{ipv4.name: l.behind(t, ipv4), ipv6.name: l.behind(t, ipv6)}
	eachFamily(t, func(t *testing.T, f family) {
		of := clients[f.name]
		of.server().echo(t, 5001)
		c := of.client().connect(t, 0, of.server().port(5001))
		talk(t, c, 1000)
		if got := l.client().info(t).Sessions; got != 0 {
			t.Errorf("%s carries %d sessions of others, want none: it is no gateway yet", l.client().name, got)
		}
	})

	name := l.client().name
	restart := func(t *testing.T, args ...string) {
		l.run(t, "agent", name, "stop")
		l.run(t, append([]string{"agent", name, "start"}, args...)...)
	}
	restart(t, "--gateway")
	t.Cleanup(func() { restart(t) })
	l.awaitPolicy(t)
	eachFamily(t, func(t *testing.T, f family) {
		of := clients[f.name]
		t.Cleanup(func() { l.forget(t) })
		e := of.server().echo(t, 5001)
		c := of.client().connect(t, 0, of.server().port(5001))
		talk(t, c, 1_000_000)
		if !e.has(superOf(c).Source) {
			t.Errorf("the server does not know the client as %v", superOf(c).Source)
		}
		of.serveNames(t)
		const port = 40070
		eventually(t, soon, func() error { return of.ask(port, patient) })
		of.checkGateway(t, "in-band", fmt.Sprintf("proto=tcp & srcip=%v", of.client().addr))
		of.checkGateway(t, "out-of-band", fmt.Sprintf("proto=udp & srcip=%v", of.client().addr))
	})
}

// behind is the lab as a client sees it that is behind the first host and runs no
// agent. All hosts get to know the way to it.
func (l *lab) behind(t *testing.T, f family) *lab {
	t.Helper()
	of := l.of(f)
	links := labLinks[f.name]
	name := "behind" + f.nft
	client := addHosts(t, f, 200, name)[0]
	gateway := of.hosts[0].host
	gateway.set(t, "ipv4/ip_forward", "1")
	gateway.set(t, "ipv6/conf/all/forwarding", "1")
	client.ip(t, "link add right type veth peer name "+name+" netns "+gateway.name,
		fmt.Sprintf("addr add %s dev right%s", f.link(200, 1), f.atOnce), "link set right up")
	gateway.ip(t, fmt.Sprintf("addr add %s dev %s%s", f.link(200, 2), name, f.atOnce), "link set "+name+" up",
		"route add "+way(client, f.link(200, 1), gateway))
	t.Cleanup(func() { gateway.ip(t, "link delete "+name) })
	for i, h := range of.hosts {
		client.ip(t, "route add "+way(h.host, f.link(200, 2), client))
		if i == 0 {
			continue
		}
		h.ip(t, fmt.Sprintf("route add %s via %s src %s", client.addr, fmt.Sprintf(links, i), h.addr))
		t.Cleanup(func() {
			h.run(t, "ip", "route", "delete", fmt.Sprintf("%s/%d", client.addr, f.hostBits))
		})
	}
	of.hosts[0].host = client
	return of
}

// labLinks are the addresses of the left ends of the lab's links.
var labLinks = map[string]string{ipv4.name: "10.1.%d.1", ipv6.name: "fd00:0:0:%x::1"}

// checkGateway checks what mbctl shows of the session that a predicate matches.
func (l *lab) checkGateway(t *testing.T, setup, match string) {
	t.Helper()
	type place struct {
		Name, Address, Role string
		Gateway, Reported   bool
	}
	var shown struct {
		Session struct {
			Setup    string
			Complete bool
			Hosts    []place
		}
	}
	l.mbctl(t, &shown, "session", "show", "--match", match)
	got := shown.Session
	if got.Setup != setup || !got.Complete {
		t.Errorf("the session of %s is set up %s, complete: %v; want %s and complete", match, got.Setup, got.Complete, setup)
	}
	want := []place{{Address: l.client().addr.String(), Role: "client"}}
	real := theLab.lab.of(map[bool]family{true: ipv6, false: ipv4}[l.client().addr.Is6()]).all()
	for i, h := range append(real[:3:3], real[len(real)-1]) {
		want = append(want, place{h.name, h.addr.String(), "middle", i == 0, true})
	}
	want[len(want)-1].Role = "server"
	if diff := cmp.Diff(want, got.Hosts); diff != "" {
		t.Errorf("hosts of the session of %s (-want +got):\n%s", match, diff)
	}
}
