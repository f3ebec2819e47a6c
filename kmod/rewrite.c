// SPDX-License-Identifier: GPL-2.0-only
/* The rewrite itself. No lock: all it reads of a session never changes. */
#include "rewrite.h"

#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/ip.h>
#include "stats.h"

static void rewrite4(struct sk_buff *skb, const struct mbc_packet *p,
		     const struct mbc_xlate *x)
{
	mbc_xlate_apply4(x, ip_hdr(skb), skb->data + p->l4_off,
			 p->tuple.proto, skb->ip_summed == CHECKSUM_PARTIAL);
	if (skb->ip_summed != CHECKSUM_COMPLETE)
		return;
	/* The sum over all bytes: ports and addresses changed, and both header
	 * fields made up for it, the TCP or UDP one for the addresses as well.
	 * Over IPv4 UDP need not have one, and then nobody wants the sum.
	 */
	if (p->tuple.proto == IPPROTO_UDP &&
	    !((struct udphdr *)(skb->data + p->l4_off))->check)
		skb->ip_summed = CHECKSUM_NONE;
	else
		skb->csum = ~csum_sub((__force __wsum)x->addr_diff, skb->csum);
}

void mbc_rewrite_headers(struct sk_buff *skb, const struct mbc_packet *p,
			 const struct mbc_xlate *x)
{
	if (p->tuple.family == AF_INET)
		rewrite4(skb, p, x);
	else
		mbc_xlate_apply6(x, ipv6_hdr(skb), skb->data + p->l4_off,
				 p->tuple.proto,
				 skb->ip_summed == CHECKSUM_PARTIAL);
}

bool mbc_rewrite(struct mbc_net *mn, struct mbc_packet *p, struct mbc_entry *e)
{
	struct sk_buff *skb = p->skb;

	/* Options too: the MSS of a SYN is about to be clamped. */
	if (unlikely(!mbc_packet_writable(p, p->data_off))) {
		mbc_count(mn, MBC_REASON_NOT_WRITABLE);
		return false;
	}
	mbc_rewrite_headers(skb, p, &e->xlate);
	mbc_entry_count(e, p->wire_len);
	return true;
}

struct dst_entry *mbc_rewrite_route_noref(struct mbc_net *mn,
					  struct mbc_entry *e)
{
	struct mbc_session *s = mbc_entry_session(e);

	return mbc_route_peek(&s->route[mbc_slot_dir(e->slot)], mn->net,
			      &e->xlate, s->super.family, s->super.proto);
}

struct dst_entry *mbc_rewrite_route(struct mbc_net *mn,
				    const struct mbc_packet *p,
				    struct mbc_entry *e)
{
	struct mbc_session *s = mbc_entry_session(e);

	if (p->forwarded)
		return mbc_rewrite_route_noref(mn, e);
	return mbc_route_get(&s->route[mbc_slot_dir(e->slot)], mn->net,
			     &e->xlate, s->super.family, s->super.proto);
}

void mbc_rewrite_put_route(const struct mbc_packet *p, struct dst_entry *dst)
{
	if (!p->forwarded)
		dst_release(dst);
}

void mbc_rewrite_send_by(struct mbc_packet *p, struct dst_entry *dst)
{
	skb_dst_drop(p->skb);
	if (p->forwarded)
		skb_dst_set_noref(p->skb, dst);
	else
		skb_dst_set(p->skb, dst);
	/* POST_ROUTING comes after ip_output() has set it. */
	p->skb->dev = dst->dev;
}
