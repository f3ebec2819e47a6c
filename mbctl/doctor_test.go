// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	"mbchain/identity"
	"mbchain/proto"
)

// healthy is mb1 when nothing is wrong.
func healthy() *proto.Examination {
	ahead := int64(3)
	return &proto.Examination{
		Status: &proto.HostStatus{
			Host: "mb1", AgentVersion: "0.1.0", ModuleVersion: "0.1.0", Kernel: "6.12.9", Nf: "inline",
			PolicyVersion: 8, OfferedVersion: 8, Rules: 2, Policyd: "10.255.0.100:7400", PolicydConnected: true, OutOfBand: true,
		},
		NfTypes: []string{"firewall"}, ClockAheadMs: &ahead,
		Certificate: &proto.Certificate{Name: "mb1", Addresses: []string{"10.0.0.2", "fd00::2"}, CaFingerprint: "aa",
			ExpiresInMs: (71 * time.Hour).Milliseconds(), RenewsInMs: (23 * time.Hour).Milliseconds()},
		Keys: []uint32{4, 3}, Forward4: true, Forward6: true,
		Devices: []*proto.Device{
			{Name: "left", Mtu: 1500, Offloads: &proto.Offloads{Tso: true, TxChecksum: true}},
			{Name: "eth0", Mtu: 9000, Hardware: true, Offloads: &proto.Offloads{Tso: true, Gro: true, TxChecksum: true}},
			{Name: "tun0", Mtu: 1400, RpFilter: 2}, // does not tell its offloads
		},
		Conntrack: &proto.Conntrack{Entries: 3, Liberal: true},
		Neighbours: []*proto.Neighbour{
			{Address: "10.0.0.1", LinkMtu: 1500, Echoed: true, LargeEchoed: true},
			{Address: "10.0.0.3", LinkMtu: 9000, Echoed: true, LargeEchoed: true},
		},
	}
}

// sick is mb1 with a lot to do.
func sick() *proto.Examination {
	x := healthy()
	s := x.Status
	s.ModuleVersion, s.NfError, s.PolicyVersion = "0.0.9", "set NF: no such device: ids0", 7
	s.Peers = []*proto.Peer{{Address: "10.0.0.3", ExpiresMs: 552_000, Sessions: 12}}
	*x.ClockAheadMs = -21_400
	x.Certificate.RenewsInMs = (-5 * time.Hour).Milliseconds()
	x.Forward4 = false
	x.Devices[0].RpFilter, x.Devices[0].Offloads.Tso = 1, false
	x.Conntrack.Liberal = false
	x.Neighbours = []*proto.Neighbour{
		{Address: "10.0.0.1", Error: "no answer within 2s"},
		{Address: "10.0.0.3", LinkMtu: 1500, Echoed: true},
	}
	x.Problems = []string{"read setting: permission denied"}
	return x
}

