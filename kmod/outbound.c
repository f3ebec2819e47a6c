// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way out: parse, look up the supersession, rewrite to the subsession of
 * the next hop, send it there. A SYN to the right carries the set-up header.
 * Softirq or process context, under RCU.
 */
#include "outbound.h"

#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <net/ip.h>
#include "hold.h"
#include "icmp.h"
#include "mtu.h"
#include "nat.h"
#include "netlink.h"
#include "originate.h"
#include "passage.h"
#include "pause.h"
#include "refusal.h"
#include "rewrite.h"
#include "stats.h"

/* What an MSS leaves out: both headers without options, RFC 9293 3.7.1. */
static u32 headers(u8 family)
{
	return sizeof(struct tcphdr) + (family == AF_INET ?
		sizeof(struct iphdr) : sizeof(struct ipv6hdr));
}

static void clamp_mss(struct mbc_packet *p, u32 mtu)
{
	u32 left_out = headers(p->tuple.family);

	if (mtu > left_out)
		mbc_packet_clamp_mss(p, min_t(u32, mtu - left_out, U16_MAX));
}

/* How the stack has routed it from where it was restored: the next packet need
 * not ask.
 */
static __always_inline void keep_route(struct mbc_session *s, enum mbc_dir dir,
				       const struct sk_buff *skb, u8 family)
{
	if (unlikely(rcu_access_pointer(s->ahead[dir].dst) != skb_dst(skb)))
		mbc_route_keep(&s->ahead[dir], skb, skb->skb_iif, family);
}

static __always_inline void leave(struct mbc_net *mn, struct mbc_packet *p,
				  struct mbc_entry *e, struct dst_entry *dst)
{
	struct mbc_session *s = mbc_entry_session(e);
	enum mbc_dir dir = mbc_slot_dir(e->slot);

	if (unlikely(p->flags & MBC_TCP_SYN_FLAG))
		clamp_mss(p, dst_mtu(dst));
	if (mbc_packet_shows_route(p->skb, p->tuple.family))
		keep_route(s, dir, p->skb, p->tuple.family);
	if (unlikely(p->tuple.proto == IPPROTO_UDP) && !p->forwarded &&
	    p->tuple.family == AF_INET6)
		mbc_mtu_keep_split(p->skb);
	mbc_rewrite_send_by(p->skb, dst);
	/* An NF may have made the RST itself: nothing like it came in. */
	if (mbc_session_counts_outbound(s, dir) ||
	    p->flags & MBC_TCP_RST)
		mbc_rewrite_passed(s, dir, p->skb, p->l4_off, p->flags);
	mbc_count(mn, MBC_REASON_REWRITTEN_OUT);
}

/* Takes @dst over. */
static noinline enum mbc_verdict refuse(struct mbc_net *mn,
					struct sk_buff *skb, u8 family,
					struct dst_entry *dst)
{
	u32 mtu = dst_mtu(dst);

	mbc_rewrite_put_route(skb, dst);
	return mbc_mtu_refuse(mn, skb, family, mtu);
}

static __always_inline enum mbc_verdict
send_plain(struct mbc_net *mn, struct mbc_packet *p, struct mbc_entry *e)
{
	struct dst_entry *dst = mbc_rewrite_route(mn, p->skb, e);

	if (unlikely(!dst)) {
		mbc_count(mn, MBC_REASON_ROUTE_GONE);
		return MBC_DROP;
	}
	if (mbc_mtu_exceeds(p->skb, p->tuple.family, dst))
		return refuse(mn, p->skb, p->tuple.family, dst);
	if (!mbc_rewrite(mn, p, e)) {
		mbc_rewrite_put_route(p->skb, dst);
		return MBC_DROP;
	}
	leave(mn, p, e, dst);
	return MBC_ACCEPT;
}

static noinline enum mbc_verdict send(struct mbc_net *mn, struct mbc_packet *p,
				      struct mbc_entry *e)
{
	return send_plain(mn, p, e);
}

/* Coded set-up header for the right neighbour; 0: there is no key. */
static unsigned int encode(struct mbc_net *mn, const struct mbc_session *s,
			   u8 *buf)
{
	const struct mbc_keys *keys = rcu_dereference(mn->keys);
	const struct mbc_hops *hops = mbc_session_hops(s);
	struct mbc_setup h;

	if (!keys->n)
		return 0;
	memcpy(h.id, s->id, sizeof(h.id));
	h.time = (u32)ktime_get_real_seconds();
	/* An NF that is a NAT may have changed it here. */
	h.super = s->entry[MBC_OUT_RIGHT].tuple;
	h.n_hops = hops->n;
	memcpy(h.hops, hops->addr, hops->n * sizeof(*hops->addr));
	return mbc_setup_encode(&h, &keys->key[0], buf);
}

/* A SYN that cannot be sent on its way. */
static enum mbc_verdict fail(struct mbc_session *s, enum mbc_reason reason)
{
	if (s->role == MBC_ROLE_CLIENT)
		return mbc_originate_failed(s, reason);
	mbc_count(s->mn, reason);
	return MBC_DROP;
}

/* The first packet of a session, or the same again: Linux repeats a SYN until
 * it is answered, and every host on the path just does its part again.
 */
static enum mbc_verdict send_syn(struct mbc_net *mn, struct mbc_packet *p,
				 struct mbc_entry *e)
{
	struct mbc_session *s = mbc_entry_session(e);
	struct dst_entry *dst = mbc_rewrite_route(mn, p->skb, e);
	enum mbc_reason reason;
	u8 hdr[MBC_SETUP_MAX];
	unsigned int len;

