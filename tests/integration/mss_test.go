// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"slices"
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
	client, server := r.client(), r.server()
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n")
	mbs := r.middleboxes()
	mbs[0].ip(t, "link set right mtu 1300")
	mbs[1].ip(t, "link set left mtu 1300")
	server.echo(t, port)

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
}

// The order of a chain is the policy's, not the wires': here packets come from
// where no route to their source leads, and reverse path filtering is strict.
func TestReversePathFilter(t *testing.T) {
	const port = 5001
	r := newRig(t, 3)
	client, server, mbs := r.client(), r.server(), r.middleboxes()
	r.load(t, "match(dstport=5001) >> {mb3 -> mb1 -> mb2}\n")
	for _, h := range r.hosts {
		for _, device := range []string{"all", "default", "left", "right"} {
			if h == client && device == "left" || h == server && device == "right" {
				continue
			}
			h.setting(t, "ipv4/conf/"+device+"/rp_filter", "1")
		}
	}
	server.echo(t, port)
	c := client.connect(t, 0, server.port(port))
	talk(t, c, mib)
	s := client.session(t, superOf(c))
	want := hops(mbs[2], mbs[0], mbs[1], server)
	if !slices.Equal(s.Hops, want) {
		t.Errorf("hops are %v, want %v", s.Hops, want)
	}
	r.chained(t, s, r.hosts...)
}
