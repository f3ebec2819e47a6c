// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parsing and changing one packet. No state, no lock. skb->data is at the IP
 * header in every hook that we use.
 */
#include "packet.h"

#include <net/ip.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include "stats.h"

/* Where the TCP header begins, 0 for a packet that is none of ours. */
static unsigned int find_tcp4(struct mbc_net *mn, const struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);

	if (iph->protocol != IPPROTO_TCP)
		return 0;
	if (unlikely(ip_is_fragment(iph))) {
		mbc_count(mn, MBC_REASON_FRAGMENT);
		return 0;
	}
	return iph->ihl * 4;
}

static unsigned int find_tcp6(struct mbc_net *mn, const struct sk_buff *skb)
{
	u8 proto = ipv6_hdr(skb)->nexthdr;
	__be16 frag = 0;
	int off;

	if (likely(proto == IPPROTO_TCP))
		return sizeof(struct ipv6hdr);
	off = ipv6_skip_exthdr(skb, sizeof(struct ipv6hdr), &proto, &frag);
	if (off < 0 || proto != IPPROTO_TCP)
		return 0;
	if (frag) {
		mbc_count(mn, MBC_REASON_FRAGMENT);
		return 0;
	}
	return off;
}

static void read_addrs(struct mbc_tuple *t, const struct sk_buff *skb)
{
	if (t->family == AF_INET) {
		t->saddr.ip = ip_hdr(skb)->saddr;
		t->daddr.ip = ip_hdr(skb)->daddr;
	} else {
		memcpy(&t->saddr, &ipv6_hdr(skb)->saddr, sizeof(t->saddr));
		memcpy(&t->daddr, &ipv6_hdr(skb)->daddr, sizeof(t->daddr));
	}
}

bool mbc_packet_parse(struct mbc_packet *p, struct mbc_net *mn,
		      struct sk_buff *skb, u8 family)
{
	const struct tcphdr *th;
	unsigned int off, hlen;

	off = family == AF_INET ? find_tcp4(mn, skb) : find_tcp6(mn, skb);
	if (!off || !pskb_may_pull(skb, off + sizeof(*th)))
		return false;
	th = (const struct tcphdr *)(skb->data + off);
	hlen = th->doff * 4;
	if (hlen < sizeof(*th) || !pskb_may_pull(skb, off + hlen))
		return false;

	th = (const struct tcphdr *)(skb->data + off);
	p->skb = skb;
	p->tuple = (struct mbc_tuple){
		.sport = th->source, .dport = th->dest,
		.proto = IPPROTO_TCP, .family = family,
	};
	read_addrs(&p->tuple, skb);
	/* A big TCP packet has length 0 in its header; the kernel trimmed all
	 * others to it.
	 */
	p->wire_len = skb->len;
	p->seg.seq = ntohl(th->seq);
	p->seg.ack = ntohl(th->ack_seq);
	p->seg.len = skb->len - off - hlen;
	p->seg.flags = tcp_flag_byte(th);
	p->tcp_off = off;
	p->data_off = off + hlen;
	return true;
}

struct sk_buff *mbc_packet_plain(const struct mbc_packet *p)
{
	unsigned int hlen = p->data_off - p->tcp_off;
	struct sk_buff *plain;
	struct ipv6hdr *ip6h;

	plain = alloc_skb(sizeof(*ip6h) + hlen, GFP_ATOMIC | __GFP_NOWARN);
	if (!plain)
		return NULL;
	plain->protocol = p->skb->protocol;
	skb_reset_network_header(plain);
	ip6h = skb_put_data(plain, p->skb->data, sizeof(*ip6h));
	ip6h->nexthdr = IPPROTO_TCP;
	skb_put_data(plain, p->skb->data + p->tcp_off, hlen);
	return plain;
}

/* The length field and the checksums after @delta bytes of payload came or went, and @sum,
 * the ones' complement sum of them (to be added to the data it covers).
 */
static void fix_lengths(struct mbc_packet *p, int delta, __wsum sum)
{
	struct sk_buff *skb = p->skb;
	struct tcphdr *th = mbc_packet_tcp(p);
	unsigned int l4 = skb->len - p->tcp_off;

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
