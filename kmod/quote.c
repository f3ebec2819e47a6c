// SPDX-License-Identifier: GPL-2.0-only
/* Quoted packets. Pure: icmp.c finds the quote and says what it becomes. */
#include "quote.h"

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/string.h>
#include <asm/byteorder.h>
#include "xlate.h"

#define L4_QUOTED 8	/* the least of it that an error quotes, RFC 792 */
#define MAX_EXTENSIONS 8
#define OFFSET4 0x1fff	/* of a fragment, in 8 bytes */
#define OFFSET6 0xfff8	/* in bytes */
#define TCP_CHECK 16
#define UDP_CHECK 6

static __be16 get16(const u8 *p)
{
	__be16 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Where the TCP or UDP header begins, 0 for another packet. */
static unsigned int find_l4_4(const u8 *data, unsigned int len, u8 *proto)
{
	const struct iphdr *iph = (const struct iphdr *)data;

	if (len < sizeof(*iph) || iph->version != 4 || iph->ihl < 5 ||
	    iph->frag_off & cpu_to_be16(OFFSET4))
		return 0;
	*proto = iph->protocol;
	return iph->ihl * 4;
}

/* Length of an extension header, 0: what it is in front of is none of ours. */
static unsigned int extension_len(u8 type, const u8 *data)
{
	switch (type) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		return (data[1] + 1) * 8;
	case IPPROTO_AH:
		return (data[1] + 2) * 4;
	case IPPROTO_FRAGMENT:
		return get16(data + 2) & cpu_to_be16(OFFSET6) ? 0 : 8;
	default:
		return 0;
	}
}

static bool is_l4(u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

static unsigned int find_l4_6(const u8 *data, unsigned int len, u8 *proto)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)data;
	unsigned int off = sizeof(*ip6h), n, i;

	if (len < sizeof(*ip6h) || ip6h->version != 6)
		return 0;
	*proto = ip6h->nexthdr;
	for (i = 0; i < MAX_EXTENSIONS && !is_l4(*proto); i++) {
		if (off > len || len - off < 8)
			return 0;
		n = extension_len(*proto, data + off);
		if (!n)
			return 0;
		*proto = data[off];
		off += n;
	}
	return off;
}

static void read_addrs(struct mbc_tuple *t, const u8 *data)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)data;
	const struct iphdr *iph = (const struct iphdr *)data;

	if (t->family == AF_INET) {
		t->saddr.ip = iph->saddr;
		t->daddr.ip = iph->daddr;
	} else {
		memcpy(&t->saddr, &ip6h->saddr, sizeof(t->saddr));
		memcpy(&t->daddr, &ip6h->daddr, sizeof(t->daddr));
	}
}

bool mbc_quote_parse(struct mbc_quote *q, u8 family, const u8 *data,
		     unsigned int len)
{
	unsigned int off;
	u8 proto;

	if (len > MBC_QUOTE_PEEK)
		len = MBC_QUOTE_PEEK;
	off = family == AF_INET ? find_l4_4(data, len, &proto) :
				  find_l4_6(data, len, &proto);
	if (!off || !is_l4(proto) || off > len || len - off < L4_QUOTED)
		return false;

	q->tuple = (struct mbc_tuple){
		.sport = get16(data + off), .dport = get16(data + off + 2),
		.proto = proto, .family = family,
	};
	read_addrs(&q->tuple, data);
	q->l4_off = off;
	q->check_off = off + (proto == IPPROTO_TCP ? TCP_CHECK : UDP_CHECK);
	if (q->check_off + sizeof(__sum16) > len)
		q->check_off = 0;
	return true;
}

static void write_addrs(u8 *data, const struct mbc_tuple *to, __sum16 diff)
{
	struct ipv6hdr *ip6h = (struct ipv6hdr *)data;
	struct iphdr *iph = (struct iphdr *)data;

	if (to->family == AF_INET) {
		iph->saddr = to->saddr.ip;
		iph->daddr = to->daddr.ip;
		iph->check = mbc_csum_update(iph->check, diff);
	} else {
		memcpy(&ip6h->saddr, &to->saddr, sizeof(ip6h->saddr));
		memcpy(&ip6h->daddr, &to->daddr, sizeof(ip6h->daddr));
	}
}

static void write_check(u8 *field, struct mbc_diff diff, u8 proto)
{
	__sum16 check;

	memcpy(&check, field, sizeof(check));
	/* 0 in UDP: the sender made none. */
	if (proto == IPPROTO_UDP && !check)
		return;
	check = mbc_xlate_check(diff, check, false);
	if (proto == IPPROTO_UDP && !check)
		check = (__force __sum16)0xffff;
	memcpy(field, &check, sizeof(check));
}

void mbc_quote_translate(struct mbc_quote *q, u8 *data,
			 const struct mbc_tuple *to)
{
	const struct mbc_tuple back = mbc_tuple_reverse(to);
	struct mbc_diff diff;

	mbc_diff_init(&diff, &q->tuple, &back);
	write_addrs(data, to, diff.addr);
	memcpy(data + q->l4_off, &to->sport, sizeof(to->sport));
	memcpy(data + q->l4_off + 2, &to->dport, sizeof(to->dport));
	if (q->check_off)
		write_check(data + q->check_off, diff, to->proto);
	q->tuple = *to;
}
