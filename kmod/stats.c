// SPDX-License-Identifier: GPL-2.0-only
/* Counters: no lock, each CPU counts for itself. */
#include "stats.h"

#include <linux/kernel.h>

u64 mbc_stats_read(const struct mbc_net *mn, enum mbc_reason reason)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(mn->stats, cpu)->count[reason]);
	return sum;
}

static const char *const names[] = {
	[MBC_REASON_NONE] = "none",
	[MBC_REASON_REWRITTEN_IN] = "rewritten_in",
	[MBC_REASON_REWRITTEN_OUT] = "rewritten_out",
	[MBC_REASON_SETUP_STARTED] = "setup_started",
	[MBC_REASON_SETUP_ACCEPTED] = "setup_accepted",
	[MBC_REASON_SETUP_REPEATED] = "setup_repeated",
	[MBC_REASON_END_FIN] = "end_fin",
	[MBC_REASON_END_RST] = "end_rst",
	[MBC_REASON_END_SYN_TIMEOUT] = "end_syn_timeout",
	[MBC_REASON_END_IDLE] = "end_idle",
	[MBC_REASON_END_DELETED] = "end_deleted",
	[MBC_REASON_END_REPLACED] = "end_replaced",
	[MBC_REASON_HDR_TRUNCATED] = "hdr_truncated",
	[MBC_REASON_HDR_VERSION] = "hdr_version",
	[MBC_REASON_HDR_LENGTH] = "hdr_length",
	[MBC_REASON_HDR_FLAGS] = "hdr_flags",
	[MBC_REASON_HDR_PROTO] = "hdr_proto",
	[MBC_REASON_HDR_HOPS] = "hdr_hops",
	[MBC_REASON_HDR_KEY] = "hdr_key",
	[MBC_REASON_HDR_MAC] = "hdr_mac",
	[MBC_REASON_HDR_STALE] = "hdr_stale",
	[MBC_REASON_HDR_REPLAY] = "hdr_replay",
	[MBC_REASON_HDR_TUPLE] = "hdr_tuple",
	[MBC_REASON_HDR_RECEIVER] = "hdr_receiver",
	[MBC_REASON_HDR_LOOP] = "hdr_loop",
	[MBC_REASON_NO_KEY] = "no_key",
	[MBC_REASON_NO_ROUTE] = "no_route",
	[MBC_REASON_NO_PORT] = "no_port",
	[MBC_REASON_NO_MEMORY] = "no_memory",
	[MBC_REASON_TABLE_FULL] = "table_full",
	[MBC_REASON_SEEN_FULL] = "seen_full",
	[MBC_REASON_CHAIN_LOOP] = "chain_loop",
	[MBC_REASON_SYN_TOO_LONG] = "syn_too_long",
	[MBC_REASON_TUPLE_TAKEN] = "tuple_taken",
	[MBC_REASON_NO_ANSWER] = "no_answer",
	[MBC_REASON_BLOCKED] = "blocked",
	[MBC_REASON_BYPASSED] = "bypassed",
	[MBC_REASON_BAD_PACKET] = "bad_packet",
	[MBC_REASON_NOT_WRITABLE] = "not_writable",
	[MBC_REASON_ROUTE_GONE] = "route_gone",
	[MBC_REASON_FRAGMENT] = "fragment",
	[MBC_REASON_NO_INSTANCE] = "no_instance",
	[MBC_REASON_SETUP_WAITED] = "setup_waited",
	[MBC_REASON_SETUP_DONE] = "setup_done",
	[MBC_REASON_HELD] = "held",
	[MBC_REASON_HOLD_FULL] = "hold_full",
	[MBC_REASON_NO_LISTENER] = "no_listener",
	[MBC_REASON_PEER_REFUSED] = "peer_refused",
	[MBC_REASON_PEER_NOTED] = "peer_noted",
	[MBC_REASON_ICMP_IN] = "icmp_in",
	[MBC_REASON_ICMP_OUT] = "icmp_out",
	[MBC_REASON_ICMP_BAD] = "icmp_bad",
	[MBC_REASON_TOO_BIG] = "too_big",
	[MBC_REASON_FRAGMENT_HELD] = "fragment_held",
	[MBC_REASON_EXPRESS] = "express",
	[MBC_REASON_TAPPED] = "tapped",
	[MBC_REASON_TAP_LOST] = "tap_lost",
	[MBC_REASON_REDIRECTED] = "redirected",
	[MBC_REASON_REDIRECT_GONE] = "redirect_gone",
	[MBC_REASON_NAT_ASTRAY] = "nat_astray",
	[MBC_REASON_SYN_REFUSED] = "syn_refused",
	[MBC_REASON_NOT_MOVABLE] = "not_movable",
	[MBC_REASON_MARKER] = "marker",
	[MBC_REASON_LATE_RST] = "late_rst",
	[MBC_REASON_PAUSED] = "paused",
	[MBC_REASON_PAUSE_OVER] = "pause_over",
	[MBC_REASON_MARKER_LATE] = "marker_late",
	[MBC_REASON_MARKER_STRANGE] = "marker_strange",
	[MBC_REASON_END_MOVED] = "end_moved",
	[MBC_REASON_ACK_AHEAD] = "ack_ahead",
	[MBC_REASON_PAUSE_SPLIT] = "pause_split",
	[MBC_REASON_UNCHAINED] = "unchained",
};

static_assert(ARRAY_SIZE(names) == MBC_REASON_MAX + 1);

const char *mbc_reason_name(enum mbc_reason reason)
{
	if ((unsigned int)reason >= ARRAY_SIZE(names) || !names[reason])
		return "unknown";
	return names[reason];
}
