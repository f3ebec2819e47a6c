// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mbchain/genl"
)

// nextPort is the same end with another port.
func nextPort(end netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(end.Addr(), end.Port()^1)
}

// sensitive makes a connection report every error, also those that TCP would
// rather wait about.
func sensitive(t *testing.T, f family, c *net.TCPConn) {
	t.Helper()
	level, option := unix.IPPROTO_IP, unix.IP_RECVERR
	if f.number == 6 {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	}
	onSocket(t, c, func(fd int) error { return unix.SetsockoptInt(fd, level, option, 1) })
}

// wantError writes to a connection and wants this error.
func wantError(t *testing.T, c *net.TCPConn, want syscall.Errno) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(late)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("anybody there?")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, want) {
		t.Errorf("read: %v, want %v", err, want)
	}
}

// A firewall on a middlebox that rejects a connection tells the client so.
func TestRejectedConnection(t *testing.T) { eachFamily(t, testRejectedConnection) }

func testRejectedConnection(t *testing.T, f family) {
	const port = 5001
	r := newRigOf(t, f, 2)
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n", r.client())
	r.server().echo(t, port)
	for reply, want := range map[string]syscall.Errno{
		"port-unreachable": unix.ECONNREFUSED,
		"host-unreachable": unix.EHOSTUNREACH,
	} {
		for _, mb := range r.middleboxes() {
			t.Run(reply+" at "+mb.name, func(t *testing.T) {
				mb.nft(t, "firewall", `chain c {
					type filter hook forward priority 0
					tcp dport 5001 reject with icmpx type `+reply+`
				}`)
				ctx, cancel := context.WithTimeout(t.Context(), soon)
				defer cancel()
				c, err := r.client().dial(ctx, r.client().port(0), r.server().port(port))
				if err == nil {
					_ = c.Close()
				}
				if !errors.Is(err, want) {
					t.Errorf("connect: %v, want %v", err, want)
				}
			})
		}
	}
}

// A router without a global address of its own reports from a link-local one.
// Nobody would forward that.
func TestErrorOfALinkLocalRouter(t *testing.T) {
	const port = 5001
	r := newRigOf(t, ipv6, 2)
	mbs := r.middleboxes()
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n", r.client())
	r.server().echo(t, port)
	c := r.client().connect(t, 0, r.server().port(port))
	talk(t, c, 1000)
	m := trouble{from: netip.MustParseAddr("fe80::77"), kind: 1, quote: quoted{tuple: mbs[0].session(t, superOf(c)).Right.Tuple}.bytes()}
	m.to = packet(m.quote).source()
	heard := r.client().counters(t)
	if err := mbs[1].send(m.packet()); err != nil {
		t.Fatal(err)
	}
	r.client().awaitCounter(t, heard, genl.ReasonICMPIn, 1)
}

// What goes wrong in the middle of a connection reaches its socket too, from
// whichever direction.
func TestErrorsInMidConnection(t *testing.T) { eachFamily(t, testErrorsInMidConnection) }

func testErrorsInMidConnection(t *testing.T, f family) {
	const port = 5001
	reject := func(what string) func(*testing.T, *rig, *net.TCPConn) {
		return func(t *testing.T, r *rig, _ *net.TCPConn) {
			r.middleboxes()[1].nft(t, "firewall", "chain c { type filter hook forward priority 0; "+what+
				" 5001 meta length > 60 reject with icmpx type host-unreachable; }")
		}
	}
	rows := []struct {
		name   string
		server bool // the server hears of it
		spoil  func(*testing.T, *rig, *net.TCPConn)
	}{
		{"rejected by the second middlebox", false, reject("tcp dport")},
		{"rejected on its way to the client", true, reject("tcp sport")},
		{"its TTL ends at the second middlebox", false, func(t *testing.T, _ *rig, c *net.TCPConn) {
			level, option := unix.IPPROTO_IP, unix.IP_TTL
			if f.number == 6 {
				level, option = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
			}
			onSocket(t, c, func(fd int) error { return unix.SetsockoptInt(fd, level, option, 2) })
		}},
		{"the second middlebox does not reach the server", false, func(t *testing.T, r *rig, _ *net.TCPConn) {
			deafen(t, f, r.middleboxes()[1], "right", r.server(), "left")
		}},
		{"the client does not reach the first middlebox", false, func(t *testing.T, r *rig, _ *net.TCPConn) {
			deafen(t, f, r.client(), "right", r.middleboxes()[0], "left")
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := newRigOf(t, f, 2)
			r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n", r.client())
			e := r.server().echo(t, port)
			c := r.client().connect(t, 0, r.server().port(port))
			talk(t, c, 1000)
			row.spoil(t, r, c)
			if row.server {
				// What it sends back is what does not arrive.
				other := e.end(superOf(c).Source).(*net.TCPConn)
				sensitive(t, f, other)
				if _, err := c.Write([]byte("a question to be answered")); err != nil {
					t.Fatal(err)
				}
				r.server().awaitCounter(t, counters{}, genl.ReasonICMPIn, 1)
				return
			}
			sensitive(t, f, c)
			wantError(t, c, unix.EHOSTUNREACH)
		})
	}
}

// deafen makes a neighbour silent, so that a host finds out that it is not
// there any more.
func deafen(t *testing.T, f family, h *host, device string, neighbour *host, its string) {
	t.Helper()
	h.set(t, "ip"+strings.ToLower(f.name)[2:]+"/neigh/"+device+"/retrans_time_ms", "200")
	neighbour.run(t, "tc", "qdisc", "add", "dev", its, "clsact")
	neighbour.run(t, "tc", "filter", "add", "dev", its, "ingress", "matchall", "action", "drop")
	h.run(t, "ip", "neigh", "flush", "dev", device)
}
