/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Vertical and horizontal NAT on a packet (paper section 3.2), and sending it
 * where its new destination is. No lock: all this reads of a session never
 * changes, but for its routes.
 */
#ifndef MBC_REWRITE_H
#define MBC_REWRITE_H

#include "packet.h"
#include "session.h"
#include "stats.h"

/** mbc_rewrite_complete4() - set right a sum over the whole of an IPv4 packet */
void mbc_rewrite_complete4(struct sk_buff *skb, unsigned int l4_off,
			   struct mbc_xlate x);

/**
 * mbc_rewrite_headers() - a packet's tuple becomes another
 * @skb: its headers are writable
 * @family: AF_INET or AF_INET6
 * @l4_off: offset of the TCP or UDP header from skb->data
 *
 * Right for every kind of checksum offload; a GSO packet stays whole.
 */
static __always_inline void
mbc_rewrite_headers(struct sk_buff *skb, u8 family, unsigned int l4_off,
		    struct mbc_xlate x)
{
	void *l4 = skb->data + l4_off;
	bool partial = skb->ip_summed == CHECKSUM_PARTIAL;

	if (family == AF_INET) {
		mbc_xlate_apply4(x, ip_hdr(skb), l4, partial);
		if (skb->ip_summed == CHECKSUM_COMPLETE)
			mbc_rewrite_complete4(skb, l4_off, x);
	} else {
		mbc_xlate_apply6(x, ipv6_hdr(skb), l4, partial);
	}
}

/**
 * mbc_rewrite() - the packet's tuple becomes what @e says
 *
 * Counts the packet for @e. Return: false, counted, when memory is short.
 */
static __always_inline bool mbc_rewrite(struct mbc_net *mn,
					const struct mbc_packet *p,
					struct mbc_entry *e)
{
	/* Options too: the MSS of a SYN is about to be clamped. */
	if (unlikely(!mbc_packet_writable(p->skb, p->data_off))) {
		mbc_count(mn, MBC_REASON_NOT_WRITABLE);
		return false;
	}
	mbc_rewrite_headers(p->skb, p->tuple.family, p->l4_off,
			    mbc_entry_xlate(e));
	mbc_entry_count(e, p->wire_len);
	return true;
}

/** mbc_rewrite_step() - mbc_rewrite_passed() of one that may change its state */
void mbc_rewrite_step(struct mbc_session *s, enum mbc_dir dir,
		      const struct sk_buff *skb, unsigned int l4_off, u8 flags);

/**
 * mbc_rewrite_passed() - the session takes note of one of its packets
 * @l4_off: offset of the TCP or UDP header from skb->data
 * @flags: MBC_TCP_*
 */
static __always_inline void
mbc_rewrite_passed(struct mbc_session *s, enum mbc_dir dir,
		   const struct sk_buff *skb, unsigned int l4_off, u8 flags)
{
	if (READ_ONCE(s->seen) != jiffies)
		WRITE_ONCE(s->seen, jiffies);
	if (unlikely(mbc_tcp_interesting(&s->tcp, flags)))
		mbc_rewrite_step(s, dir, skb, l4_off, flags);
}

/* Where a packet's own route is not counted, whoever sent it stays in an RCU
 * read side until it is gone: what we put in its place need not be either.
 */
static inline bool mbc_rewrite_noref(const struct sk_buff *skb)
{
	return skb_dst_is_noref(skb);
}

/** mbc_rewrite_route_noref() - the way to @e's neighbour, for this RCU read side */
static inline struct dst_entry *mbc_rewrite_route_noref(struct mbc_net *mn,
							struct mbc_entry *e)
{
	struct mbc_session *s = mbc_entry_session(e);

	return mbc_route_peek(&s->route[mbc_slot_dir(e->slot)], mn->net,
			      &mbc_entry_back(e)->tuple);
}

/**
 * mbc_rewrite_route() - the way to @e's neighbour for @skb
 *
 * Return: for mbc_rewrite_send_by() or mbc_rewrite_put_route(); NULL: none.
 */
static inline struct dst_entry *mbc_rewrite_route(struct mbc_net *mn,
						  const struct sk_buff *skb,
						  struct mbc_entry *e)
{
	struct mbc_session *s = mbc_entry_session(e);

	if (likely(mbc_rewrite_noref(skb)))
		return mbc_rewrite_route_noref(mn, e);
	return mbc_route_get(&s->route[mbc_slot_dir(e->slot)], mn->net,
			     &mbc_entry_back(e)->tuple);
}

static inline void mbc_rewrite_put_route(const struct sk_buff *skb,
					 struct dst_entry *dst)
{
	if (!mbc_rewrite_noref(skb))
		dst_release(dst);
}

/** mbc_rewrite_send_by() - the packet leaves by @dst, which is taken over */
static inline void mbc_rewrite_send_by(struct sk_buff *skb,
				       struct dst_entry *dst)
{
	if (likely(mbc_rewrite_noref(skb))) {
		skb_dst_drop(skb);
		skb_dst_set_noref(skb, dst);
	} else {
		skb_dst_drop(skb);
		skb_dst_set(skb, dst);
	}
	/* POST_ROUTING comes after ip_output() has set it. */
	skb->dev = dst->dev;
}

#endif /* MBC_REWRITE_H */
