// SPDX-License-Identifier: GPL-2.0-only
/*
 * The path of a new session. Pure: called at the client, for the first SYN
 * that a rule matches.
 */
#include "path.h"

#include <linux/string.h>

static u8 *put_addr(u8 *p, const union mbc_addr *addr, u8 family)
{
	if (family == AF_INET)
		memcpy(p, &addr->ip, sizeof(addr->ip));
	else
		memcpy(p, addr->ip6, sizeof(addr->ip6));
	return p + mbc_addr_len(family);
}

/* What the choice goes by, for SipHash. */
static u64 hash(u8 choice, const struct mbc_tuple *super, unsigned int index,
		const siphash_key_t *seed)
{
	u8 data[2 * sizeof(union mbc_addr) + 6];
	u8 *p = data;

	p = put_addr(p, &super->saddr, super->family);
	if (choice != MBC_CHOICE_SOURCE) {
		p = put_addr(p, &super->daddr, super->family);
		memcpy(p, &super->sport, 2);
		memcpy(p + 2, &super->dport, 2);
		p[4] = super->proto;
		p += 5;
	}
	*p++ = index;
	return siphash(data, p - data, seed);
}

const union mbc_addr *mbc_path_choose(const struct mbc_nf_type *type,
				      unsigned int index,
				      const struct mbc_tuple *super,
				      const siphash_key_t *seed, u32 turn)
{
	const enum mbc_addr_slot slot = mbc_addr_slot(super->family);
	const u32 total = type->total_weight[slot];
	u32 point, sum = 0, i;

	if (!total)
		return NULL;
	/* The upper half as a fraction of 2^32, scaled: no division, and even
	 * to within total_weight / 2^32.
	 */
	if (type->choice == MBC_CHOICE_TURN)
		point = turn % total;
	else
		point = ((hash(type->choice, super, index, seed) >> 32) *
			 total) >> 32;

	for (i = 0; i < type->n_instances; i++) {
		const struct mbc_instance *in = &type->instances[i];

		if (!(in->has & 1 << slot))
			continue;
		sum += in->weight;
		if (sum > point)
			return &in->addr[slot];
	}
	return NULL;
}

/* Appends a host unless the path is there already; false if it was there
 * before and left since.
 */
static bool visit(union mbc_addr *hops, unsigned int *n,
		  const union mbc_addr *addr)
{
	unsigned int i;

	if (*n && mbc_addr_equal(&hops[*n - 1], addr))
		return true;
	for (i = 0; i < *n; i++) {
		if (mbc_addr_equal(&hops[i], addr))
			return false;
	}
	hops[(*n)++] = *addr;
	return true;
}

enum mbc_reason mbc_path_build(union mbc_addr *hops, unsigned int *n_hops,
			       const struct mbc_nf_type *const *types,
			       unsigned int n_types,
			       const struct mbc_tuple *super,
			       bool server_joins,
			       const siphash_key_t *seed, u32 turn)
{
	const union mbc_addr *addr;
	unsigned int n = 0, n_middle, i;

	for (i = 0; i < n_types; i++) {
		addr = mbc_path_choose(types[i], i, super, seed, turn);
		if (!addr)
			return MBC_REASON_NO_INSTANCE;
		if (mbc_addr_equal(addr, &super->saddr) ||
		    !visit(hops, &n, addr))
			return MBC_REASON_CHAIN_LOOP;
	}
	n_middle = n;
	if (mbc_addr_equal(&super->daddr, &super->saddr) ||
	    !visit(hops, &n, &super->daddr))
		return MBC_REASON_CHAIN_LOOP;

	*n_hops = server_joins ? n : n_middle;
	return MBC_REASON_NONE;
}
