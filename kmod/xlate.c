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
#include <linux/tcp.h>

static u32 words(__be32 v)
{
	u32 w = (__force u32)v;

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

void mbc_xlate_init(struct mbc_xlate *x, const struct mbc_tuple *from,
		    const struct mbc_tuple *to)
{
	x->saddr = to->saddr;
	x->daddr = to->daddr;
	x->sport = to->sport;
	x->dport = to->dport;
	x->addr_diff = fold_diff(words(to->saddr) + words(~from->saddr) +
				 words(to->daddr) + words(~from->daddr));
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

void mbc_xlate_apply(const struct mbc_xlate *x, struct iphdr *iph,
		     struct tcphdr *th, bool partial)
{
	iph->saddr = x->saddr;
	iph->daddr = x->daddr;
	iph->check = mbc_csum_update(iph->check, x->addr_diff);

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
