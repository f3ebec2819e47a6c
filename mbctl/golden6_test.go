// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"mbchain/proto"
)

const webPolicy6 = `# both families pass the firewall, the IDS sees IPv6 alone
type firewall { mb1 10.0.0.2 fd00::2 weight 2, mb3 fd00::5 }
type ids { mb2 fd00::3 }
match(srcip=fd00::/64 & dstport=80) >> {firewall -> ids}
match(dstport=443) >> {firewall}
`

const wrongText6 = "type firewall { mb1 10.0.0.2 fe80::2, mb3 ::ffff:10.0.0.5 }\nmatch(srcip=fd00::1/64) >> {firewall}\n"

// TestGoldenIPv6 is TestGolden in a domain of both families.
func TestGoldenIPv6(t *testing.T) {
	testGolden(t, lab6, []goldenTest{
		{name: "policy_check_ipv6", line: "policy  check  web.policy"},
		{name: "policy_check_ipv6_wrong", line: "policy  check  wrong.policy"},
		{name: "policy_explain_ipv6", line: "policy  explain  [fd00::1]:40000  [fd00::4]:80  tcp"},
		{name: "policy_explain_ipv6_json", line: "policy  explain  --json  [fd00::1]:40000 -> [fd00::4]:80 tcp"},
		{name: "policy_explain_ipv6_problem", line: "policy  explain  [fd00::1]:40000  [fd00::4]:82"},
		{name: "policy_explain_ipv6_wrong", line: "policy  explain  fd00::1:40000  [fd00::4]:80"},
		{name: "policy_explain_two_families", line: "policy  explain  10.0.0.1:40000  [fd00::4]:80"},
		{name: "session_list_ipv6", line: "session  list"},
		{name: "session_list_ipv6_json", line: "session  list  --json  --match  srcip=fd00::/64"},
		{name: "session_list_ipv6_match", line: "session  list  --match  ~srcip=fd00::/64"},
		{name: "session_show_ipv6", line: "session  show  6f"},
		{name: "session_show_ipv6_json", line: "session  show  6f  --json"},
		{name: "session_show_ipv6_long", line: "session  show  7f"},
		{name: "session_show_ipv6_long_ascii", line: "session  show  7f", set: func(_ *fake, w *testWorld) { w.utf8 = false }},
		{name: "session_show_ipv6_long_colour", line: "session  show  7f", set: func(_ *fake, w *testWorld) { w.colour = true }},
		{name: "session_show_ipv6_contradiction", line: "session  show  6f", set: func(f *fake, _ *testWorld) {
			f.sessions.Sessions[0].Super = tuple("2001:db8::1", 7777, "fd00::4", 80)
		}},
		{name: "host_list_ipv6", line: "host  list"},
		{name: "host_show_ipv6", line: "host  show  mb1"},
	}, func(w *testWorld) {
		w.files["web.policy"] = webPolicy6
		w.files["wrong.policy"] = wrongText6
	})
}

// lab6 is lab with an IPv6 address for each host: a session over IPv6, one
// with the longest addresses, translated, and one over IPv4.
func lab6() *fake {
	f := lab()
	for _, h := range f.hosts.Hosts {
		h.Addresses = append(h.Addresses, six(h.Addresses[0]))
	}
	f.explain = explainWeb6
	short := webSession(0x6f)
	long := webSession(0x7f)
	for _, part := range short {
		readdress(part, six)
	}
	for _, part := range long {
		readdress(part, longest)
	}
	f.sessions.Sessions = append(append(short, long...), webSession(0x3f)...)
	f.sessions.Missing = nil
	return f
}

// six is a host's IPv6 address beside its IPv4 address.
func six(address string) string { return "fd00::" + address[strings.LastIndexByte(address, '.')+1:] }

// longest is one that takes as much room as any.
func longest(address string) string {
	return "2001:db8:1111:2222:3333:4444:5555:666" + address[strings.LastIndexByte(address, '.')+1:]
}

// readdress gives a session the addresses of another family.
func readdress(s *proto.Session, to func(string) string) {
	again := func(t *proto.Tuple) *proto.Tuple {
		return tuple(to(t.Source), t.SourcePort, to(t.Destination), t.DestinationPort)
	}
	s.Super = again(s.Super)
	for _, side := range []*proto.Side{s.Left, s.Right} {
		if side != nil {
			side.Tuple = again(side.Tuple)
		}
	}
	for i, hop := range s.Hops {
		s.Hops[i] = to(hop)
	}
}

func explainWeb6(req *proto.ExplainRequest) (*proto.ExplainResponse, error) {
	if req.Tuple.DestinationPort == 82 {
		return &proto.ExplainResponse{
			Version: 8, Matched: true, Rule: 3, Line: 6, OnFailure: "block",
			RuleText: "match(any) >> {old}",
			Problem:  `NF type "old" has no instance with an IPv6 address`,
			Why:      []string{"old: none of its instances has an IPv6 address"},
		}, nil
	}
	return &proto.ExplainResponse{
		Version: 8, Matched: true, Rule: 1, Line: 4, OnFailure: "block",
		RuleText: "match(srcip=fd00::/64 & dstport=80) >> {firewall -> ids}",
		Hops: []*proto.ExplainHop{
			{Type: "firewall", Host: "mb1", Address: "fd00::2", Weight: 2, TotalWeight: 3, Point: 1},
			{Type: "ids", Host: "mb2", Address: "fd00::3", Weight: 1, TotalWeight: 1},
			{Host: "server", Address: "fd00::4"},
		},
		Why: []string{"rule 1 (line 4) matches: srcip=fd00::/64 & dstport=80"},
	}, nil
}
