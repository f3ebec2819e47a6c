// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mbchain/genl"
)

// narrow is the MTU of a link that became smaller than the rest.
const narrow = 1300

// pathMTU is what the kernel believes of a connection's path.
func pathMTU(t *testing.T, c net.Conn) int {
	t.Helper()
	var info *unix.TCPInfo
	onSocket(t, c.(syscall.Conn), func(fd int) (err error) {
		info, err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err
	})
	return int(info.Pmtu)
}

// linkMTU sets the MTU of the link between hosts i and i+1.
func (r *rig) linkMTU(t *testing.T, i, mtu int) {
	t.Helper()
	r.hosts[i].ip(t, fmt.Sprintf("link set right mtu %d", mtu))
	r.hosts[i+1].ip(t, fmt.Sprintf("link set left mtu %d", mtu))
}

// narrow is what ip does at host i to give the way to the next one an MTU.
func (r *rig) narrow(i, mtu int) string {
	return fmt.Sprintf("route change %s mtu %d", way(r.hosts[i+1], r.link(i+1, 2), r.hosts[i]), mtu)
}

// offloads turns those of all links "on" or "off".
func (r *rig) offloads(t *testing.T, state string) {
	t.Helper()
	for i, h := range r.hosts {
		if i > 0 {
			h.offloads(t, "left", state)
		}
		if i < len(r.hosts)-1 {
			h.offloads(t, "right", state)
		}
	}
}

// plain makes a host a router that knows nothing of chains.
func plain(t *testing.T, h *host) {
	t.Helper()
	if err := h.module.SetKeys(t.Context(), nil); err != nil {
		t.Fatalf("take keys of %s away: %v", h.name, err)
	}
}

// A link becomes narrower while connections stand. Both ends learn of it from
// the errors that come back through the chain, and send less.
func TestPathMTUDiscovery(t *testing.T) { eachFamily(t, testPathMTUDiscovery) }

func testPathMTUDiscovery(t *testing.T, f family) {
	rows := []struct {
		name        string
		middleboxes int
		rule        string
		router      int // host that is not of the chain, 0: none
		link        int // that becomes narrower, between this host and the next
		before, mtu int
	}{
		{"between two middleboxes", 2, "{mb1 -> mb2}", 0, 1, 1500, narrow},
		{"at the server", 2, "{mb1 -> mb2}", 0, 2, 1500, narrow},
		{"behind a router between two middleboxes", 3, "{mb1 -> mb3}", 2, 2, 1500, narrow},
		{"before a router between two middleboxes", 3, "{mb1 -> mb3}", 2, 1, 1500, narrow},
		{"jumbo frames between two middleboxes", 2, "{mb1 -> mb2}", 0, 1, 9000, 1500},
	}
	for i, row := range rows {
		for j, state := range []string{"on", "off"} {
			// One of both for each family, unless there is time.
			if (i+j)%2 != int(f.number)/2%2 && !soaking() {
				continue
			}
			t.Run(row.name+", offloads "+state, func(t *testing.T) {
				const port = 5001
				r := newRigOf(t, f, row.middleboxes)
				for i := range r.hosts[1:] {
					r.linkMTU(t, i, row.before)
				}
				r.offloads(t, state)
				r.load(t, "match(dstport=5001) >> "+row.rule+"\n", r.client())
				if row.router > 0 {
					plain(t, r.hosts[row.router])
				}
				e := r.server().echo(t, port)
				c := r.client().connect(t, 0, r.server().port(port))
				talk(t, c, 100) // both ends know each other
				r.linkMTU(t, row.link, row.mtu)
				r.discover(t, e, c, row.mtu)
				if state == "off" {
					r.checkLengths(t, c, row.mtu)
				}
			})
		}
	}
}

// discover moves data both ways, and wants both ends to find the MTU of the
// path.
func (r *rig) discover(t *testing.T, e *echo, c net.Conn, mtu int) {
	t.Helper()
	begun := time.Now()
	n := amount(2 * mib)
	talk(t, c, int(n))
	t.Log("there and back:", rate(2*n, time.Since(begun)))
	ends := map[string]net.Conn{"client": c, "server": e.end(superOf(c).Source)}
	for name, end := range ends {
		if got := pathMTU(t, end); got != mtu {
			t.Errorf("the %s believes in a path MTU of %d, want %d", name, got, mtu)
		}
	}
}

// checkLengths moves data both ways, and wants no packet longer than the MTU of
// the path, nor another error. Devices must not segment.
func (r *rig) checkLengths(t *testing.T, c net.Conn, mtu int) {
	t.Helper()
	taps := []*capture{r.client().capture(t), r.server().capture(t)}
	talk(t, c, 300_000)
	for _, tap := range taps {
		for _, p := range tap.packets(t) {
			if isPathError(p.packet) {
				t.Fatalf("%s still hears of errors: % x", tap.name, p.packet)
			}
			if len(p.packet) > mtu {
				t.Fatalf("a packet of %d bytes at the %s, want %d at most", len(p.packet), tap.name, mtu)
			}
		}
	}
}

// A host that has heard of the MTU of the way to its neighbour answers what is
// too long for it itself: without a router's help, and to its own sockets too.
func TestTooLongForTheNextHop(t *testing.T) { eachFamily(t, testTooLongForTheNextHop) }

func testTooLongForTheNextHop(t *testing.T, f family) {
	const port = 5001
	for i, who := range []string{"client", "mb1"} {
		for _, state := range []string{"on", "off"} {
			t.Run(who+", offloads "+state, func(t *testing.T) {
				r := newRigOf(t, f, 2)
				h := r.hosts[i]
				r.offloads(t, state)
				r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n", r.client())
				r.server().echo(t, port)
				c := r.client().connect(t, 0, r.server().port(port))
				talk(t, c, 100)

				h.ip(t, r.narrow(i, narrow))
				before := h.counters(t)
				talk(t, c, mib)
				if got := pathMTU(t, c); got != narrow {
					t.Errorf("the client believes in a path MTU of %d, want %d", got, narrow)
				}
				risen := h.counters(t).since(before)
				if n := risen[genl.ReasonTooBig.String()]; n == 0 || n > 200 {
					t.Errorf("too_big of %s rose by %d, want a few", h.name, n)
				}
			})
		}
	}
}

// A report of a router lowers the route of the host that sent, and of no other:
// what other hosts hear is about a path beyond their neighbour.
func TestWhoLearnsAnMTU(t *testing.T) { eachFamily(t, testWhoLearnsAnMTU) }

func testWhoLearnsAnMTU(t *testing.T, f family) {
	const port = 5001
	r := newRigOf(t, f, 3)
	client, mbs := r.client(), r.middleboxes()
	r.load(t, "match(dstport=5001) >> {mb1 -> mb3}\n", client)
	plain(t, mbs[1])
	r.server().echo(t, port)
	c := client.connect(t, 0, r.server().port(port))
	talk(t, c, 100)
	r.linkMTU(t, 2, narrow)
	talk(t, c, mib)

	rows := []struct {
		at, to *host
		want   bool
	}{
		{mbs[0], mbs[2], true},
		{client, mbs[0], false},
		{client, r.server(), true}, // the socket's own doing
	}
	for _, row := range rows {
		out := row.at.run(t, "ip", "route", "get", row.to.addr.String())
		if got := strings.Contains(out, fmt.Sprintf("mtu %d", narrow)); got != row.want {
			t.Errorf("%s knows of an MTU of %d to %s: %v, want %v: %s", row.at.name, narrow, row.to.name, got, row.want, out)
		}
	}
}
