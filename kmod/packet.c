// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parsing and changing one packet. No state, no lock. skb->data is at the IP
 * header in every hook that we use.
 */
#include "packet.h"

#include <net/ip.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include "option.h"

/* Behind options, which few packets have. */
unsigned int mbc_packet_find6(struct mbc_net *mn, const struct sk_buff *skb,
			      u8 *proto)
{
	__be16 frag = 0;
	int off;

	off = ipv6_skip_exthdr(skb, sizeof(struct ipv6hdr), proto, &frag);
	if (off < 0 || !mbc_packet_may_be(*proto))
		return 0;
	if (frag) {
		mbc_count(mn, MBC_REASON_FRAGMENT);
		return 0;
	}
	return off;
}

struct sk_buff *mbc_packet_plain(const struct mbc_packet *p)
{
	unsigned int hlen = p->data_off - p->l4_off;
	struct sk_buff *plain;
	struct ipv6hdr *ip6h;

	plain = alloc_skb(sizeof(*ip6h) + hlen, GFP_ATOMIC | __GFP_NOWARN);
	if (!plain)
		return NULL;
	plain->protocol = p->skb->protocol;
	skb_reset_network_header(plain);
	ip6h = skb_put_data(plain, p->skb->data, sizeof(*ip6h));
	ip6h->nexthdr = p->tuple.proto;
	skb_put_data(plain, p->skb->data + p->l4_off, hlen);
	return plain;
}

/* The length field and the checksums after @delta bytes of payload came or went, and @sum,
 * the ones' complement sum of them (to be added to the data it covers).
 */
static void fix_lengths(struct mbc_packet *p, int delta, __wsum sum)
{
	struct sk_buff *skb = p->skb;
	struct tcphdr *th = mbc_packet_tcp(p);
	unsigned int l4 = skb->len - p->l4_off;

	if (p->tuple.family == AF_INET) {
		struct iphdr *iph = ip_hdr(skb);
		__be16 tot = htons(ntohs(iph->tot_len) + delta);

		csum_replace2(&iph->check, iph->tot_len, tot);
		iph->tot_len = tot;
	} else {
		struct ipv6hdr *ip6h = ipv6_hdr(skb);

		ip6h->payload_len = htons(ntohs(ip6h->payload_len) + delta);
	}

	/* The length is part of the pseudo header; payload of a packet with
	 * CHECKSUM_PARTIAL is not in the field yet.
	 */
	inet_proto_csum_replace2(&th->check, skb, htons(l4 - delta),
				 htons(l4), true);
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		inet_proto_csum_replace_by_diff(&th->check, skb, sum, false,
						false);
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
	unsigned int old = mbc_packet_payload(p);
	u8 *payload;

	if (!own_all(p, len))
		return false;
	skb_put(skb, len);
	payload = skb->data + p->data_off;
	memmove(payload + len, payload, old);
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
	memmove(payload, payload + len, mbc_packet_payload(p) - len);
	skb_trim(skb, skb->len - len);
	fix_lengths(p, -(int)len, ~sum);
	return true;
}

/* @diff more is in the TCP header, of which the value stands at @off. */
static void fix_sum(struct mbc_packet *p, unsigned int off, __wsum diff)
{
	/* At an odd offset its bytes stand in the other halves. */
	if (off & 1)
		diff = csum_shift(diff, 1);
	if (p->skb->ip_summed != CHECKSUM_PARTIAL)
		inet_proto_csum_replace_by_diff(&mbc_packet_tcp(p)->check, p->skb,
						diff, false, false);
}

void mbc_packet_clamp_mss(struct mbc_packet *p, u16 mss)
{
	struct tcphdr *th = mbc_packet_tcp(p);
	unsigned int off;
	u16 old;

	off = mbc_option_clamp_mss((u8 *)th, th->doff * 4, mss, &old);
	if (off)
		fix_sum(p, off, csum_sub((__force __wsum)htons(mss),
					 (__force __wsum)htons(old)));
}

bool mbc_packet_stamp(const struct mbc_packet *p, u32 *stamp)
{
	const struct tcphdr *th = mbc_packet_tcp(p);

	return p->tuple.proto == IPPROTO_TCP &&
	       mbc_option_stamp((const u8 *)th, th->doff * 4, stamp);
}

bool mbc_packet_raise_stamp(struct mbc_packet *p, u32 stamp)
{
	struct tcphdr *th;
	unsigned int off;
	u32 old;

	if (!mbc_packet_stamp(p, &old) || mbc_seq_reaches(old, stamp))
		return true;
	if (!mbc_packet_writable(p->skb, p->data_off))
		return false;
	th = mbc_packet_tcp(p);
	off = mbc_option_raise_stamp((u8 *)th, th->doff * 4, stamp, &old);
	fix_sum(p, off, csum_sub((__force __wsum)htonl(stamp),
				 (__force __wsum)htonl(old)));
	return true;
}
