// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mbchain/proto"
)

const strict = 1 // rp_filter

func (c checkup) reversePath() []finding {
	if names := devicesThat(c.x.Devices, func(d *proto.Device) bool { return d.RpFilter == strict }); names != "" {
		return one("rp_filter", warned, "strict on "+names+": allowed, and costs each restored packet a lookup of its own",
			"sysctl -w net.ipv4.conf.all.rp_filter=2")
	}
	return one("rp_filter", fine, "loose, or off", "")
}

func (c checkup) conntrack() []finding {
	t := c.x.Conntrack
	if t == nil || !c.middle() || !c.inline() {
		return nil
	}
	switch {
	case t.Entries == 0:
		return one("conntrack", fine, "follows nothing here", "")
	case !t.Liberal:
		return one("conntrack", warned, fmt.Sprintf("it judges windows, and follows %s: a live session that is moved here is invalid to it", plural(t.Entries, "flow")),
			"move with mbctl migrate --state conntrack, or: sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1")
	}
	return one("conntrack", fine, "liberal: live sessions may be moved here", "")
}

func (c checkup) offloads() []finding {
	var all []finding
	for _, o := range []struct {
		off  func(*proto.Offloads) bool
		hard bool // of hardware alone: a veth has none by default, and needs none
		l    level
		what string
		do   string
	}{
		{func(o *proto.Offloads) bool { return o.Lro && c.middle() }, false, failed,
			"LRO is on: what it merges cannot be forwarded", "lro off"},
		{func(o *proto.Offloads) bool { return !o.Gro }, true, warned,
			"GRO is off: each packet is rewritten by itself", "gro on"},
		{func(o *proto.Offloads) bool { return !o.Tso }, false, warned,
			"TSO is off: each segment is rewritten by itself", "tso on"},
		{func(o *proto.Offloads) bool { return !o.TxChecksum }, false, warned,
			"checksums are made in software", "tx on"},
	} {
		for _, d := range c.x.Devices {
			if d.Offloads != nil && o.off(d.Offloads) && (d.Hardware || !o.hard) {
				all = append(all, finding{"offloads", o.l, d.Name + ": " + o.what, "ethtool -K " + d.Name + " " + o.do})
			}
		}
	}
	if len(all) == 0 && len(c.x.Devices) > 0 {
		all = one("offloads", fine, "as they should be on "+devicesThat(c.x.Devices, func(*proto.Device) bool { return true }), "")
	}
	return all
}

func (c checkup) neighbours() []finding {
	if !c.x.GetStatus().GetOutOfBand() || len(c.x.Neighbours) == 0 {
		return nil // it has not joined, which is said already, or is alone
	}
	var all []finding
	for _, n := range c.x.Neighbours {
		if n.Error != "" {
			all = append(all, finding{"neighbours", failed, fmt.Sprintf("the agent of %s is not reached: %s", n.Address, n.Error),
				"there: systemctl status mbchain-agentd; let UDP port 7300 pass between the hosts, both ways"})
		}
	}
	if len(all) == 0 {
		what := addresses(len(c.x.Neighbours)) + " reached"
		if c.x.MoreNeighbours > 0 {
			what += fmt.Sprintf(", %d more not tried", c.x.MoreNeighbours)
		}
		all = one("neighbours", fine, what, "")
	}
	return all
}

// mtu says which packets reach the neighbours.
func (c checkup) mtu() []finding {
	var all []finding
	pass := map[uint32]int{}
	for _, n := range c.x.Neighbours {
		switch {
		case n.EchoError != "":
			do := "ip route get " + n.Address
			if strings.Contains(n.EchoError, "not permitted") {
				do = "give agentd CAP_NET_RAW"
			}
			all = append(all, finding{"mtu", warned, n.EchoError, do})
		case n.LargeEchoed:
			pass[n.LinkMtu]++
		case !n.Echoed && n.Error != "": // it is away altogether
		case !n.Echoed:
			all = append(all, finding{"mtu", warned, n.Address + " answers no ICMP echo request: what passes on the way is not known",
				"let ICMP echo requests pass between the hosts"})
		case n.PathMtu != 0 && n.PathMtu < n.LinkMtu:
			all = append(all, finding{"mtu", warned, fmt.Sprintf("on the way to %s only %d bytes pass, and the link here takes %d: each session finds out anew",
				n.Address, n.PathMtu, n.LinkMtu), c.narrow(n.LinkMtu, fmt.Sprint(n.PathMtu))})
		case n.LinkMtu != 0:
			all = append(all, finding{"mtu", failed, fmt.Sprintf("packets of %d bytes to %s get lost, and no ICMP error says why", n.LinkMtu, n.Address),
				"let ICMP fragmentation-needed and packet-too-big pass, give all links between the two one MTU, or: " + c.narrow(n.LinkMtu, "MTU")})
		}
	}
	for _, size := range slices.Sorted(maps.Keys(pass)) {
		all = append(all, finding{"mtu", fine, fmt.Sprintf("%d bytes pass to %s", size, addresses(pass[size])), ""})
	}
	return all
}

// narrow is how to give the device that has an MTU a smaller one.
func (c checkup) narrow(mtu uint32, to string) string {
	var names []string
	for _, d := range c.x.Devices {
		if d.Mtu == mtu {
			names = append(names, d.Name)
		}
	}
	device := "DEVICE"
	if len(names) == 1 {
		device = names[0]
	}
	return "ip link set dev " + device + " mtu " + to
}

func (c checkup) swallowed() []finding {
	var all []finding
	for _, p := range c.x.GetStatus().GetPeers() {
		all = append(all, finding{"syn", warned, "SYNs with payload do not pass to " + peerText(p),
			"find the firewall in between that drops them, or write set-up out-of-band into the rule"})
	}
	if n := c.x.GetStatus().GetMorePeers(); n > 0 {
		all = append(all, finding{"syn", warned, "nor to " + plural(n, "neighbour") + " more", ""})
	}
	if len(all) == 0 {
		all = one("syn", fine, "none with payload was swallowed in the last 10 minutes", "")
	}
	return all
}

// devicesThat names devices, with commas between.
func devicesThat(devices []*proto.Device, fit func(*proto.Device) bool) string {
	var names []string
	for _, d := range devices {
		if fit(d) {
			names = append(names, d.Name)
		}
	}
	return strings.Join(names, ", ")
}

func addresses(n int) string {
	if n == 1 {
		return "1 address"
	}
	return fmt.Sprintf("%d addresses", n)
}
