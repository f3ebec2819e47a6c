// SPDX-License-Identifier: GPL-2.0-only
/*
 * The path of a new session. Pure: called at the client, for the first SYN
 * that a rule matches.
 */
#include "path.h"

#include <linux/string.h>

const struct mbc_instance *mbc_path_choose(const struct mbc_nf_type *type,
					   unsigned int index,
					   const struct mbc_tuple *super,
					   const siphash_key_t *seed)
{
	u8 data[14];
	u32 point, sum = 0, i;

	memcpy(data, &super->saddr, 4);
	memcpy(data + 4, &super->daddr, 4);
	memcpy(data + 8, &super->sport, 2);
	memcpy(data + 10, &super->dport, 2);
	data[12] = super->proto;
	data[13] = index;

	/* The upper half as a fraction of 2^32, scaled: no division, and even
	 * to within total_weight / 2^32.
	 */
	point = ((siphash(data, sizeof(data), seed) >> 32) *
		 type->total_weight) >> 32;

	for (i = 0; i < type->n_instances - 1; i++) {
		sum += type->instances[i].weight;
		if (sum > point)
			break;
	}
	return &type->instances[i];
}

/* Appends a host unless the path is there already; false if it was there
 * before and left since.
 */
static bool visit(__be32 *hops, unsigned int *n, __be32 addr)
{
	unsigned int i;

	if (*n && hops[*n - 1] == addr)
		return true;
	for (i = 0; i < *n; i++) {
		if (hops[i] == addr)
			return false;
	}
	hops[(*n)++] = addr;
	return true;
}

enum mbc_reason mbc_path_build(__be32 *hops, unsigned int *n_hops,
			       const struct mbc_nf_type *const *types,
			       unsigned int n_types,
			       const struct mbc_tuple *super,
			       const siphash_key_t *seed)
{
	unsigned int n = 0, i;
	__be32 addr;

	for (i = 0; i < n_types; i++) {
		addr = mbc_path_choose(types[i], i, super, seed)->addr;
		if (addr == super->saddr || !visit(hops, &n, addr))
			return MBC_REASON_CHAIN_LOOP;
	}
	if (super->daddr == super->saddr || !visit(hops, &n, super->daddr))
		return MBC_REASON_CHAIN_LOOP;

	*n_hops = n;
	return MBC_REASON_NONE;
}
