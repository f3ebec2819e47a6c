// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"mbchain/chain"
	"mbchain/genl"
)

// row is one line of a table: something that is measured.
type row struct {
	name    string // what --rows knows it by
	table   string
	title   string
	base    string  // name of the row that it is compared to, perhaps itself
	module  bool    // mbchain is loaded meanwhile
	target  float64 // what the ratio is to be at most; 0: nothing
	measure func(m *meter) error
}

const (
	tableMiddle    = "middle"
	tableSessions  = "sessions"
	tableEndpoint  = "endpoint"
	tableUDP       = "udp"
	tableUnmatched = "unmatched"
	tableSetUp     = "setup"
	tablePktgen    = "pktgen"
	tableFlood     = "flood"
)

// tables in the order of a report. A ratio is to the row without mbchain, or to
// the first of its kind.
var tables = []struct{ name, title, what string }{
	{tableMiddle, "The middle host", "A packet from its arrival at the middle host to its arrival at the server, " +
		"1,000 sessions in turn. Ratio: to plain forwarding."},
	{tableSessions, "One session, and 100,000", "The same. Ratio: to plain forwarding of as many."},
	{tableEndpoint, "Clients and servers", "What the application reads or writes at once, from the system call to the device " +
		"or back, with what it takes to acknowledge it. Ratio: to the same without the module."},
	{tableUDP, "UDP", "The same for datagrams of 10 bytes, which are not acknowledged; sessions are set up by the agents. " +
		"Ratio: to plain forwarding of UDP, or to the client or server without the module."},
	{tablePktgen, "UDP without checksums, from pktgen", "The middle host as the kernel's own generator sees it, 1,000 flows of frames of 64 bytes. " +
		"Ratio: to plain forwarding of the same."},
	{tableUnmatched, "Traffic that no rule matches", "Ratio: to plain forwarding, or to the client without the module."},
	{tableSetUp, "Setting sessions up", "A SYN at the client, from a raw socket to the device. Ratio: to 10 rules."},
	{tableFlood, "Forged set-up SYNs", "A SYN with payload to a closed port of the middle host, from its arrival to the RST, if one is sent. " +
		"Ratio: to a SYN of the same length whose payload is no set-up header."},
}

// allRows is every row there is. A new one needs nothing but its line here.
func allRows() []row {
	return slices.Concat(middleRows(), sessionRows(), endpointRows(), udpRows(), pktgenRows(), unmatchedRows(), setUpRows(), floodRows())
}

// forward is the row of a scenario.
func forward(name, table, title, base string, s scenario) row {
	if s.sessions == 0 {
		s.sessions = 1000
	}
	return row{name: name, table: table, title: title, base: base, module: s.module, measure: s.measure}
}

func middleRows() []row {
	var rows []row
	add := func(f *family, name, title string, s scenario) *row {
		s.family = f
		rows = append(rows, forward(name+f.suffix, tableMiddle, title, "plain"+f.suffix, s))
		return &rows[len(rows)-1]
	}
	for _, f := range families {
		add(f, "plain", "plain forwarding", scenario{open: true})
		add(f, "conntrack", "plain forwarding with conntrack", scenario{open: true, setUp: track(f)})
		add(f, "flowtable", "nftables flowtable, source and destination NAT",
			scenario{open: true, to: f.middle, setUp: flowtable(f)})
		add(f, "ipvs", "IPVS masquerading", scenario{open: true, to: f.middle, setUp: ipvs(f)})
		add(f, "nat", "conntrack source and destination NAT", scenario{open: true, to: f.middle, setUp: nat(f)})
		if f == ipv4 {
			add(f, "ipip", "IPIP encapsulation", tunnel(
				fmt.Sprintf("ipip local %s remote %s", f.middleOut, f.server),
				fmt.Sprintf("ipip local %s remote %s", f.server, f.middleOut)))
			add(f, "vxlan", "VXLAN encapsulation", tunnel(
				fmt.Sprintf("vxlan id 7 dstport 4789 remote %s", f.server),
				fmt.Sprintf("vxlan id 7 dstport 4789 remote %s", f.middleOut)))
			add(f, "geneve", "GENEVE encapsulation", tunnel(
				fmt.Sprintf("geneve id 7 remote %s", f.server),
				fmt.Sprintf("geneve id 7 remote %s", f.middleOut)))
			add(f, "wireguard", "WireGuard", wireguard())
		}
		add(f, "inline", "mbchain, inline NF", scenario{open: true, module: true, chain: true}).target = 1.15
		add(f, "express", "mbchain, no NF: the express path",
			scenario{open: true, module: true, chain: true, nf: genl.NF{Mode: genl.NFNone}}).target = 0.56
		add(f, "tap", "mbchain, tap that nobody listens to",
			scenario{open: true, module: true, chain: true, setUp: tapDevice, nf: tapNF}).target = 0.75
		add(f, "redirect", "mbchain, redirect through a veth pair",
			scenario{open: true, module: true, chain: true, setUp: redirectDevices, nf: redirectNF})
		add(f, "inline-conntrack", "mbchain, inline NF with conntrack",
			scenario{open: true, module: true, chain: true, setUp: track(f)})
	}
	return rows
}

