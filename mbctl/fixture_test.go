// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"time"

	"mbchain/proto"
)

const webPolicy = `# web traffic passes a firewall, then an IDS
type firewall { mb1 10.0.0.2 weight 2, mb3 10.0.0.5 }
type ids { mb2 10.0.0.3 }
match(dstport=80 & srcip=10.0.0.0/24) >> {firewall -> ids}
match(srcip=10.9.0.0/16) >> {}
`

const oldPolicy = `type firewall { mb1 10.0.0.2 }
rule mail match(dstport=25) >> {firewall}
match(srcip=10.9.0.0/16) >> {}
match(dstport=80 & srcip=10.0.0.0/24) >> {firewall}
`

// documents are the files of a policy of several.
var documents = map[string]string{
	"etc/types.policy": "group office{10.0.0.0/24}\ntype firewall { mb1 10.0.0.2 weight 2, mb3 10.0.0.5 }\ntype ids { mb2 10.0.0.3 }\n",
	"etc/web.policy":   "# web\nrule web match(dstport=80&srcip=office)>>{firewall->ids}\n",
	"etc/mail.policy":  "match(srcip=10.9.0.0/16) >> {} priority 5\nmatch(dstprt=25) >> {firewall}\n",
	"web.test": "# what the policy must do\n10.0.0.1:40000 > 10.0.0.4:80 >> {firewall -> ids}\n" +
		"10.9.0.1:40000 > 10.0.0.4:80 tcp >> {} rule 2\n10.0.0.1:40000 -> 10.0.0.4:22 tcp >> none\n",
	"strict.test": "10.0.0.1:40000 > 10.0.0.4:80 >> {ids}   # too few\n10.0.0.1:40000 > 10.0.0.4:22 >> {firewall}\n" +
		"10.9.0.1:40000 > 10.0.0.4:80 >> none\n10.9.0.1:40000 > 10.0.0.4:81 >> {}\n",
	"wrong.test": "10.0.0.1:40000 10.0.0.4:80 >> {firewall -> }\n10.0.0.1 > 10.0.0.4:80 >> {}\n",
}

const wrongText = "type firewall { 10.0.0.2 }\nmatch(dstprt=80) >> {firewall}\n"