func TestCheckup(t *testing.T) {
	ms := func(d time.Duration) int64 { return d.Milliseconds() }
	tests := []struct {
		name  string
		check string
		set   func(*proto.Examination)
		want  []string // level: what
	}{
		{"module as agentd", "module", nil, []string{"ok: version 0.1.0, as agentd; kernel 6.12.9"}},
		{"module missing", "module", func(x *proto.Examination) { x.Status.ModuleVersion, x.Status.PolicyError = "", "find module: none" },
			[]string{"error: find module: none"}},
		{"module of another version", "module", func(x *proto.Examination) { x.Status.ModuleVersion = "0.2.0" },
			[]string{"warning: it is of version 0.2.0, agentd of 0.1.0"}},
		{"NF in place", "nf", nil, []string{"ok: firewall by inline"}},
		{"NF missing", "nf", func(x *proto.Examination) { x.Status.NfError = "no ids0" },
			[]string{"error: packets do not reach the NF as agentd --nf says: no ids0"}},
		{"NF without a module", "nf", func(x *proto.Examination) { x.Status.ModuleVersion = "" }, nil},
		{"policyd away", "policyd", func(x *proto.Examination) { x.Status.PolicydConnected = false },
			[]string{"error: not connected to 10.255.0.100:7400: the policy stays as it is"}},
		{"policy in force", "policy", nil, []string{"ok: version 8, 2 rules of it"}},
		{"policy behind", "policy", func(x *proto.Examination) { x.Status.PolicyVersion = 6 },
			[]string{"warning: version 6, 2 rules of it; policyd has version 8"}},
		{"policy refused", "policy", func(x *proto.Examination) { x.Status.PolicyError = "no room" },
			[]string{"error: version 8 is not in force: no room"}},
		{"clock good", "clock", nil, []string{"ok: 3ms ahead of policyd's"}},
		{"clock unknown", "clock", func(x *proto.Examination) { x.ClockAheadMs = nil }, []string{"warning: policyd has not told the time"}},
		{"clock almost off", "clock", func(x *proto.Examination) { *x.ClockAheadMs = 1999 }, []string{"ok: 1.9s ahead of policyd's"}},
		{"clock off", "clock", func(x *proto.Examination) { *x.ClockAheadMs = -2000 }, []string{"warning: 2.0s behind policyd's"}},
		{"clock far off", "clock", func(x *proto.Examination) { *x.ClockAheadMs = 15000 },
			[]string{"error: 15.0s ahead of policyd's: other hosts refuse set-up headers that are 30 s old or early"}},
		{"certificate good", "certificate", nil, []string{"ok: of mb1 for 10.0.0.2, fd00::2, expires in 2d23h"}},
		{"certificate none", "certificate", func(x *proto.Examination) { x.Certificate = nil }, []string{"error: none: this host has not joined the domain"}},
		{"certificate expired", "certificate", func(x *proto.Examination) { x.Certificate.ExpiresInMs = -ms(time.Minute) }, []string{"error: expired 1m00s ago"}},
		{"certificate of another", "certificate", func(x *proto.Examination) { x.Certificate.Name = "mb2" }, []string{"error: it is that of mb2, not of mb1"}},
		{"certificate of another CA", "certificate", func(x *proto.Examination) { x.Certificate.CaFingerprint = "bb" },
			[]string{"error: of the CA bb, and policyd's is aa"}},
		{"certificate for no address", "certificate", func(x *proto.Examination) { x.Certificate.Addresses = nil },
			[]string{"error: it names no address, so no other host takes it"}},
		{"certificate to be renewed now", "certificate", func(x *proto.Examination) { x.Certificate.RenewsInMs = -ms(time.Minute) },
			[]string{"ok: of mb1 for 10.0.0.2, fd00::2, expires in 2d23h"}},
		{"certificate not renewed", "certificate", func(x *proto.Examination) { x.Certificate.RenewsInMs = -ms(2 * time.Hour) },
			[]string{"warning: not renewed for 2h00m, expires in 2d23h"}},
		{"keys", "keys", nil, []string{"ok: 2 set-up keys, signs with 4"}},
		{"no keys", "keys", func(x *proto.Examination) { x.Keys = nil }, []string{"error: the module has no set-up key: it sets no session up"}},
		{"forwards", "forwarding", nil, []string{"ok: on"}},
		{"forwards neither", "forwarding", func(x *proto.Examination) { x.Forward4, x.Forward6 = false, false },
			[]string{"error: IPv4 packets are not forwarded", "error: IPv6 packets are not forwarded"}},
		{"no IPv6 to forward", "forwarding", func(x *proto.Examination) { x.Forward6 = false; x.Certificate.Addresses = []string{"10.0.0.2"} },
			[]string{"ok: on"}},
		{"an end need not forward", "forwarding", func(x *proto.Examination) { x.NfTypes, x.Forward4 = nil, false }, nil},
		{"a gateway must", "forwarding", func(x *proto.Examination) { x.NfTypes, x.Forward4, x.Gateway = nil, false, true },
			[]string{"error: IPv4 packets are not forwarded"}},
		{"reverse path loose", "rp_filter", nil, []string{"ok: loose, or off"}},
		{"reverse path strict", "rp_filter", func(x *proto.Examination) { x.Devices[0].RpFilter, x.Devices[2].RpFilter = 1, 1 },
			[]string{"warning: strict on left, tun0: allowed, and costs each restored packet a lookup of its own"}},
		{"conntrack liberal", "conntrack", nil, []string{"ok: liberal: live sessions may be moved here"}},
		{"conntrack strict", "conntrack", func(x *proto.Examination) { x.Conntrack.Liberal = false },
			[]string{"warning: it judges windows, and follows 3 flows: a live session that is moved here is invalid to it"}},
		{"conntrack idle", "conntrack", func(x *proto.Examination) { x.Conntrack = &proto.Conntrack{} }, []string{"ok: follows nothing here"}},
		{"no conntrack", "conntrack", func(x *proto.Examination) { x.Conntrack = nil }, nil},
		{"conntrack that a tap does not pass", "conntrack", func(x *proto.Examination) { x.Status.Nf, x.Conntrack.Liberal = "tap:ids0", false }, nil},
		{"offloads", "offloads", nil, []string{"ok: as they should be on left, eth0, tun0"}},
		{"offloads off", "offloads", func(x *proto.Examination) {
			x.Devices[0].Offloads = &proto.Offloads{}
			x.Devices[1].Offloads = &proto.Offloads{Tso: true, TxChecksum: true, Lro: true}
		}, []string{
			"error: eth0: LRO is on: what it merges cannot be forwarded", "warning: eth0: GRO is off: each packet is rewritten by itself",
			"warning: left: TSO is off: each segment is rewritten by itself", "warning: left: checksums are made in software",
		}},
		{"neighbours", "neighbours", func(x *proto.Examination) { x.MoreNeighbours = 4 }, []string{"ok: 2 addresses reached, 4 more not tried"}},
		{"neighbour away", "neighbours", func(x *proto.Examination) { x.Neighbours[1].Error = "refused" },
			[]string{"error: the agent of 10.0.0.3 is not reached: refused"}},
		{"neighbours not tried", "neighbours", func(x *proto.Examination) { x.Status.OutOfBand = false }, nil},
		{"MTU", "mtu", nil, []string{"ok: 1500 bytes pass to 1 address", "ok: 9000 bytes pass to 1 address"}},
		{"MTU narrow, and told", "mtu", func(x *proto.Examination) { x.Neighbours[1].LargeEchoed, x.Neighbours[1].PathMtu = false, 1400 },
			[]string{"warning: on the way to 10.0.0.3 only 1400 bytes pass, and the link here takes 9000: each session finds out anew", "ok: 1500 bytes pass to 1 address"}},
		{"MTU narrow, and not told", "mtu", func(x *proto.Examination) { x.Neighbours[0].LargeEchoed = false },
			[]string{"error: packets of 1500 bytes to 10.0.0.1 get lost, and no ICMP error says why", "ok: 9000 bytes pass to 1 address"}},
		{"no echo", "mtu", func(x *proto.Examination) { x.Neighbours[0].LargeEchoed, x.Neighbours[0].Echoed = false, false },
			[]string{"warning: 10.0.0.1 answers no ICMP echo request: what passes on the way is not known", "ok: 9000 bytes pass to 1 address"}},
		{"no echo of one that is away", "mtu", func(x *proto.Examination) { x.Neighbours[0] = &proto.Neighbour{Address: "10.0.0.1", Error: "away"} },
			[]string{"ok: 9000 bytes pass to 1 address"}},
		{"may not ask", "mtu", func(x *proto.Examination) {
			x.Neighbours = []*proto.Neighbour{{Address: "10.0.0.1", EchoError: "operation not permitted"}}
		}, []string{"warning: operation not permitted"}},
		{"SYNs pass", "syn", nil, []string{"ok: none with payload was swallowed in the last 10 minutes"}},
		{"SYNs do not", "syn", func(x *proto.Examination) {
			x.Status.Peers, x.Status.MorePeers = []*proto.Peer{{Address: "10.0.0.3", ExpiresMs: 60_000, Sessions: 1}}, 2
		}, []string{"warning: SYNs with payload do not pass to 10.0.0.3: 1 session, in-band again in 1m00s", "warning: nor to 2 neighbours more"}},
		{"not examined", "examination", func(x *proto.Examination) { x.Problems = []string{"p"} }, []string{"warning: not examined: p"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			x := healthy()
			if test.set != nil {
				test.set(x)
			}
			var got []string
			for _, f := range (checkup{x: x, newest: 8, ca: "aa"}).findings() {
				if f.check != test.check {
					continue
				}
				got = append(got, fmt.Sprintf("%v: %s", f.level, f.what))
				if f.level != fine && f.do == "" && f.check != "examination" && !strings.HasPrefix(f.what, "nor ") {
					t.Errorf("%s: it does not say what to do", f.what)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// What is wrong with nothing at all must not bring doctor down.
func TestCheckupOfAnEmptyAnswer(t *testing.T) {
	for _, f := range (checkup{x: &proto.Examination{}}).findings() {
		if f.what == "" {
			t.Errorf("%s: nothing said", f.check)
		}
	}
}

func TestGoldenDoctor(t *testing.T) {
	examined := func(x *proto.Examination) func(*fake, *testWorld) {
		return func(f *fake, w *testWorld) {
			f.examined = &proto.ExamineResponse{Examination: x}
			if x.Certificate != nil && w.identities != nil {
				for _, b := range w.identities {
					x.Certificate.CaFingerprint = identity.FingerprintOf(b.CA).String()
				}
			}
		}
	}
	testGolden(t, lab, []goldenTest{
		{name: "help_doctor", line: "doctor  --help"},
		{name: "doctor", line: "doctor", set: examined(healthy())},
		{name: "doctor_json", line: "doctor  --json", set: examined(sick())},
		{name: "doctor_host", line: "doctor  mb1", set: examined(healthy())},
		{name: "doctor_sick", line: "doctor  mb1", set: examined(sick())},
		{name: "doctor_colour", line: "doctor  mb1", set: func(f *fake, w *testWorld) {
			examined(sick())(f, w)
			w.colour, w.width = true, 60
		}},
		{name: "doctor_away", line: "doctor  mb3", set: examined(healthy())},
		{name: "doctor_no_agent", line: "doctor  --agent  /run/other.sock"},
		{name: "doctor_both", line: "doctor  mb1  --agent  " + agentSocket},
		{name: "doctor_old_policyd", line: "doctor  mb1", set: failing(connect.CodeUnimplemented, "unknown method")},
	}, func(*testWorld) {})
}
