// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// isPathError says whether a packet tells that another one was too big, or did
// not arrive.
func isPathError(p packet) bool {
	switch p.protocol() {
	case unix.IPPROTO_ICMP:
		return true
	case unix.IPPROTO_ICMPV6:
		return p[ipv6HeaderLen] < 128 // the rest finds neighbours
	}
	return false
}

// A link in the middle with a smaller MTU: neither end is told by ICMP, as the
// MSS that each hears is small enough.
func TestMSSIsClampedPerHop(t *testing.T) { eachFamily(t, testMSSIsClampedPerHop) }

func testMSSIsClampedPerHop(t *testing.T, f family) {
	const (
		port = 5001
		mtu  = 1300
	)
	r := newRigOf(t, f, 2)
	client, server, mbs := r.client(), r.server(), r.middleboxes()
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n")
	mbs[0].ip(t, "link set right mtu 1300")
	mbs[1].ip(t, "link set left mtu 1300")
	server.echo(t, port)

	for _, state := range []string{"on", "off"} {
		t.Run("offloads "+state, func(t *testing.T) {
			for i, h := range r.hosts {
				if i > 0 {
					h.offloads(t, "left", state)
				}
				if i < len(r.hosts)-1 {
					h.offloads(t, "right", state)
				}
			}
			first, last := client.capture(t), server.capture(t)
			begun := time.Now()
			c := client.connect(t, 0, server.port(port))
			n := amount(4 * mib)
			talk(t, c, int(n))
			t.Log("there and back:", rate(2*n, time.Since(begun)))

			rows := []struct {
				name string
				syn  packet
				want uint16
			}{
				{"SYN at the client", findSYN(t, first, mbs[0].addr), uint16(1480 - f.header)},
				{"SYN at the server", findSYN(t, last, server.addr), uint16(mtu - 20 - f.header)},
				{"SYN-ACK at the server", findSYNACK(t, last), uint16(1480 - f.header)},
				{"SYN-ACK at the client", findSYNACK(t, first), uint16(mtu - 20 - f.header)},
			}
			for _, row := range rows {
				if got := row.syn.mss(); got != row.want {
					t.Errorf("%s has MSS %d, want %d", row.name, got, row.want)
				}
			}
			for _, tap := range []*capture{first, last} {
				for _, p := range tap.kept {
					if isPathError(p.packet) {
						t.Errorf("an ICMP message came by %s: % x", tap.name, p.packet)
					}
				}
			}
		})
	}
}
