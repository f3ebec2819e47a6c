// SPDX-License-Identifier: GPL-2.0-only
/* What a translation does to checksums, worked out once. Pure. */
#include "xlate.h"

static u32 words(u32 w)
{
	return (w & 0xffff) + (w >> 16);
}

/* Two folds suffice for any sum of up to 65,536 words. */
static __sum16 fold_diff(u32 sum)
{
	sum = words(sum);
	sum = words(sum);
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

/* A sum does not mind that the tuple is the wrong way round, and the words that
 * IPv4 leaves 0 make no difference.
 */
void mbc_diff_init(struct mbc_diff *diff, const struct mbc_tuple *from,
		   const struct mbc_tuple *back)
{
	u32 addrs = addr_sum(&from->saddr, &back->saddr) +
		    addr_sum(&from->daddr, &back->daddr);
	u32 ports = (__force u16)back->sport + (u16)~(__force u16)from->sport +
		    (__force u16)back->dport + (u16)~(__force u16)from->dport;

	diff->addr = fold_diff(addrs);
	diff->all = fold_diff(addrs + ports);
}
