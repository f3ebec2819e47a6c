// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server's side of a rule that is required. A session that came through its
 * chain is known here by the time its packets come; what no session claims came
 * past it. Of TCP only SYNs are stopped: a connection from before the policy goes
 * on, and without one the stack answers by itself. UDP has no beginning, so each
 * packet of it is asked about, as in mbc_originate(). Softirq, under RCU.
 */
#include "guard.h"

#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include "route.h"
#include "ruleset.h"
#include "stats.h"

/* The programs of a policy know no IPv6 extension header. */
static bool forbids(const struct mbc_ruleset *rs, const struct mbc_packet *p)
{
	struct sk_buff *plain;
	bool forbidden;

	if (p->tuple.family == AF_INET ||
	    p->l4_off == sizeof(struct ipv6hdr))
		return mbc_ruleset_forbids(rs, p->skb, p->tuple.family);
	plain = mbc_packet_plain(p);
	if (!plain)
		return true;	/* what cannot be checked does not come in */
	forbidden = mbc_ruleset_forbids(rs, plain, p->tuple.family);
	kfree_skb(plain);
	return forbidden;
}

enum mbc_verdict mbc_guard(struct mbc_net *mn, struct mbc_packet *p)
{
	const struct mbc_ruleset *rs = rcu_dereference(mn->ruleset);
	const bool udp = p->tuple.proto == IPPROTO_UDP;

	if (!rs || !rs->n_guards || (!udp && !mbc_packet_opens(p)) ||
	    p->skb->dev->flags & IFF_LOOPBACK)
		return MBC_ACCEPT;
	if (udp && mbc_ruleset_passed(rs, &p->tuple, true))
		return MBC_ACCEPT;
	if (!mbc_route_is_local(mn->net, &p->tuple.daddr, p->tuple.family))
		return MBC_ACCEPT;
	if (!forbids(rs, p)) {
		if (udp)
			mbc_ruleset_pass(rs, &p->tuple, true);
		return MBC_ACCEPT;
	}
	mbc_count(mn, MBC_REASON_UNCHAINED);
	return MBC_DROP;
}
