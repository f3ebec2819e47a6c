// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paths. The input: seed, client, server (top bit: IPv6), ports, then types,
 * each with its number of instances and those with the last number of their
 * address, what they lack (two bits above it) and their weight.
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

/* Few hosts, so that they meet again. */
static u8 host(u8 byte)
{
	return byte & 31;
}

static void take_instance(struct fuzz_input *in, struct mbc_instance *instance)
{
	const u8 byte = fuzz_take(in, 1);
	const u32 lacks = byte >> 5 & 3;

	instance->has = lacks == 3 ? 3 : 3 & ~lacks;
	instance->addr[MBC_ADDR4] = make_host(AF_INET, host(byte));
	instance->addr[MBC_ADDR6] = make_host(AF_INET6, host(byte));
	instance->weight = 1 + fuzz_take(in, 2) % 65535;
}

static void take_chain(struct fuzz_input *in, struct chain *chain)
{
	unsigned int i, j;

	chain->n = fuzz_take(in, 1) % (MAX_TYPES + 1);
	for (i = 0; i < chain->n; i++) {
		struct mbc_nf_type *type = &chain->types[i];
		const u8 byte = fuzz_take(in, 1);

		type->n_instances = byte % (MAX_INSTANCES + 1);
		type->choice = (byte >> 6) % __MBC_CHOICE_MAX;
		type->instances = chain->instances[i];
		for (j = 0; j < type->n_instances; j++)
			take_instance(in, &type->instances[j]);
		make_total(type);
		chain->list[i] = type;
	}
}

/* What is hashed, as the text of path.h has it. */
static unsigned int hashed(u8 choice, const struct mbc_tuple *t,
			   unsigned int index, u8 *data)
{
	const u8 last[] = { t->proto, index };

	if (choice == MBC_CHOICE_SOURCE) {
		memcpy(data, &t->saddr, mbc_addr_len(t->family));
		data[mbc_addr_len(t->family)] = index;
		return mbc_addr_len(t->family) + 1;
	}
	if (t->family == AF_INET) {
		memcpy(data, &t->saddr, 4);
		memcpy(data + 4, &t->daddr, 4);
		memcpy(data + 8, &t->sport, 4);
		memcpy(data + 12, last, 2);
		return 14;
	}
	memcpy(data, &t->saddr, 16);
	memcpy(data + 16, &t->daddr, 16);
	memcpy(data + 32, &t->sport, 4);
	memcpy(data + 36, last, 2);
	return 38;
}

/* The choice by division: point / 2^32 of the weights lie before it. */
static void check_choice(const struct mbc_nf_type *type, unsigned int index,
			 const struct mbc_tuple *t, const siphash_key_t *seed,
			 u32 turn)
{
	const enum mbc_addr_slot slot = mbc_addr_slot(t->family);
	const union mbc_addr *got = mbc_path_choose(type, index, t, seed, turn);
	const struct mbc_instance *in;
	u64 point, before = 0;
	u8 data[38];

	MUST(!got == !type->total_weight[slot]);
	if (!got)
		return;
	if (type->choice == MBC_CHOICE_TURN)
		point = (u64)(turn % type->total_weight[slot]) << 32;
	else
		point = (siphash(data, hashed(type->choice, t, index, data),
				 seed) >> 32) * type->total_weight[slot];
	for (in = type->instances; &in->addr[slot] != got; in++) {
		MUST(in < type->instances + type->n_instances);
		before += in->has & BIT(slot) ? in->weight : 0;
	}
	MUST(in->has & BIT(slot));
	MUST(before << 32 <= point && point < (before + in->weight) << 32);
}

/* The path as the text of path.h has it: choose, merge neighbours, refuse. */
static enum mbc_reason model(const struct chain *chain, union mbc_addr *hops,
			     unsigned int *n, const struct mbc_tuple *t,
			     const siphash_key_t *seed, u32 turn)
{
	union mbc_addr all[MBC_MAX_HOPS + 1];
	const union mbc_addr *addr;
	unsigned int i, j, k = 0;

	*n = 0;
	all[k++] = t->saddr;
	for (i = 0; i <= chain->n; i++) {
		addr = i == chain->n ? &t->daddr :
		       mbc_path_choose(chain->list[i], i, t, seed, turn);
		if (!addr)
			return MBC_REASON_NO_INSTANCE;
		if (k > 1 && mbc_addr_equal(addr, &all[k - 1]))
			continue;
		for (j = 0; j < k; j++) {
			if (mbc_addr_equal(addr, &all[j]))
				return MBC_REASON_CHAIN_LOOP;
		}
		all[k++] = hops[(*n)++] = *addr;
	}
	return MBC_REASON_NONE;
}

void fuzz_path(const u8 *data, size_t len)
{
	struct fuzz_input in = { data, len };
	struct chain *chain = calloc(1, sizeof(*chain));
	const u32 k0 = fuzz_take(&in, 4), k1 = fuzz_take(&in, 4);
	const siphash_key_t seed = { { k0, k1 } };
	const u8 client = fuzz_take(&in, 1), server = fuzz_take(&in, 1);
	const u8 family = server & 0x80 ? AF_INET6 : AF_INET;
	const u16 sport = fuzz_take(&in, 2), dport = fuzz_take(&in, 2);
	const struct mbc_tuple t =
		make_tuple(family, make_host(family, host(client)), sport,
			   make_host(family, host(server)), dport);
	union mbc_addr *hops = calloc(MBC_MAX_HOPS, sizeof(*hops));
	union mbc_addr want[MBC_MAX_HOPS];
	unsigned int n = 0, want_n, i;
	enum mbc_reason reason;

	take_chain(&in, chain);
	for (i = 0; i < chain->n; i++)
		check_choice(chain->list[i], i, &t, &seed, k0);

	reason = mbc_path_build(hops, &n, chain->list, chain->n, &t, true,
				&seed, k0);
	MUST(reason == model(chain, want, &want_n, &t, &seed, k0));
	if (!reason) {
		MUST(n == want_n && n >= 1 && n <= chain->n + 1);
		MUST(!memcmp(hops, want, n * sizeof(*hops)));
		MUST(mbc_addr_equal(&hops[n - 1], &t.daddr));
	}
	free(hops);
	free(chain);
}
