// SPDX-License-Identifier: GPL-2.0-only
/*
 * Port allocation (paper section 4.1): both ports of a subsession are
 * rewritten, so a pair of hosts has room for two billion of them each way. Of
 * a server that runs no mbchain only the client's port is.
 */
#include "subsession.h"

#include <linux/random.h>
#include <net/ip.h>

#define PORT_TRIES 32	/* random ones: if none is free, nearly all are taken */

/*
 * Both ends of a pair of hosts may start subsessions to each other at the same
 * time. They never pick the same one: the port at the host with the lower
 * address is even if that host chose it, odd if the other did.
 */
static void pick_ports(const struct mbc_net *mn, struct mbc_tuple *wire)
{
	u32 min = READ_ONCE(mn->config.port_min);
	u32 max = READ_ONCE(mn->config.port_max);
	u32 sport = min + reciprocal_scale(get_random_u32(), max - min + 1);
	u32 dport = min + reciprocal_scale(get_random_u32(), max - min + 1);

	if (memcmp(&wire->saddr, &wire->daddr, sizeof(wire->saddr)) < 0) {
		sport &= ~1;
		if (sport < min)
			sport += 2;
	} else {
		dport |= 1;
		if (dport > max)
			dport -= 2;
	}
	wire->sport = htons(sport);
	wire->dport = htons(dport);
}

/* Sockets of this host may speak with the same server. They are given ports of
 * a range of their own, so one outside of it is better, while there is any.
 */
static bool may_be_a_sockets(const struct mbc_net *mn, __be16 port)
{
	int low, high;

	inet_get_local_port_range(mn->net, &low, &high);
	return ntohs(port) >= low && ntohs(port) <= high;
}

/* Towards the next host, or a server that takes its own port alone. */
static void pick(const struct mbc_session *s, struct mbc_tuple *wire)
{
	int i;

	for (i = 0; i < PORT_TRIES; i++) {
		pick_ports(s->mn, wire);
		if (s->n_hops || !may_be_a_sockets(s->mn, wire->sport))
			break;
	}
	if (!s->n_hops)
		wire->dport = mbc_session_back(s)->sport;
}

enum mbc_reason mbc_subsession_choose(struct mbc_session *s)
{
	struct mbc_net *mn = s->mn;
	const struct mbc_tuple super = mbc_session_super(s);
	const struct mbc_hops *hops = mbc_session_hops(s);
	struct mbc_tuple wire = {
		.daddr = hops ? hops->addr[0] : super.daddr,
		.proto = super.proto, .family = super.family,
	};
	struct mbc_tuple back;
	int i;

	lockdep_assert_held(&mn->lock);
	if (!mbc_route_source(mn->net, &wire))
		return MBC_REASON_NO_ROUTE;
	for (i = 0; i < PORT_TRIES; i++) {
		pick(s, &wire);
		back = mbc_tuple_reverse(&wire);
		if (mbc_table_find(mn, MBC_IN, &back))
			continue;
		mbc_session_set_right(s, &wire);
		return MBC_REASON_NONE;
	}
	return MBC_REASON_NO_PORT;
}

enum mbc_reason mbc_subsession_open(struct mbc_session *s)
{
	enum mbc_reason reason = mbc_subsession_choose(s);

	if (reason)
		return reason;
	switch (mbc_session_install(s)) {
	case 0:
		return MBC_REASON_NONE;
	case -EEXIST:
		return MBC_REASON_TUPLE_TAKEN;
	default:
		return MBC_REASON_NO_MEMORY;
	}
}
