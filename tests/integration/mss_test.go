// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"
	"time"
)

// A link in the middle with a smaller MTU: neither end is told by ICMP, as the
// MSS that each hears is small enough.
func TestMSSIsClampedPerHop(t *testing.T) {
	const (
		port = 5001
		mtu  = 1300
	)
	r := newRig(t, 2)
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
			talk(t, c, 4*mib)
			t.Log("there and back:", rate(8*mib, time.Since(begun)))

			rows := []struct {
				name string
				syn  packet
				want uint16
			}{
				{"SYN at the client", findSYN(t, first, mbs[0].addr), 1460},
				{"SYN at the server", findSYN(t, last, server.addr), mtu - 40},
				{"SYN-ACK at the server", findSYNACK(t, last), 1460},
				{"SYN-ACK at the client", findSYNACK(t, first), mtu - 40},
			}
			for _, row := range rows {
				if got := row.syn.mss(); got != row.want {
					t.Errorf("%s has MSS %d, want %d", row.name, got, row.want)
				}
			}
			for _, tap := range []*capture{first, last} {
				for _, p := range tap.kept {
					if p.packet[9] == 1 {
						t.Errorf("an ICMP message came by %s: % x", tap.name, p.packet)
					}
				}
			}
		})
	}
}
