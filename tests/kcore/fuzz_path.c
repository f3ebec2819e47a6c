// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paths. The input: seed, tuple, then types, each with its number of instances
 * and those with their weight and the last number of their address.
 */
#include "fuzz.h"
#include "make.h"
#include "path.h"

#include <stdlib.h>
#include <linux/string.h>

#define MAX_TYPES (MBC_MAX_HOPS - 1)
#define MAX_INSTANCES 8

struct chain {
	struct mbc_instance instances[MAX_TYPES][MAX_INSTANCES];
	struct mbc_nf_type types[MAX_TYPES];
	const struct mbc_nf_type *list[MAX_TYPES];
	unsigned int n;
};

/* Few addresses, so that hosts meet again. */
static __be32 take_host(struct fuzz_input *in)
{
	return make_addr(10, 0, 0, fuzz_take(in, 1) & 31);
}

static void take_chain(struct fuzz_input *in, struct chain *chain)
{
	unsigned int i, j;

	chain->n = fuzz_take(in, 1) % (MAX_TYPES + 1);
	for (i = 0; i < chain->n; i++) {
		struct mbc_nf_type *type = &chain->types[i];

		type->total_weight = 0;
		type->n_instances = 1 + fuzz_take(in, 1) % MAX_INSTANCES;
		type->instances = chain->instances[i];
		for (j = 0; j < type->n_instances; j++) {
			struct mbc_instance *instance = &type->instances[j];

			instance->addr = take_host(in);
			instance->weight = 1 + fuzz_take(in, 2) % 65535;
			type->total_weight += instance->weight;
		}
		chain->list[i] = type;
	}
}

/* The choice by division: point / 2^32 of the weights lie before it. */
static void check_choice(const struct mbc_nf_type *type, unsigned int index,
			 const struct mbc_tuple *t, const siphash_key_t *seed)
{
	const struct mbc_instance *got = mbc_path_choose(type, index, t, seed);
	u8 data[14];
	u64 point, before = 0;
	unsigned int i;

	memcpy(data, t, 12);
	data[12] = t->proto;
	data[13] = index;
	point = (siphash(data, 14, seed) >> 32) * type->total_weight;
	MUST(got >= type->instances &&
	     got < type->instances + type->n_instances);
	for (i = 0; &type->instances[i] != got; i++)
		before += type->instances[i].weight;
	MUST(before << 32 <= point && point < (before + got->weight) << 32);
}

/* The path as the text of path.h has it: choose, merge neighbours, refuse. */
static enum mbc_reason model(const struct chain *chain, __be32 *hops,
			     unsigned int *n, const struct mbc_tuple *t,
			     const siphash_key_t *seed)
{
	__be32 all[MBC_MAX_HOPS + 1];
	unsigned int i, j, k = 0;

	all[k++] = t->saddr;
	for (i = 0; i < chain->n; i++)
		all[k++] = mbc_path_choose(chain->list[i], i, t, seed)->addr;
	all[k++] = t->daddr;

	*n = 0;
	for (i = 1; i < k; i++) {
		if (all[i] == all[i - 1] && i > 1)
			continue;
		for (j = 0; j < i; j++) {
			if (all[i] == all[j])
				return MBC_REASON_CHAIN_LOOP;
		}
		hops[(*n)++] = all[i];
	}
	return MBC_REASON_NONE;
}

void fuzz_path(const u8 *data, size_t len)
{
	struct fuzz_input in = { data, len };
	struct chain *chain = calloc(1, sizeof(*chain));
	const u32 k0 = fuzz_take(&in, 4), k1 = fuzz_take(&in, 4);
	const siphash_key_t seed = { { k0, k1 } };
	const __be32 saddr = take_host(&in), daddr = take_host(&in);
	const u16 sport = fuzz_take(&in, 2), dport = fuzz_take(&in, 2);
	const struct mbc_tuple t = make_tuple(saddr, sport, daddr, dport);
	__be32 *hops = calloc(MBC_MAX_HOPS, sizeof(*hops));
	__be32 want[MBC_MAX_HOPS];
	unsigned int n = 0, want_n, i;
	enum mbc_reason reason;

	take_chain(&in, chain);
	for (i = 0; i < chain->n; i++)
		check_choice(chain->list[i], i, &t, &seed);

	reason = mbc_path_build(hops, &n, chain->list, chain->n, &t, &seed);
	MUST(reason == model(chain, want, &want_n, &t, &seed));
	if (!reason) {
		MUST(n == want_n && n >= 1 && n <= chain->n + 1);
		MUST(!memcmp(hops, want, n * sizeof(*hops)));
		MUST(hops[n - 1] == t.daddr);
	}
	free(hops);
	free(chain);
}
