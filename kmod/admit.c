// SPDX-License-Identifier: GPL-2.0-only
/*
 * A set-up header from the left neighbour. It comes from the network: until
 * its MAC is verified nothing is allocated and the SYN is an ordinary one.
 * Softirq, under RCU; takes mbc_net.lock.
 */
#include "admit.h"

#include <linux/timekeeping.h>
#include "join.h"
#include "route.h"
#include "stats.h"

enum mbc_verdict mbc_admit(struct mbc_net *mn, struct mbc_packet *p,
			   struct mbc_entry **e)
{
	unsigned int len = min_t(unsigned int, mbc_packet_payload(p),
				 MBC_SETUP_MAX);
	const struct mbc_keys *keys = rcu_dereference(mn->keys);
	struct mbc_join j = { .wire = &p->tuple, .isn = mbc_packet_seq(p) };
	struct mbc_session *s;
	enum mbc_reason reason;
	struct mbc_setup h;
	const u8 *data;

	/* A header is of no use without keys, and keys come before all else. */
	if (mbc_net_idle(mn) || !pskb_may_pull(p->skb, p->data_off + len))
		return MBC_ACCEPT;
	data = p->skb->data + p->data_off;
	if (!mbc_setup_probe(data, len) ||
	    !mbc_route_is_local(mn->net, &p->tuple.daddr, p->tuple.family))
		return MBC_ACCEPT;

	reason = mbc_setup_decode(&h, p->tuple.family, data, len, keys->key,
				  keys->n, (u32)ktime_get_real_seconds(),
				  READ_ONCE(mn->config.freshness));
	if (reason) {
		mbc_count(mn, reason);
		return reason <= MBC_REASON_HDR_MAC ? MBC_ACCEPT : MBC_DROP;
	}

	spin_lock_bh(&mn->lock);
	reason = mbc_join(mn, &h, &j, &s);
	spin_unlock_bh(&mn->lock);
	if (reason) {
		mbc_count(mn, reason);
		return MBC_DROP;
	}
	if (!mbc_packet_strip_setup(p, mbc_setup_len(h.super.family,
						     h.n_hops))) {
		mbc_count(mn, MBC_REASON_NOT_WRITABLE);
		return MBC_DROP;
	}
	*e = &s->entry[MBC_IN_LEFT];
	return MBC_ACCEPT;
}
