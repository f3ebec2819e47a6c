// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parsing and changing one packet. No state, no lock. skb->data is at the IP
 * header in every hook that we use.
 */
#include "packet.h"

#include <linux/udp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include "stats.h"

static bool ours(u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

/* Where the TCP or UDP header begins, 0 for a packet that is none of ours. */
static unsigned int find_l4_4(struct mbc_net *mn, const struct sk_buff *skb,
			      u8 *proto)
{
	const struct iphdr *iph = ip_hdr(skb);

	*proto = iph->protocol;
	if (!ours(*proto))
		return 0;
	if (unlikely(ip_is_fragment(iph))) {
		mbc_count(mn, MBC_REASON_FRAGMENT);
		return 0;
	}
	return iph->ihl * 4;
}

static unsigned int find_l4_6(struct mbc_net *mn, const struct sk_buff *skb,
			      u8 *proto)
{
	__be16 frag = 0;
	int off;

	*proto = ipv6_hdr(skb)->nexthdr;
	if (likely(ours(*proto)))
		return sizeof(struct ipv6hdr);
	off = ipv6_skip_exthdr(skb, sizeof(struct ipv6hdr), proto, &frag);
	if (off < 0 || !ours(*proto))
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

static bool read_tcp(struct mbc_packet *p)
{
	const struct tcphdr *th;
	unsigned int hlen;

	if (!pskb_may_pull(p->skb, p->l4_off + sizeof(*th)))
		return false;
	hlen = mbc_packet_tcp(p)->doff * 4;
	if (hlen < sizeof(*th) || !pskb_may_pull(p->skb, p->l4_off + hlen))
		return false;
	th = mbc_packet_tcp(p);
	p->tuple.sport = th->source;
	p->tuple.dport = th->dest;
	p->seg.seq = ntohl(th->seq);
	p->seg.ack = ntohl(th->ack_seq);
	p->seg.flags = tcp_flag_byte(th);
	p->data_off = p->l4_off + hlen;
	return true;
}

static bool read_udp(struct mbc_packet *p)
{
	const struct udphdr *uh;

	if (!pskb_may_pull(p->skb, p->l4_off + sizeof(*uh)))
		return false;
	uh = (const struct udphdr *)(p->skb->data + p->l4_off);
	p->tuple.sport = uh->source;
	p->tuple.dport = uh->dest;
	p->seg.seq = 0;
	p->seg.ack = 0;
	p->seg.flags = 0;
	p->data_off = p->l4_off + sizeof(*uh);
	return true;
}

bool mbc_packet_parse(struct mbc_packet *p, struct mbc_net *mn,
		      struct sk_buff *skb, u8 family)
{
	u8 proto;

	p->l4_off = family == AF_INET ? find_l4_4(mn, skb, &proto) :
					find_l4_6(mn, skb, &proto);
	if (!p->l4_off)
		return false;
	p->skb = skb;
	p->tuple = (struct mbc_tuple){ .proto = proto, .family = family };
	if (!(likely(proto == IPPROTO_TCP) ? read_tcp(p) : read_udp(p)))
		return false;
	read_addrs(&p->tuple, skb);
	/* A big TCP packet has length 0 in its header; the kernel trimmed all
	 * others to it.
	 */
	p->wire_len = skb->len;
	p->forwarded = false;
	p->seg.len = skb->len - p->data_off;
	return true;
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