// lab is the domain that the golden files show: client - mb1 - mb2 - server,
// a NAT between mb2 and server, and mb3, which is off.
func lab() *fake {
	return &fake{
		apply: func(*proto.ApplyRequest) (*proto.ApplyResponse, error) {
			return &proto.ApplyResponse{Version: 8, Rules: 2, Hosts: 5}, nil
		},
		policies: []*proto.GetResponse{policyNow(
			onHost("client", 8, 8, ""),
			onHost("mb1", 8, 8, ""),
			onHost("mb2", 7, 8, "load program 1: no space left on device"),
			away(onHost("mb3", 5, 5, "")),
			onHost("server", 8, 8, ""),
		)},
		old: map[uint64]*proto.GetResponse{
			7: {Version: 7, Source: oldPolicy, AppliedUnixMs: now.Add(-26 * time.Hour).UnixMilli(), By: "10.0.0.7", RollbackOf: 5},
			6: {Version: 6, Source: "match(any) >> {}\n", AppliedUnixMs: now.Add(-27 * time.Hour).UnixMilli(), By: "10.0.0.7"},
		},
		history: &proto.HistoryResponse{Versions: []*proto.PolicyVersion{
			{Version: 8, AppliedUnixMs: now.Add(-12*time.Minute - 3*time.Second).UnixMilli(), By: "fd00::7", Bytes: uint32(len(webPolicy))},
			{Version: 7, AppliedUnixMs: now.Add(-26 * time.Hour).UnixMilli(), By: "10.0.0.7", Bytes: uint32(len(oldPolicy)), RollbackOf: 5},
			{Version: 6, AppliedUnixMs: now.Add(-27 * time.Hour).UnixMilli(), By: "10.0.0.7", Bytes: 17},
		}},
		explain: explainWeb,
		sessions: &proto.ListSessionsResponse{
			Sessions: append(append(webSession(0x3f), oldSession(0x3e)...), endedSession(0x77)...),
			Missing:  []*proto.Missing{{Host: "mb3", Error: "not connected"}},
		},
		hosts: &proto.ListHostsResponse{Hosts: []*proto.Host{
			host("server", "10.0.0.4"),
			host("client", "10.0.0.1"),
			host("mb1", "10.0.0.2", "firewall"),
			host("mb2", "10.0.0.3", "ids", "proxy"),
			off(host("mb3", "10.0.0.5", "firewall")),
		}},
		stats: &proto.GetStatsResponse{
			Hosts: []*proto.HostStats{
				{Host: "mb1", Counters: counted(map[string]uint64{"rewritten_in": 1181, "rewritten_out": 1180, "setup_accepted": 3, "hdr_mac": 1}),
					Status: &proto.HostStatus{ModuleVersion: "0.1.0", Sessions: 3, SessionBytes: 384, TableBytes: 8192}},
				{Host: "client", Counters: counted(map[string]uint64{"rewritten_in": 590, "setup_started": 3})},
				{Host: "server", Counters: append(counted(nil), &proto.Counter{Name: "invented_later", Value: 2})},
			},
			Missing: []*proto.Missing{{Host: "mb3", Error: "not connected"}},
		},
		status: &proto.GetStatusResponse{
			Version: "0.1.0", State: "leader", PolicyVersion: 8, AppliedIndex: 42,
			Hosts: 5, HostsConnected: 4, HostsInSync: 3, UptimeMs: 11_520_000,
		},
		local: host("mb1", "10.0.0.2").Status,
	}
}

func policyNow(hosts ...*proto.HostPolicy) *proto.GetResponse {
	return &proto.GetResponse{
		Version:       8,
		Source:        webPolicy,
		AppliedUnixMs: now.Add(-12*time.Minute - 3*time.Second).UnixMilli(),
		Hosts:         hosts,
	}
}

func onHost(name string, running, offered uint64, refusal string) *proto.HostPolicy {
	return &proto.HostPolicy{Host: name, Connected: true, RunningVersion: running,
		OfferedVersion: offered, Error: refusal, Rules: 2}
}

func away(h *proto.HostPolicy) *proto.HostPolicy {
	h.Connected = false
	return h
}

func host(name, address string, types ...string) *proto.Host {
	return &proto.Host{
		Name: name, Addresses: []string{address}, NfTypes: types, Connected: true,
		LastSeenUnixMs: now.UnixMilli(),
		Status: &proto.HostStatus{
			Host: name, AgentVersion: "0.1.0", ModuleVersion: "0.1.0", Kernel: "6.12.9",
			Sessions: 3, MaxSessions: 65536, SessionBytes: 384, TableBytes: 8192, PolicyVersion: 8, OfferedVersion: 8,
			Rules: 2, PolicydConnected: true, UptimeMs: 3_600_000, Policyd: "10.255.0.100:7400",
			OutOfBand: true, Nf: "inline",
		},
	}
}

func off(h *proto.Host) *proto.Host {
	h.Connected = false
	h.LastSeenUnixMs = now.Add(-3 * time.Hour).UnixMilli()
	h.Status.PolicyVersion, h.Status.OfferedVersion = 5, 6
	h.Status.PolicyError = "no module"
	return h
}

func counted(values map[string]uint64) []*proto.Counter {
	var all []*proto.Counter
	for _, c := range counters {
		all = append(all, &proto.Counter{Name: c.name, Value: values[c.name]})
	}
	return all
}

