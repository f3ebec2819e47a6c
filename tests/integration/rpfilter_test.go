// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"slices"
	"testing"
)

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
			h.set(t, "ipv4/conf/"+device+"/rp_filter", "1")
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
