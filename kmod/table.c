// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of tuples. Lookups need rcu_read_lock() alone; mbc_net.lock
 * orders changes, so that a session's tuples come and go together.
 */
#include "table.h"

#include <linux/jhash.h>

static_assert(sizeof(struct mbc_tuple) == 40);
static_assert(sizeof(struct mbc_xlate) == 40);

/* Over the fields that differ between sessions, one round for IPv4. The seed is
 * random and each table's own: outsiders choose the tuples, but do not see
 * where they fall.
 */
static u32 hash(const void *key, u32 len, u32 seed)
{
	const struct mbc_tuple *t = key;

	if (t->family == AF_INET6)
		return jhash2(key, offsetof(struct mbc_tuple, proto) / 4, seed);
	return jhash_3words((__force u32)t->saddr.ip, (__force u32)t->daddr.ip,
			    (__force u32)t->sport << 16 |
			    (__force u32)t->dport, seed);
}

static int compare(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct mbc_entry *e = obj;

	return !mbc_tuple_equal(&e->tuple, arg->key);
}

static const struct rhashtable_params params = {
	.key_len = sizeof(struct mbc_tuple),
	.key_offset = offsetof(struct mbc_entry, tuple),
	.head_offset = offsetof(struct mbc_entry, node),
	.hashfn = hash,
	.obj_cmpfn = compare,
	.automatic_shrinking = true,
};

int mbc_table_init(struct mbc_net *mn)
{
	int err;

	err = rhashtable_init(&mn->table[MBC_IN], &params);
	if (err)
		return err;
	err = rhashtable_init(&mn->table[MBC_OUT], &params);
	if (err)
		rhashtable_destroy(&mn->table[MBC_IN]);
	return err;
}

void mbc_table_destroy(struct mbc_net *mn)
{
	rhashtable_destroy(&mn->table[MBC_OUT]);
	rhashtable_destroy(&mn->table[MBC_IN]);
}

struct mbc_entry *mbc_table_find(struct mbc_net *mn, enum mbc_hook hook,
				 const struct mbc_tuple *tuple)
{
	return rhashtable_lookup(&mn->table[hook], tuple, params);
}

int mbc_table_insert(struct mbc_net *mn, struct mbc_entry *e)
{
	lockdep_assert_held(&mn->lock);
	return rhashtable_lookup_insert_fast(&mn->table[mbc_slot_hook(e->slot)],
					     &e->node, params);
}

void mbc_table_remove(struct mbc_net *mn, struct mbc_entry *e)
{
	lockdep_assert_held(&mn->lock);
	rhashtable_remove_fast(&mn->table[mbc_slot_hook(e->slot)], &e->node,
			       params);
}
