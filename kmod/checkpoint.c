// SPDX-License-Identifier: GPL-2.0-only
#include "checkpoint.h"

#include <linux/random.h>
#include <net/dst.h>
#include <net/ip6_checksum.h>
#include "migration.h"

static struct mbc_passage *outward(struct mbc_migration *m)
{
	return &m->passage[mbc_slot_dir(mbc_migration_outlet(m))];
}

static u32 end_of(const struct mbc_packet *p)
{
	return mbc_packet_seq(p) + mbc_packet_payload(p) +
	       !!(p->flags & MBC_TCP_FIN);
}

void mbc_checkpoint_set(struct mbc_migration *m)
{
	struct mbc_checkpoint *c = &m->checkpoint;

	spin_lock_bh(&m->lock);
	c->on = true;
	c->known = outward(m)->known;
	c->end = outward(m)->end;
	spin_unlock_bh(&m->lock);
}

/* A host in the middle knows nothing from before the lock. Where it has sent no data
 * since and nobody has said a word of it, we take what was sent before as acknowledged.
 */
static bool reached(struct mbc_migration *m)
{
	const struct mbc_checkpoint *c = &m->checkpoint;
	const struct mbc_passage *w = outward(m);

	if (!c->on || !c->armed)
		return false;
	if (!c->known || (!w->data && !w->heard))
		return true;
	return w->heard && mbc_seq_reaches(w->acked, c->end);
}

void mbc_checkpoint_arm(struct mbc_migration *m)
{
	bool now;

	spin_lock_bh(&m->lock);
	m->checkpoint.armed = true;
	now = reached(m);
	spin_unlock_bh(&m->lock);
	if (now)
		mbc_migration_note(m, 0, BIT(MBC_FACT_ACK_REACHED));
}

void mbc_checkpoint_clear(struct mbc_migration *m)
{
	spin_lock_bh(&m->lock);
	m->checkpoint.on = false;
	spin_unlock_bh(&m->lock);
}

/* Of what nobody has cut it was on its way when the checkpoint came. */
void mbc_checkpoint_sent(struct mbc_migration *m, const struct mbc_packet *p)
{
	struct mbc_checkpoint *c = &m->checkpoint;
	struct mbc_passage *w = outward(m);
	const u32 end = end_of(p);

	w->data |= end != mbc_packet_seq(p);
	if (!c->on || mbc_packet_is_released(p->skb, p->tuple.family))
		return;
	if (!c->known || !mbc_seq_reaches(c->end, end)) {
		c->known = true;
		c->end = end;
	}
}

bool mbc_checkpoint_came(struct mbc_migration *m, const struct mbc_packet *p)
{
	if (!(p->flags & MBC_TCP_ACK))
		return false;
	mbc_passage_acknowledge(outward(m), ntohl(mbc_packet_tcp(p)->ack_seq));
	return !(m->facts & BIT(MBC_FACT_ACK_REACHED)) && reached(m);
}

/* The sum of a packet that is cut is made anew: it must have been right. */
static bool checked(const struct mbc_packet *p)
{
	const struct sk_buff *skb = p->skb;
	const struct mbc_tuple *t = &p->tuple;
	unsigned int len = skb->len - p->l4_off;
	struct in6_addr saddr, daddr;
	__wsum sum;

	if (skb->ip_summed == CHECKSUM_PARTIAL || skb_csum_unnecessary(skb))
		return true;
	sum = skb_checksum(skb, p->l4_off, len, 0);
	if (t->family == AF_INET)
		return !tcp_v4_check(len, t->saddr.ip, t->daddr.ip, sum);
	memcpy(&saddr, &t->saddr, sizeof(saddr));
	memcpy(&daddr, &t->daddr, sizeof(daddr));
	return !csum_ipv6_magic(&saddr, &daddr, len, IPPROTO_TCP, sum);
}

/* Lengths in the IP header; the pseudo header's sum, for a device to go on with. */
static __sum16 finish_ip(struct sk_buff *skb, const struct mbc_packet *p)
{
	unsigned int len = skb->len - p->l4_off;

	if (p->tuple.family == AF_INET) {
		struct iphdr *iph = ip_hdr(skb);

		iph->tot_len = htons(skb->len);
		if (!(iph->frag_off & htons(IP_DF)))
			iph->id = (__force __be16)get_random_u16();
		ip_send_check(iph);
		return ~tcp_v4_check(len, iph->saddr, iph->daddr, 0);
	}
	ipv6_hdr(skb)->payload_len = htons(skb->len - sizeof(struct ipv6hdr));
	return ~csum_ipv6_magic(&ipv6_hdr(skb)->saddr, &ipv6_hdr(skb)->daddr,
				len, IPPROTO_TCP, 0);
}

/* A GSO packet stays one if it is still longer than a segment. */
static void finish_gso(struct sk_buff *skb, const struct sk_buff *from,
		       unsigned int payload)
{
	const unsigned int size = skb_shinfo(from)->gso_size;

	if (!size || payload <= size)
		return;
	skb_shinfo(skb)->gso_size = size;
	skb_shinfo(skb)->gso_type = skb_shinfo(from)->gso_type;
	skb_shinfo(skb)->gso_segs = DIV_ROUND_UP(payload, size);
}

