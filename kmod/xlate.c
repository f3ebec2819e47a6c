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

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/string.h>
#include <linux/tcp.h>
#include <linux/udp.h>

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

/* The sum of two folded differences, folded; 0 and never 0xffff for none. */
static __sum16 add_diff(__sum16 a, __sum16 b)
{
	return fold_diff((__force u16)a + (__force u16)b);
}

void mbc_xlate_join(struct mbc_xlate *second, const struct mbc_xlate *first)
{
	second->addr_diff = add_diff(second->addr_diff, first->addr_diff);
	second->port_diff = add_diff(second->port_diff, first->port_diff);
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

static __sum16 update(const struct mbc_xlate *x, __sum16 check, bool partial)
{
	u32 diff;

	/* The pseudo header has no ports in it. */
	if (partial)
		return mbc_csum_update_partial(check, x->addr_diff);
	diff = add_fold((__force u16)x->addr_diff, (__force u16)x->port_diff);
	return mbc_csum_update(check, (__force __sum16)diff);
}

static void apply_tcp(const struct mbc_xlate *x, struct tcphdr *th,
		      bool partial)
{
	th->source = x->sport;
	th->dest = x->dport;
	th->check = update(x, th->check, partial);
}

static void apply_udp(const struct mbc_xlate *x, struct udphdr *uh,
		      bool partial)
{
	uh->source = x->sport;
	uh->dest = x->dport;
	if (!uh->check && !partial)
		return;
	uh->check = update(x, uh->check, partial);
	if (!uh->check && !partial)
		uh->check = (__force __sum16)0xffff;
}

static void apply_l4(const struct mbc_xlate *x, void *l4, u8 proto,
		     bool partial)
{
	if (proto == IPPROTO_UDP)
		apply_udp(x, l4, partial);
	else
		apply_tcp(x, l4, partial);
}

void mbc_xlate_apply4(const struct mbc_xlate *x, struct iphdr *iph,
		      void *l4, u8 proto, bool partial)
{
	iph->saddr = x->saddr.ip;
	iph->daddr = x->daddr.ip;
	iph->check = mbc_csum_update(iph->check, x->addr_diff);
	apply_l4(x, l4, proto, partial);
}

void mbc_xlate_apply6(const struct mbc_xlate *x, struct ipv6hdr *ip6h,
		      void *l4, u8 proto, bool partial)
{
	memcpy(&ip6h->saddr, &x->saddr, sizeof(ip6h->saddr));
	memcpy(&ip6h->daddr, &x->daddr, sizeof(ip6h->daddr));
	apply_l4(x, l4, proto, partial);
}
