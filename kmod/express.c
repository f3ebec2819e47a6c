// SPDX-License-Identifier: GPL-2.0-only
/*
 * The express path (design section 4): both translations in one, the route that
 * the session keeps, and the neighbour's hardware address. No lock. What is not
 * plain goes the way through the host's stack, which knows what to do about it.
 */
#include "express.h"

#include <linux/ipv6.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ndisc.h>
#include <net/neighbour.h>
#include <net/route.h>
#include "compat.h"
#include "hold.h"
#include "rewrite.h"
#include "stats.h"

/* The entry by which what came by @e leaves. */
static struct mbc_entry *partner(struct mbc_entry *e)
{
	struct mbc_session *s = mbc_entry_session(e);

	return &s->entry[e->slot == MBC_IN_LEFT ? MBC_OUT_RIGHT : MBC_OUT_LEFT];
}

/* Is it the stack's to answer an expired TTL, and a packet that is too long? */
static bool fits(const struct mbc_packet *p, const struct dst_entry *dst)
{
	const struct sk_buff *skb = p->skb;
	u8 ttl = p->tuple.family == AF_INET ? ip_hdr(skb)->ttl :
					      ipv6_hdr(skb)->hop_limit;
	u32 mtu = dst_mtu(dst);

	if (ttl <= 1)
		return false;
	return skb->len <= mtu ||
	       (skb_is_gso(skb) && skb_gso_validate_network_len(skb, mtu));
}

/* A way that is no more than a device and a neighbour. */
static bool plain(const struct dst_entry *dst)
{
	return !dst_xfrm(dst) && !dst->lwtstate &&
	       !(dst->dev->flags & IFF_LOOPBACK);
}

static void translate(struct mbc_packet *p, const struct mbc_entry *in,
		      const struct mbc_entry *out)
{
	struct mbc_xlate x = out->xlate;

	mbc_xlate_join(&x, &in->xlate);
	mbc_rewrite_headers(p->skb, p, &x);
	if (p->tuple.family == AF_INET)
		ip_decrease_ttl(ip_hdr(p->skb));
	else
		ipv6_hdr(p->skb)->hop_limit--;
}

static struct neighbour *neighbour4(struct sk_buff *skb, struct dst_entry *dst)
{
	bool is_v6gw = false;

	return ip_neigh_for_gw(container_of(dst, struct rtable, dst), skb,
			       &is_v6gw);
}

static struct neighbour *neighbour6(struct sk_buff *skb, struct dst_entry *dst)
{
	const struct in6_addr *addr =
		rt6_nexthop(container_of(dst, struct rt6_info, dst),
			    &ipv6_hdr(skb)->daddr);
	struct neighbour *neigh = __ipv6_neigh_lookup_noref(dst->dev, addr);

	return neigh ?: __neigh_create(&nd_tbl, addr, dst->dev, false);
}

static enum mbc_verdict transmit(struct mbc_net *mn, struct mbc_packet *p,
				 struct dst_entry *dst)
{
	struct sk_buff *skb = p->skb;
	struct neighbour *neigh;

	skb_forward_csum(skb);
	skb_clear_tstamp(skb);
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, dst);
	skb->dev = dst->dev;
	rcu_read_lock_bh();
	neigh = p->tuple.family == AF_INET ? neighbour4(skb, dst) :
					     neighbour6(skb, dst);
	if (unlikely(IS_ERR(neigh))) {
		rcu_read_unlock_bh();
		mbc_count(mn, MBC_REASON_ROUTE_GONE);
		return MBC_DROP;
	}
	neigh_output(neigh, skb, false);
	rcu_read_unlock_bh();
	return MBC_STOLEN;
}

bool mbc_express(struct mbc_net *mn, struct mbc_packet *p, struct mbc_entry *e,
		 enum mbc_verdict *verdict)
{
	struct mbc_session *s = mbc_entry_session(e);
	struct mbc_entry *out = partner(e);
	struct dst_entry *dst;

	if (unlikely(p->seg.flags & MBC_TCP_SYN_FLAG || !mbc_hold_ready(s)))
		return false;
	dst = mbc_rewrite_route_noref(mn, out);
	if (unlikely(!dst || !plain(dst) || !fits(p, dst)))
		return false;
	if (unlikely(!mbc_packet_writable(p, p->data_off) ||
		     skb_cow_head(p->skb, LL_RESERVED_SPACE(dst->dev)))) {
		mbc_count(mn, MBC_REASON_NOT_WRITABLE);
		*verdict = MBC_DROP;
		return true;
	}
	translate(p, e, out);
	mbc_entry_count(e, p->wire_len);
	mbc_entry_count(out, p->wire_len);
	mbc_session_advance(s, mbc_slot_dir(e->slot), &p->seg);
	mbc_count(mn, MBC_REASON_EXPRESS);
	*verdict = transmit(mn, p, dst);
	return true;
}