/* A packet like @p with @len bytes of its payload, from @off on, and of its flags
 * @flags. NULL: no memory.
 */
static struct sk_buff *piece(const struct mbc_packet *p, unsigned int off,
			     unsigned int len, u8 flags)
{
	const struct sk_buff *from = p->skb;
	struct sk_buff *skb;
	struct tcphdr *th;

	skb = alloc_skb(MAX_HEADER + p->data_off + len,
			GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_reserve(skb, MAX_HEADER);
	skb_put(skb, p->data_off + len);
	if (skb_copy_bits(from, 0, skb->data, p->data_off) ||
	    skb_copy_bits(from, p->data_off + off, skb->data + p->data_off, len)) {
		kfree_skb(skb);
		return NULL;
	}
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, p->l4_off);
	skb->protocol = from->protocol;
	skb->priority = from->priority;
	skb->mark = from->mark;
	/* @dev stays NULL: it is sent as if it were our own, like what waits. With the
	 * device by which it leaves it would be taken for forwarded.
	 */
	skb->skb_iif = from->skb_iif;
	memcpy(skb->cb, from->cb, sizeof(skb->cb));
	skb_dst_copy(skb, from);
	nf_copy(skb, from);

	th = tcp_hdr(skb);
	((u8 *)th)[13] &= flags;
	th->seq = htonl(mbc_packet_seq(p) + off);
	th->check = finish_ip(skb, p);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
	finish_gso(skb, from, len);
	mbc_packet_mark_released(skb, p->tuple.family);
	return skb;
}

/* Flags that a piece keeps. Urgent data has no place in one: it is where it is. */
#define ACK_ALONE 0x50	/* ACK, ECE */
#define NOT_LAST 0xd6	/* all but FIN, PSH, URG */
#define NOT_FIRST 0x5f	/* all but CWR, which went in front, and URG */

/* What it acknowledges goes ahead, if that is news. mbc_migration.lock held. */
static enum mbc_reason tell(struct mbc_migration *m, const struct mbc_packet *p,
			    struct sk_buff **ahead)
{
	const u32 ack = ntohl(mbc_packet_tcp(p)->ack_seq);
	struct mbc_passage *w = outward(m);

	if (!(p->flags & MBC_TCP_ACK) ||
	    (w->spoken && mbc_seq_reaches(w->told, ack)))
		return MBC_REASON_NONE;
	*ahead = piece(p, 0, 0, ACK_ALONE);
	if (!*ahead)
		return MBC_REASON_NO_MEMORY;
	/* As if nothing had been sent behind the checkpoint. */
	if (m->checkpoint.known) {
		struct tcphdr *th = tcp_hdr(*ahead);

		th->seq = htonl(m->checkpoint.end);
	}
	w->spoken = true;
	w->told = ack;
	return MBC_REASON_NONE;
}

static enum mbc_reason split(const struct mbc_packet *p, unsigned int off,
			     struct sk_buff **ahead, struct sk_buff **rest)
{
	if (p->skb->len > IP_MAX_MTU || !checked(p))
		return MBC_REASON_BAD_PACKET;
	*ahead = piece(p, 0, off, NOT_LAST);
	*rest = piece(p, off, mbc_packet_payload(p) - off, NOT_FIRST);
	if (*ahead && *rest)
		return MBC_REASON_NONE;
	kfree_skb(*ahead);
	kfree_skb(*rest);
	*ahead = NULL;
	*rest = p->skb;
	return MBC_REASON_NO_MEMORY;
}

/* mbc_migration.lock held. */
static enum mbc_reason cut(struct mbc_migration *m, const struct mbc_packet *p,
			   struct sk_buff **ahead, struct sk_buff **rest)
{
	const struct mbc_checkpoint *c = &m->checkpoint;
	const u32 seq = mbc_packet_seq(p);

	if (p->flags & (MBC_TCP_SYN_FLAG | MBC_TCP_RST) || end_of(p) == seq ||
	    (c->known && mbc_seq_reaches(c->end, end_of(p)))) {
		*rest = NULL;
		return MBC_REASON_NONE;
	}
	*rest = p->skb;
	if (!c->known || mbc_seq_reaches(seq, c->end))
		return tell(m, p, ahead);
	return split(p, c->end - seq, ahead, rest);
}

enum mbc_reason mbc_checkpoint_cut(struct mbc_migration *m,
				   const struct mbc_packet *p,
				   struct sk_buff **ahead,
				   struct sk_buff **rest)
{
	enum mbc_reason reason = MBC_REASON_NONE;

	*ahead = NULL;
	*rest = p->skb;
	spin_lock(&m->lock);
	if (m->checkpoint.on)
		reason = cut(m, p, ahead, rest);
	spin_unlock(&m->lock);
	return reason;
}
