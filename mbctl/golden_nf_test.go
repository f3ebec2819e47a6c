// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

// TestGoldenNF is TestGolden for what tells how NFs get their packets.
func TestGoldenNF(t *testing.T) {
	agent := "  --agent  " + agentSocket
	testGolden(t, lab, []goldenTest{
		{name: "host_list_nf", line: "host  list", set: lackingNF},
		{name: "host_show_nf", line: "host  show  mb2", set: lackingNF},
		{name: "host_show_nf_json", line: "host  show  mb2  --json", set: lackingNF},
		{name: "status_nf", line: "status", set: lackingNF},
		{name: "status_agent_nf", line: "status" + agent, set: func(f *fake, _ *testWorld) {
			f.local.Nf, f.local.NfError = "inline", "set NF: no such device: ids0"
		}},
	}, func(*testWorld) {})
}

// lackingNF: mb1 taps, mb2 has lost its device, client and server have none.
func lackingNF(f *fake, _ *testWorld) {
	for _, h := range f.hosts.Hosts {
		switch h.Name {
		case "mb1":
			h.Status.Nf = "tap:ids0"
		case "mb2":
			h.Status.Nf = "redirect:nf-in,"
			h.Status.NfError = "set NF: no such device: nf-out"
		default:
			h.Status.Nf = "none"
		}
	}
}
