// SPDX-License-Identifier: GPL-2.0-only
/*
 * Translation of packets from one five-tuple to another. Pure: the session
 * table works translations out, the hooks apply them.
 *
 * Ones' complement sums do not mind byte order as long as every word is read
 * and written in the same one (RFC 1071), so words are summed as they lie in
 * memory.
 */
#include "xlate.h"

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/string.h>
#include <linux/tcp.h>

static u32 words(u32 w)
{
	return (w & 0xffff) + (w >> 16);
}

static u32 add_fold(u32 a, u32 b)
{
	u32 sum = a + b;

	return (sum & 0xffff) + (sum >> 16);
}

/* Two folds suffice for any sum of up to 65,536 words. */
static __sum16 fold_diff(u32 sum)
{
	sum = add_fold(sum, 0);
	sum = add_fold(sum, 0);
	return (__force __sum16)(sum == 0xffff ? 0 : sum);
}

/* Sum of new - old, not folded. */
static u32 addr_sum(const union mbc_addr *from, const union mbc_addr *to)
{
	u32 sum = 0;
	int i;

	for (i = 0; i < 4; i++)
		sum += words((__force u32)to->ip6[i]) +
		       words(~(__force u32)from->ip6[i]);
	return sum;
}

void mbc_xlate_init(struct mbc_xlate *x, const struct mbc_tuple *from,
		    const struct mbc_tuple *to)
{
	x->saddr = to->saddr;
	x->daddr = to->daddr;
	x->sport = to->sport;
	x->dport = to->dport;
	/* The words that IPv4 leaves 0 make no difference. */
	x->addr_diff = fold_diff(addr_sum(&from->saddr, &to->saddr) +
				 addr_sum(&from->daddr, &to->daddr));
	x->port_diff = fold_diff((__force u16)to->sport +
				 (u16)~(__force u16)from->sport +
				 (__force u16)to->dport +
				 (u16)~(__force u16)from->dport);
}

__sum16 mbc_csum_update(__sum16 check, __sum16 diff)
{
	u32 sum = add_fold((u16)~(__force u16)check, (__force u16)diff);

	return (__force __sum16)(u16)~sum;
}

__sum16 mbc_csum_update_partial(__sum16 check, __sum16 diff)
{
	return (__force __sum16)add_fold((__force u16)check,
					 (__force u16)diff);
}

static void apply_tcp(const struct mbc_xlate *x, struct tcphdr *th,
		      bool partial)
{
	th->source = x->sport;
	th->dest = x->dport;
	if (partial) {
		/* The pseudo header has no ports in it. */
		th->check = mbc_csum_update_partial(th->check, x->addr_diff);
	} else {
		u32 diff = add_fold((__force u16)x->addr_diff,
				    (__force u16)x->port_diff);

		th->check = mbc_csum_update(th->check, (__force __sum16)diff);
	}
}

void mbc_xlate_apply4(const struct mbc_xlate *x, struct iphdr *iph,
		      struct tcphdr *th, bool partial)
{
	iph->saddr = x->saddr.ip;
	iph->daddr = x->daddr.ip;
	iph->check = mbc_csum_update(iph->check, x->addr_diff);
	apply_tcp(x, th, partial);
}

void mbc_xlate_apply6(const struct mbc_xlate *x, struct ipv6hdr *ip6h,
		      struct tcphdr *th, bool partial)
{
	memcpy(&ip6h->saddr, &x->saddr, sizeof(ip6h->saddr));
	memcpy(&ip6h->daddr, &x->daddr, sizeof(ip6h->daddr));
	apply_tcp(x, th, partial);
}
