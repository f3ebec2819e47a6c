// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parsing and changing one packet. No state, no lock. skb->data is at the IP
 * header in every hook that we use.
 */
#include "packet.h"

#include <net/ip.h>
#include <net/tcp.h>
#include "stats.h"

bool mbc_packet_parse(struct mbc_packet *p, struct mbc_net *mn,
		      struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	const struct tcphdr *th;
	unsigned int off, hlen, tot;

	if (iph->protocol != IPPROTO_TCP)
		return false;
	if (unlikely(ip_is_fragment(iph))) {
		mbc_count(mn, MBC_REASON_FRAGMENT);
		return false;
	}

	off = iph->ihl * 4;
	if (!pskb_may_pull(skb, off + sizeof(*th)))
		return false;
	th = (const struct tcphdr *)(skb->data + off);
	hlen = th->doff * 4;
	if (hlen < sizeof(*th) || !pskb_may_pull(skb, off + hlen))
		return false;

	iph = ip_hdr(skb);
	th = (const struct tcphdr *)(skb->data + off);
	/* A big TCP packet has tot_len 0; ip_rcv() trimmed all others to it. */
	tot = skb->len;

	p->skb = skb;
	p->tuple = (struct mbc_tuple){
		.saddr = iph->saddr, .daddr = iph->daddr,
		.sport = th->source, .dport = th->dest,
		.proto = IPPROTO_TCP,
	};
	p->seg.seq = ntohl(th->seq);
	p->seg.ack = ntohl(th->ack_seq);
	p->seg.len = tot - off - hlen;
	p->seg.flags = tcp_flag_byte(th);
	p->tcp_off = off;
	p->data_off = off + hlen;
	p->wire_len = tot;
	return true;
}

/* Both length fields after @delta bytes of payload came or went, and @sum,
 * the ones' complement sum of them (to be added to the data it covers).
 */
static void fix_lengths(struct mbc_packet *p, int delta, __wsum sum)
{
	struct sk_buff *skb = p->skb;
	struct iphdr *iph = ip_hdr(skb);
	struct tcphdr *th = mbc_packet_tcp(p);
	unsigned int l4 = skb->len - p->tcp_off;
	__be16 tot = htons(ntohs(iph->tot_len) + delta);

	csum_replace2(&iph->check, iph->tot_len, tot);
	iph->tot_len = tot;

	/* The length is part of the pseudo header; payload of a packet with
	 * CHECKSUM_PARTIAL is not in the field yet.
	 */
	inet_proto_csum_replace2(&th->check, skb, htons(l4 - delta),
				 htons(l4), true);
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		inet_proto_csum_replace_by_diff(&th->check, skb, sum, false,
						false);
	p->seg.len += delta;
}

/* The whole packet linear, and nobody else's. */
static bool own_all(struct mbc_packet *p, unsigned int room)
{
	struct sk_buff *skb = p->skb;
	unsigned int tail;

	if (skb_linearize(skb))
		return false;
	tail = skb_tailroom(skb) < room ? room - skb_tailroom(skb) : 0;
	if ((tail || skb_cloned(skb)) &&
	    pskb_expand_head(skb, 0, tail, GFP_ATOMIC))
		return false;

	/* The hardware's sum of the old bytes is of no use any more; the stack
	 * makes its own from the header field.
	 */
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		skb->ip_summed = CHECKSUM_NONE;
	return true;
}

bool mbc_packet_add_setup(struct mbc_packet *p, const u8 *hdr,
			  unsigned int len)
{
	struct sk_buff *skb = p->skb;
	u8 *payload;

	if (!own_all(p, len))
		return false;
	skb_put(skb, len);
	payload = skb->data + p->data_off;
	memmove(payload + len, payload, p->seg.len);
	memcpy(payload, hdr, len);
	fix_lengths(p, len, csum_partial(hdr, len, 0));
	p->wire_len += len;
	return true;
}

bool mbc_packet_strip_setup(struct mbc_packet *p, unsigned int len)
{
	struct sk_buff *skb = p->skb;
	__wsum sum;
	u8 *payload;

	if (!own_all(p, 0))
		return false;
	payload = skb->data + p->data_off;
	sum = csum_partial(payload, len, 0);
	memmove(payload, payload + len, p->seg.len - len);
	skb_trim(skb, skb->len - len);
	fix_lengths(p, -(int)len, ~sum);
	return true;
}

void mbc_packet_clamp_mss(struct mbc_packet *p, u16 mss)
{
	struct tcphdr *th = mbc_packet_tcp(p);
	unsigned int off;
	__wsum diff;
	u16 old;

	off = mbc_tcp_clamp_mss((u8 *)th, th->doff * 4, mss, &old);
	if (!off)
		return;
	diff = csum_sub((__force __wsum)htons(mss), (__force __wsum)htons(old));
	/* At an odd offset the two bytes stand in the other halves. */
	if (off & 1)
		diff = csum_shift(diff, 1);
	if (p->skb->ip_summed != CHECKSUM_PARTIAL)
		inet_proto_csum_replace_by_diff(&th->check, p->skb, diff, false,
						false);
}
