// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's rhashtable, with the parameters that the module had for it. */
#include "store.h"

#include <linux/rhashtable.h>

struct work_struct *work_pending;

static struct rhashtable table;

static u32 hash(const void *key, u32 len, u32 seed)
{
	const struct mbc_tuple *t = key;

	(void)len;
	if (t->family == AF_INET6)
		return jhash2(key, offsetof(struct mbc_tuple, proto) / 4, seed);
	return jhash_3words(t->saddr.ip, t->daddr.ip,
			    (u32)t->sport << 16 | t->dport, seed);
}

static int compare(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct item *item = obj;

	return !mbc_tuple_equal(&item->tuple, arg->key);
}

static const struct rhashtable_params params = {
	.key_len = sizeof(struct mbc_tuple),
	.key_offset = offsetof(struct item, tuple),
	.head_offset = offsetof(struct item, node),
	.hashfn = hash,
	.obj_cmpfn = compare,
	.automatic_shrinking = true,
};

u32 get_random_u32(void)
{
	static u32 state = 7;

	return state = state * 1664525 + 1013904223;
}

static void init(void)
{
	if (rhashtable_init(&table, &params))
		abort();
}

static void destroy(void)
{
	rhashtable_destroy(&table);
}

static const struct item *find(const struct mbc_tuple *key)
{
	return rhashtable_lookup(&table, key, params);
}

static bool insert(struct item *item)
{
	return !rhashtable_lookup_insert_fast(
		&table, (struct rhash_head *)&item->node, params);
}

static void remove_item(struct item *item)
{
	rhashtable_remove_fast(&table, (struct rhash_head *)&item->node,
			       params);
}

static void work(void)
{
	struct work_struct *w = work_pending;

	work_pending = NULL;
	if (w)
		w->func(w);
}

const struct store store_rhashtable = {
	"rhashtable", init, destroy, find, insert, remove_item, work,
};
