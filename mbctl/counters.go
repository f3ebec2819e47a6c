// SPDX-License-Identifier: Apache-2.0

package main

// counters explains each enum mbc_reason of kmod/uapi/mbchain_reason.h, in its order
// and by its name in lower case; a test holds the two together. "Dropped" and
// "passed on" say what became of the packet.
var counters = []struct{ name, meaning string }{
	{"rewritten_in", "packets turned from subsession to supersession"},
	{"rewritten_out", "packets turned from supersession to subsession"},
	{"setup_started", "sessions begun here: first SYN of a client on this host"},
	{"setup_accepted", "sessions taken over from the host to the left"},
	{"setup_repeated", "SYNs sent again for a session that is being set up"},

	{"end_fin", "sessions ended: closed by both sides"},
	{"end_rst", "sessions ended: reset by one side"},
	{"end_syn_timeout", "sessions ended: the set-up was never answered"},
	{"end_idle", "sessions ended: no packet for the idle time"},
	{"end_deleted", "sessions ended: deleted by an operator or agent"},
	{"end_replaced", "sessions ended: the client opened the same five-tuple anew"},

	{"hdr_truncated", "set-up header cut off by the end of the payload; passed on"},
	{"hdr_version", "set-up header of an unknown version; passed on"},
	{"hdr_length", "set-up header whose length and number of hops disagree; passed on"},
	{"hdr_flags", "set-up header with an unknown flag or reserved byte; passed on"},
	{"hdr_proto", "set-up header for an unsupported family or protocol; passed on"},
	{"hdr_hops", "set-up header with more hops than there can be; passed on"},
	{"hdr_key", "set-up header signed with an unknown key; passed on: are the keys in sync?"},
	{"hdr_mac", "set-up header with a wrong signature; passed on: forged or damaged"},

	{"hdr_stale", "set-up header too old or too new; dropped: do the clocks agree?"},
	{"hdr_replay", "set-up header with a session id seen on another tuple; dropped: replayed"},
	{"hdr_tuple", "set-up header with an address that is not unicast or port 0; dropped"},
	{"hdr_receiver", "set-up header made for another host than this; dropped"},
	{"hdr_loop", "set-up header whose next hop is this host; dropped"},

	{"no_key", "set-up failed: no key to sign with; has policyd been reached?"},
	{"no_route", "set-up failed: no route to the next hop"},
	{"no_port", "set-up failed: no pair of ports is free towards the next hop"},
	{"no_memory", "set-up failed: the kernel has no memory"},
	{"table_full", "set-up failed: as many sessions as allowed"},
	{"seen_full", "set-up failed: too many new session ids to remember"},
	{"chain_loop", "set-up failed: the chain visits a host twice; mend the policy"},
	{"syn_too_long", "set-up failed: the SYN with its header exceeds the next hop's MTU"},
	{"tuple_taken", "set-up failed: another session has the subsession's five-tuple"},
	{"no_answer", "set-up failed: the SYN was repeated too often unanswered"},

	{"blocked", "packets dropped because the set-up failed and the rule says block"},
	{"bypassed", "packets passed on because the set-up failed and the rule says bypass"},

	{"bad_packet", "packets dropped: malformed TCP header"},
	{"not_writable", "packets dropped: no memory to make them writable"},
	{"route_gone", "packets dropped: the route to the next hop is gone"},

	{"fragment", "fragments passed on as they are: not for this host"},

	{"no_instance", "set-up failed: an NF type has no instance of the session's family"},

	{"setup_waited", "sessions whose first packets waited for the agents to set them up"},
	{"setup_done", "sessions that the agents set up out-of-band"},
	{"held", "packets that waited for the agents; counted again for what became of them"},
	{"hold_full", "packets dropped: too many wait for the agents"},
	{"no_listener", "set-up failed: no agentd runs on this host"},
	{"peer_refused", "set-up failed: a host on the path refused; its counters say why"},
	{"peer_noted", "neighbours that answer no SYN with payload: out-of-band from then on"},

	{"icmp_in", "ICMP errors about a subsession, turned into ones about its supersession"},
	{"icmp_out", "ICMP errors about a supersession, sent to the neighbour concerned"},
	{"icmp_bad", "ICMP errors with a wrong checksum; passed on"},
	{"too_big", "packets dropped, answered by an ICMP error: longer than the next hop's MTU"},
	{"fragment_held", "fragments that waited for the rest of their packet, or fitted none"},

	{"express", "packets sent straight on, from subsession to subsession"},
	{"tapped", "packets of which a copy went to the tap"},
	{"tap_lost", "packets of which no copy went to the tap: no memory, or its queue is full"},
	{"redirected", "packets sent into the NF's device"},
	{"redirect_gone", "packets dropped: the NF's device is gone"},
	{"nat_astray", "sessions that left the chain: an NF here changed their destination"},
	{"syn_refused", "set-up failed: the next host has no module, or another key (a RST said so)"},

	{"not_movable", "changes of a chain refused: session not established, or in another change"},
	{"marker", "markers taken: behind all packets of a session over a path that it leaves"},
	{"late_rst", "RSTs dropped: by a path that their session has left"},
	{"paused", "packets that waited while their session changed its path"},
	{"pause_over", "sessions whose packets waited too long, or too many: let go, old path"},
	{"marker_late", "markers that went on without all packets that should have gone before"},
	{"marker_strange", "markers dropped: of another change of the chain, or forged"},
	{"end_moved", "sessions ended: their path leads past this host now"},
	{"ack_ahead", "packets that waited while what they acknowledge went ahead; see paused"},
	{"pause_split", "packets cut while their session changed its path; a part waited: paused"},
	{"unchained", "packets for this host past the chain that a required rule asks for: dropped"},
}

// explainCounter is empty for a counter of a newer module.
func explainCounter(name string) string {
	for _, c := range counters {
		if c.name == name {
			return c.meaning
		}
	}
	return "unknown to this mbctl: is the module newer?"
}