func sessionRows() []row {
	var rows []row
	for _, n := range []int{1, 100000} {
		for _, f := range families {
			name := func(name string) string { return fmt.Sprintf("%s-%d%s", name, n, f.suffix) }
			add := func(kind, title string, target float64, s scenario) {
				s.family, s.open, s.sessions = f, true, n
				r := forward(name(kind), tableSessions, fmt.Sprintf("%s, %s", title, count(n)), name("plain"), s)
				r.target = target
				rows = append(rows, r)
			}
			add("plain", "plain forwarding", 0, scenario{})
			add("flowtable", "nftables flowtable, source and destination NAT", 0, scenario{to: f.middle, setUp: flowtable(f)})
			if f == ipv4 {
				add("ipvs", "IPVS masquerading", 0, scenario{to: f.middle, setUp: ipvs(f)})
				add("nat", "conntrack source and destination NAT", 0, scenario{to: f.middle, setUp: nat(f)})
			}
			add("inline", "mbchain, inline NF", 1.15, scenario{module: true, chain: true})
			add("express", "mbchain, no NF: the express path", 0.56,
				scenario{module: true, chain: true, nf: genl.NF{Mode: genl.NFNone}})
			if f == ipv4 {
				add("tap", "mbchain, tap that nobody listens to", 0.75,
					scenario{module: true, chain: true, setUp: tapDevice, nf: tapNF})
			}
		}
	}
	return rows
}

// count is "1 session", or so many.
func count(sessions int) string {
	if sessions == 1 {
		return "1 session"
	}
	return thousands(float64(sessions)) + " sessions"
}

func udpRows() []row {
	var rows []row
	for _, f := range families {
		base := "plain-udp" + f.suffix
		host := func(name, title string, target float64, s scenario) {
			s.family, s.protocol, s.open = f, chain.ProtocolUDP, true
			r := forward(name+"-udp"+f.suffix, tableUDP, title, base, s)
			r.target = target
			rows = append(rows, r)
		}
		datagramHosts(f, host)

		end := func(name, title, base string, target float64, e endpoint, measure func(endpoint, *meter) error) {
			e.family, e.udp = f, true
			rows = append(rows, row{
				name: name + f.suffix, table: tableUDP, title: title, base: base + f.suffix,
				module: e.module, target: target, measure: func(m *meter) error { return measure(e, m) },
			})
		}
		chained := endpoint{module: true, chain: true, rules: ruleSet{1, "any"}}
		end("client-udp", "client host, no module", "client-udp", 0, endpoint{}, endpoint.clientHost)
		end("client-chain-udp", "client host, chained", "client-udp", 1.05, chained, endpoint.clientHost)
		end("server-udp", "server host, no module", "server-udp", 0, endpoint{}, endpoint.serverHost)
		end("server-chain-udp", "server host, chained", "server-udp", 1.05, chained, endpoint.serverHost)
	}
	return rows
}

func endpointRows() []row {
	var rows []row
	for _, f := range families {
		for _, bulk := range []bool{false, true} {
			kind, what := "", "10 bytes"
			if bulk {
				kind, what = "-bulk", "64 kB"
			}
			for _, side := range []struct {
				name, title string
				measure     func(endpoint, *meter) error
			}{
				{"client", "client host, writes of " + what, endpoint.clientHost},
				{"server", "server host, segments of " + what, endpoint.serverHost},
			} {
				base := side.name + kind + f.suffix
				add := func(name, title string, target float64, e endpoint) {
					e.family, e.bulk = f, bulk
					rows = append(rows, row{
						name: side.name + kind + name + f.suffix, table: tableEndpoint,
						title: side.title + title, base: base, module: e.module, target: target,
						measure: func(m *meter) error { return side.measure(e, m) },
					})
				}
				add("", ", no module", 0, endpoint{})
				add("-chain", ", chained", 1.05, endpoint{module: true, chain: true, rules: ruleSet{1, "any"}})
			}
		}
	}
	return rows
}

func pktgenRows() []row {
	var rows []row
	add := func(name, title string, target float64, s scenario) {
		s.family, s.protocol, s.open, s.pktgen = ipv4, chain.ProtocolUDP, true, true
		r := forward("pktgen-"+name, tablePktgen, title, "pktgen-plain", s)
		r.target = target
		rows = append(rows, r)
	}
	datagramHosts(ipv4, add)
	return rows
}

// datagramHosts tells add what is done with UDP on a middle host.
func datagramHosts(f *family, add func(name, title string, target float64, s scenario)) {
	add("plain", "plain forwarding", 0, scenario{})
	add("flowtable", "nftables flowtable, source and destination NAT", 0, scenario{to: f.middle, setUp: flowtable(f)})
	add("nat", "conntrack source and destination NAT", 0, scenario{to: f.middle, setUp: nat(f)})
	add("inline", "mbchain, inline NF", 1.15, scenario{module: true, chain: true})
	add("express", "mbchain, no NF: the express path", 0.56,
		scenario{module: true, chain: true, nf: genl.NF{Mode: genl.NFNone}})
	add("tap", "mbchain, tap that nobody listens to", 0.75,
		scenario{module: true, chain: true, setUp: tapDevice, nf: tapNF})
}