	if (!dst)
		return fail(s, MBC_REASON_ROUTE_GONE);
	reason = MBC_REASON_NO_KEY;
	len = encode(mn, s, hdr);
	if (!len)
		goto err_dst;
	reason = MBC_REASON_SYN_TOO_LONG;
	if (p->skb->len + len > dst_mtu(dst))
		goto err_dst;
	reason = MBC_REASON_NOT_WRITABLE;
	s->syn_data = mbc_packet_payload(p);
	if (!mbc_packet_add_setup(p, hdr, len))
		goto err_dst;
	if (!mbc_rewrite(mn, p, e)) {
		mbc_rewrite_put_route(p->skb, dst);
		return MBC_DROP;
	}
	leave(mn, p, e, dst);
	return MBC_ACCEPT;

err_dst:
	mbc_rewrite_put_route(p->skb, dst);
	return fail(s, reason);
}

/* A SYN that stays unanswered although it is repeated may have met somebody who
 * swallows SYNs with payload. What is farther right looks sooner, so that it is
 * the host before the gap that finds out.
 */
static bool unheard(const struct mbc_session *s)
{
	u8 patience = s->role == MBC_ROLE_CLIENT ? 2 : 1;

	return s->n_hops && s->syns >= patience && !s->in_band &&
	       s->tcp.state == MBC_TCP_SYN && !READ_ONCE(s->asked) &&
	       mbc_netlink_listened(s->mn->net, MBC_SETUPS);
}

static enum mbc_verdict open_right(struct mbc_net *mn, struct mbc_packet *p,
				   struct mbc_entry *e)
{
	struct mbc_session *s = mbc_entry_session(e);

	/* A server without mbchain gets an ordinary SYN. */
	if (s->setup == MBC_SETUP_DONE || !s->n_hops)
		return send(mn, p, e);
	if (s->syns < U8_MAX)
		s->syns++;
	return send_syn(mn, p, e);
}

static enum mbc_verdict to_right(struct mbc_net *mn, struct mbc_packet *p,
				 struct mbc_entry *e)
{
	struct mbc_session *s = mbc_entry_session(e);
	bool opens = mbc_packet_opens(p);
	enum mbc_verdict verdict;

	if (unlikely(opens) && unheard(s))
		mbc_hold_begin(s);
	if (unlikely(!mbc_hold_over(s)) &&
	    mbc_hold_packet(s, p->skb, &verdict))
		return verdict;
	return unlikely(opens) ? open_right(mn, p, e) : send(mn, p, e);
}

static enum mbc_verdict to_left(struct mbc_net *mn, struct mbc_packet *p,
				struct mbc_entry *e)
{
	const struct mbc_session *s = mbc_entry_session(e);

	if (unlikely(p->flags & MBC_TCP_RST && READ_ONCE(s->refused)) &&
	    !mbc_refusal_tell(mn, p, s))
		return MBC_DROP;
	return send(mn, p, e);
}

/* Without @e it may begin a session; else it is of one that begins or ends. */
static noinline enum mbc_verdict special(struct mbc_net *mn,
					 struct mbc_packet *p,
					 struct mbc_entry *e,
					 const struct net_device *out)
{
	enum mbc_verdict verdict = MBC_ACCEPT;

	if (!e && p->forwarded)
		e = mbc_nat_follow(mn, p);
	if (e && unlikely(READ_ONCE(mbc_entry_session(e)->paused))) {
		if (mbc_pause_packet(mn, p, &e, &verdict))
			return verdict;
		if (mbc_passage_outbound(mn, p, e) != MBC_ACCEPT)
			return MBC_DROP;
	}
	if (e && e->slot != MBC_OUT_RIGHT)
		return to_left(mn, p, e);
	if (e && mbc_packet_opens(p) &&
	    mbc_entry_session(e)->role == MBC_ROLE_CLIENT) {
		verdict = mbc_originate_again(mn, p, &e);
	} else if (!e) {
		if (out->flags & IFF_LOOPBACK ||
		    (p->forwarded && !READ_ONCE(mn->config.gateway)))
			return MBC_ACCEPT;
		verdict = mbc_originate(mn, p, &e);
	}
	return e ? to_right(mn, p, e) : verdict;
}

static __always_inline enum mbc_verdict
outbound(struct mbc_net *mn, struct sk_buff *skb, u8 family,
	 const struct net_device *in, const struct net_device *out)
{
	struct mbc_packet p __uninitialized;
	struct mbc_entry *e;

	if (!mbc_packet_parse(&p, mn, skb, family))
		return mbc_icmp_outbound(mn, skb, family, out);
	p.forwarded = in;
	e = mbc_table_find(mn, MBC_OUT, &p.tuple);
	if (likely(e && !(p.flags & (MBC_TCP_SYN_FLAG | MBC_TCP_RST)) &&
		   mbc_hold_ready(mbc_entry_session(e))))
		return send_plain(mn, &p, e);
	if (!e && !mbc_packet_may_open(&p))
		return MBC_ACCEPT;
	return special(mn, &p, e, out);
}

enum mbc_verdict mbc_outbound4(struct mbc_net *mn, struct sk_buff *skb,
			       const struct net_device *in,
			       const struct net_device *out)
{
	return outbound(mn, skb, AF_INET, in, out);
}

enum mbc_verdict mbc_outbound6(struct mbc_net *mn, struct sk_buff *skb,
			       const struct net_device *in,
			       const struct net_device *out)
{
	return outbound(mn, skb, AF_INET6, in, out);
}
