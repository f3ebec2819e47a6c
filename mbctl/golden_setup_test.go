// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"mbchain/proto"
)

// TestGoldenSetup is TestGolden for what tells how sessions were set up.
func TestGoldenSetup(t *testing.T) {
	only := func(parts ...[]*proto.Session) func(*fake, *testWorld) {
		return func(f *fake, _ *testWorld) {
			f.sessions = &proto.ListSessionsResponse{}
			for _, p := range parts {
				f.sessions.Sessions = append(f.sessions.Sessions, p...)
			}
		}
	}
	const outOfBand, waiting, blocked, bypassed, inBand = "out-of-band", "waiting", "blocked", "bypassed", "in-band"
	testGolden(t, lab, []goldenTest{
		{name: "session_list_setup", line: "session  list", set: only(
			webSession(0x3f), datagrams(0x11, outOfBand, outOfBand), datagrams(0x12, inBand, outOfBand),
			datagrams(0x13, waiting, ""), datagrams(0x14, blocked, ""), datagrams(0x15, bypassed, ""), oldSession(0x3e))},
		{name: "session_list_setup_match", line: "session  list  --match  proto=udp", set: only(webSession(0x3f), datagrams(0x11, outOfBand, outOfBand))},
		{name: "session_show_udp", line: "session  show", set: only(datagrams(0x11, outOfBand, outOfBand))},
		{name: "session_show_udp_json", line: "session  show  --json", set: only(datagrams(0x11, outOfBand, outOfBand))},
		{name: "session_show_two_ways", line: "session  show", set: only(datagrams(0x12, inBand, outOfBand))},
		{name: "session_show_waiting", line: "session  show", set: only(datagrams(0x13, waiting, ""))},
		{name: "session_show_blocked", line: "session  show", set: only(datagrams(0x14, blocked, ""))},
		{name: "session_show_bypassed", line: "session  show", set: only(datagrams(0x15, bypassed, ""))},
		{name: "session_list_gateway", line: "session  list", set: only(webSession(0x3f), gatewayedSession(0x40))},
		{name: "session_show_gateway", line: "session  show", set: only(gatewayedSession(0x40))},
		{name: "session_show_gateway_json", line: "session  show  --json", set: only(gatewayedSession(0x40))},
		{name: "host_list_swallowing", line: "host  list", set: swallowing},
		{name: "host_list_swallowing_json", line: "host  list  --json", set: swallowing},
		{name: "host_show_swallowing", line: "host  show  mb1", set: swallowing},
		{name: "host_list_no_out_of_band", line: "host  list", set: withoutCertificates},
		{name: "host_show_no_out_of_band", line: "host  show  mb1", set: withoutCertificates},
	}, func(*testWorld) {})
}

func swallowing(f *fake, _ *testWorld) {
	for _, h := range f.hosts.Hosts {
		if h.Name == "mb1" {
			h.Status.Peers = []*proto.Peer{
				{Address: "10.0.0.3", ExpiresMs: 552_000, Sessions: 1},
				{Address: "fd00::3", ExpiresMs: 1_000, Sessions: 12_345},
			}
			h.Status.MorePeers = 7
		}
	}
}

func withoutCertificates(f *fake, _ *testWorld) {
	for _, h := range f.hosts.Hosts {
		h.Status.OutOfBand = h.Name == "client"
	}
}