func explainWeb(req *proto.ExplainRequest) (*proto.ExplainResponse, error) {
	switch req.Tuple.DestinationPort {
	case 80:
		return &proto.ExplainResponse{
			Version: 8, Matched: true, Rule: 1, Line: 4, OnFailure: "block",
			RuleText: "match(dstport=80 & srcip=10.0.0.0/24) >> {firewall -> ids}",
			Hops: []*proto.ExplainHop{
				{Type: "firewall", Host: "mb1", Address: "10.0.0.2", Weight: 2, TotalWeight: 3, Point: 1},
				{Type: "ids", Host: "mb2", Address: "10.0.0.3", Weight: 1, TotalWeight: 1},
				{Host: "server", Address: "10.0.0.4"},
			},
			Why: []string{
				"rule 1 matches: dstport 80 is 80, srcip 10.0.0.1 is in 10.0.0.0/24",
				"firewall: point 1 of 3 falls to mb1 (0 to 1)",
				"ids: mb2 is the only instance",
			},
		}, nil
	case 81:
		return &proto.ExplainResponse{
			Version: 8, Matched: true, Rule: 2, Line: 5, OnFailure: "bypass",
			RuleText: "match(srcip=10.9.0.0/16) >> {}",
		}, nil
	case 82:
		return &proto.ExplainResponse{
			Version: 8, Matched: true, Rule: 3, Line: 6, OnFailure: "bypass",
			RuleText: "match(any) >> {firewall} on-failure bypass",
			Problem:  "the path comes back to 192.0.2.1, the server",
		}, nil
	default:
		return &proto.ExplainResponse{Version: 8, Why: []string{"none of 3 rules matches"}}, nil
	}
}

func id(first byte) []byte {
	return append([]byte{first, 0xac, 0x0d}, bytes.Repeat([]byte{0x51}, 13)...)
}

func tuple(source string, sourcePort uint32, destination string, destinationPort uint32) *proto.Tuple {
	return &proto.Tuple{Source: source, SourcePort: sourcePort,
		Destination: destination, DestinationPort: destinationPort, Protocol: 6}
}

func side(t *proto.Tuple, in, out uint64) *proto.Side {
	return &proto.Side{Tuple: t, InPackets: in, InBytes: in * 1460, OutPackets: out, OutBytes: out * 52}
}

// webSession is complete, in flight, and translated between mb2 and server.
func webSession(first byte) []*proto.Session {
	super := tuple("10.0.0.1", 40000, "10.0.0.4", 80)
	part := func(host string, role proto.Role, hops ...string) *proto.Session {
		return &proto.Session{Id: id(first), Host: host, Role: role, State: "established", Super: super,
			Hops: hops, AgeMs: 72_000, IdleMs: 200, Setup: "in-band"}
	}
	client := part("client", proto.Role_ROLE_CLIENT, "10.0.0.2", "10.0.0.3", "10.0.0.4")
	client.Rule, client.PolicyVersion = 1, 8
	client.Right = side(tuple("10.0.0.1", 32768, "10.0.0.2", 32769), 184_221, 90_001)
	mb1 := part("mb1", proto.Role_ROLE_MIDDLE, "10.0.0.3", "10.0.0.4")
	mb1.Left = &proto.Side{Tuple: client.Right.Tuple, InPackets: 90_001, InBytes: 90_001 * 52,
		OutPackets: 184_223, OutBytes: 184_223 * 1460}
	mb1.Right = side(tuple("10.0.0.2", 32770, "10.0.0.3", 32771), 184_225, 90_001)
	mb2 := part("mb2", proto.Role_ROLE_MIDDLE, "10.0.0.4")
	mb2.Left = &proto.Side{Tuple: mb1.Right.Tuple, InPackets: 90_001, InBytes: 90_001 * 52,
		OutPackets: 184_230, OutBytes: 184_230 * 1460}
	mb2.Right = side(tuple("10.0.0.3", 41000, "10.0.0.4", 41001), 184_231, 90_000)
	server := part("server", proto.Role_ROLE_SERVER)
	server.Left = &proto.Side{Tuple: tuple("192.0.2.7", 51000, "10.0.0.4", 41001), InPackets: 1, InBytes: 52,
		OutPackets: 184_240, OutBytes: 184_240 * 1460}
	return []*proto.Session{server, mb1, client, mb2}
}

