// SPDX-License-Identifier: GPL-2.0-only
#include "emit.h"

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/dst.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#define HOPS_LEFT 64

static void put_ip(struct sk_buff *skb, const struct mbc_tuple *t)
{
	struct iphdr *iph;

	iph = skb_push(skb, sizeof(*iph));
	*iph = (struct iphdr){
		.version = 4,
		.ihl = sizeof(*iph) / 4,
		.tot_len = htons(skb->len),
		.frag_off = htons(IP_DF),
		.ttl = HOPS_LEFT,
		.protocol = IPPROTO_TCP,
		.saddr = t->saddr.ip,
		.daddr = t->daddr.ip,
	};
	ip_send_check(iph);
	skb->protocol = htons(ETH_P_IP);
}

static void put_ipv6(struct sk_buff *skb, const struct mbc_tuple *t)
{
	struct ipv6hdr *ip6h;
	unsigned int len = skb->len;

	ip6h = skb_push(skb, sizeof(*ip6h));
	ip6_flow_hdr(ip6h, 0, 0);
	ip6h->payload_len = htons(len);
	ip6h->nexthdr = IPPROTO_TCP;
	ip6h->hop_limit = HOPS_LEFT;
	memcpy(&ip6h->saddr, &t->saddr, sizeof(ip6h->saddr));
	memcpy(&ip6h->daddr, &t->daddr, sizeof(ip6h->daddr));
	skb->protocol = htons(ETH_P_IPV6);
}

static __sum16 checksum(const struct sk_buff *skb, const struct mbc_tuple *t)
{
	__wsum sum = csum_partial(skb->data, skb->len, 0);
	struct in6_addr saddr, daddr;

	if (t->family == AF_INET)
		return tcp_v4_check(skb->len, t->saddr.ip, t->daddr.ip, sum);
	memcpy(&saddr, &t->saddr, sizeof(saddr));
	memcpy(&daddr, &t->daddr, sizeof(daddr));
	return csum_ipv6_magic(&saddr, &daddr, skb->len, IPPROTO_TCP, sum);
}

static struct sk_buff *build(const struct mbc_tuple *t,
			     const struct mbc_ack *a)
{
	struct sk_buff *skb;
	struct tcphdr *th;

	skb = alloc_skb(MAX_HEADER + sizeof(struct ipv6hdr) + sizeof(*th) +
				a->len,
			GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_reserve(skb, MAX_HEADER + sizeof(struct ipv6hdr));
	skb_reset_transport_header(skb);
	th = skb_put_zero(skb, sizeof(*th));
	th->source = t->sport;
	th->dest = t->dport;
	th->doff = (sizeof(*th) + a->len) / 4;
	th->ack = 1;
	th->seq = htonl(a->seq);
	th->ack_seq = htonl(a->ack);
	th->window = htons(a->window);
	skb_put_data(skb, a->options, a->len);
	th->check = checksum(skb, t);
	if (t->family == AF_INET)
		put_ip(skb, t);
	else
		put_ipv6(skb, t);
	skb_reset_network_header(skb);
	return skb;
}

int mbc_emit_ack(struct mbc_session *s, enum mbc_dir dir,
		 const struct mbc_ack *a)
{
	const struct mbc_tuple *back =
		&s->entry[dir == MBC_RIGHT ? MBC_IN_RIGHT : MBC_IN_LEFT].tuple;
	const struct mbc_tuple wire = mbc_tuple_reverse(back);
	struct dst_entry *dst;
	struct sk_buff *skb;

	dst = mbc_route_get(&s->route[dir], s->mn->net, back);
	if (!dst)
		return -EHOSTUNREACH;
	skb = build(&wire, a);
	if (!skb) {
		dst_release(dst);
		return -ENOMEM;
	}
	skb_dst_set(skb, dst);
	skb->dev = dst->dev;
	dst_output(s->mn->net, NULL, skb);
	return 0;
}