func unmatchedRows() []row {
	const many = 10000
	other := fmt.Sprintf("dstport=%d", otherPort)
	target := map[bool]float64{true: 1.03} // with the module
	var rows []row
	for _, f := range families {
		host := func(name, title, base string, s scenario) {
			s.family = f
			r := forward(name+f.suffix, tableUnmatched, "forwarding host, "+title, base+f.suffix, s)
			r.target = target[s.module]
			rows = append(rows, r)
		}
		host("idle", "no key, no rule, no session", "plain", scenario{open: true, module: true, idle: true})
		host("unmatched", "10,000 rules", "plain", scenario{open: true, module: true, rules: ruleSet{n: many}})
		host("unmatched-beside", "10,000 rules, 1,000 other sessions", "plain",
			scenario{open: true, module: true, rules: ruleSet{n: many}, beside: 1000})
		host("unmatched-udp", "UDP, 10,000 rules, 1,000 other sessions", "plain-udp",
			scenario{protocol: chain.ProtocolUDP, module: true, rules: ruleSet{n: many}, beside: 1000})

		client := func(name, title, base string, e endpoint) {
			e.family = f
			rows = append(rows, row{
				name: name + f.suffix, table: tableUnmatched, title: "client, " + title,
				base: base + f.suffix, module: e.module, target: target[e.module], measure: e.clientHost,
			})
		}
		client("client-unmatched", "10,000 rules", "client", endpoint{module: true, rules: ruleSet{n: many}})
		client("client-unmatched-beside", "10,000 rules, 1,000 other sessions", "client",
			endpoint{module: true, rules: ruleSet{many, other}, beside: 1000})
		client("client-unmatched-udp", "UDP, 10,000 rules, 1,000 other sessions", "client-udp",
			endpoint{udp: true, module: true, rules: ruleSet{many, other}, beside: 1000})
	}
	return rows
}

func setUpRows() []row {
	var rows []row
	for _, f := range families {
		add := func(name, title, base string, s setUp) *row {
			s.family = f
			rows = append(rows, row{
				name: name + f.suffix, table: tableSetUp, title: title, base: base + f.suffix,
				module: s.module, measure: s.measure,
			})
			return &rows[len(rows)-1]
		}
		add("syn", "SYN, no module", "syn", setUp{})
		for _, n := range []int{10, 1000, 10000} {
			add(fmt.Sprintf("setup-%d", n), fmt.Sprintf("SYN that starts a session, last of %s rules matches", thousands(float64(n))),
				"setup-10", setUp{module: true, rules: ruleSet{n, fmt.Sprintf("dstport=%d", httpPort)}, match: true}).target = 2
			add(fmt.Sprintf("nosetup-%d", n), fmt.Sprintf("SYN that none of %s rules matches", thousands(float64(n))),
				"nosetup-10", setUp{module: true, rules: ruleSet{n: n}})
		}
	}
	return rows
}

func floodRows() []row {
	var rows []row
	for _, f := range families {
		add := func(name, title string, fl flood) {
			fl.family, fl.module = f, true
			rows = append(rows, row{
				name: name + f.suffix, table: tableFlood, title: title, base: "plain-syn-payload" + f.suffix,
				module: true, measure: fl.measure,
			})
		}
		add("plain-syn-payload", "SYN with payload, no header", flood{forge: noHeader})
		add("forged-syn", "forged set-up SYN, its MAC is wrong", flood{forge: badMAC, want: genl.ReasonHdrMAC})
		add("forged-syn-key", "set-up SYN signed with a key that nobody knows", flood{forge: unknownKey, want: genl.ReasonHdrKey})
		add("forged-syn-stale", "set-up SYN of ten minutes ago", flood{forge: stale, want: genl.ReasonHdrStale})
		add("forged-syn-replay", "set-up SYN replayed from another port", flood{forge: replayed, want: genl.ReasonHdrReplay})
	}
	return rows
}

// choose is the rows that a list of patterns names, and those that they are
// compared to; all rows for an empty list.
func choose(rows []row, patterns string) ([]row, error) {
	if patterns == "" {
		return rows, nil
	}
	wanted := map[string]bool{}
	for pattern := range strings.SplitSeq(patterns, ",") {
		found := false
		for _, r := range rows {
			ok, err := path.Match(pattern, r.name)
			if err != nil {
				return nil, fmt.Errorf("choose rows %q: %w", pattern, err)
			}
			if ok {
				found = true
				wanted[r.name], wanted[r.base] = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("choose rows: no row is called %q; tests/bench/run --list names them", pattern)
		}
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return !wanted[r.name] }), nil
}