// gatewayedSession is that of a client behind a gateway, which is the host client.
func gatewayedSession(first byte) []*proto.Session {
	all := webSession(first)
	for _, part := range all {
		part.Super = tuple("10.9.0.7", 40000, "10.0.0.4", 80)
	}
	return all
}

// oldSession was set up by an older policy; mb3, which carries it, is off.
func oldSession(first byte) []*proto.Session {
	super := tuple("10.0.0.1", 40002, "10.0.0.4", 443)
	client := &proto.Session{Id: id(first), Host: "client", Role: proto.Role_ROLE_CLIENT, State: "established",
		Super: super, Hops: []string{"10.0.0.5", "10.0.0.9", "10.0.0.4"}, AgeMs: 93_784_000, IdleMs: 61_000,
		Rule: 1, PolicyVersion: 5, Right: side(tuple("10.0.0.1", 33000, "10.0.0.5", 33001), 7, 9)}
	server := &proto.Session{Id: id(first), Host: "server", Role: proto.Role_ROLE_SERVER, State: "established",
		Super: super, AgeMs: 93_784_000, IdleMs: 61_000,
		Left: side(tuple("10.0.0.9", 33002, "10.0.0.4", 33003), 9, 7)}
	return []*proto.Session{client, server}
}

// endedSession is known to its client's host only.
func endedSession(first byte) []*proto.Session {
	return []*proto.Session{{Id: id(first), Host: "client", Role: proto.Role_ROLE_CLIENT, State: "closed",
		Super: tuple("10.0.0.1", 40001, "10.0.0.4", 80), Hops: []string{"10.0.0.4"}, AgeMs: 900, IdleMs: 10,
		Rule: 3, PolicyVersion: 8, Setup: "in-band", Right: side(tuple("10.0.0.1", 34000, "10.0.0.4", 34001), 0, 1)}}
}

// datagrams is a UDP session by mb1; client and mb1 are how these say that it was
// set up. Without mb1 nobody else knows of it.
func datagrams(first byte, client, mb1 string) []*proto.Session {
	super, state := udp("10.0.0.1", 40003, "10.0.0.4", 53), "established"
	if mb1 == "" {
		state = "syn"
	}
	left := &proto.Session{Id: id(first), Host: "client", Role: proto.Role_ROLE_CLIENT, State: state, Setup: client,
		Super: super, Hops: []string{"10.0.0.2", "10.0.0.4"}, AgeMs: 2500, IdleMs: 40, Rule: 2, PolicyVersion: 8,
		Right: side(udp("10.0.0.1", 35000, "10.0.0.2", 35001), 1, 1)}
	if mb1 == "" {
		return []*proto.Session{left}
	}
	middle := &proto.Session{Id: id(first), Host: "mb1", Role: proto.Role_ROLE_MIDDLE, State: "established", Setup: mb1,
		Super: super, Hops: []string{"10.0.0.4"}, AgeMs: 2500, IdleMs: 40, Left: left.Right,
		Right: side(udp("10.0.0.2", 35002, "10.0.0.4", 35003), 1, 1)}
	server := &proto.Session{Id: id(first), Host: "server", Role: proto.Role_ROLE_SERVER, State: "established",
		Setup: "out-of-band", Super: super, AgeMs: 2500, IdleMs: 40, Left: middle.Right}
	return []*proto.Session{left, middle, server}
}

func udp(source string, sourcePort uint32, destination string, destinationPort uint32) *proto.Tuple {
	t := tuple(source, sourcePort, destination, destinationPort)
	t.Protocol = 17
	return t
}
