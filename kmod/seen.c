// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of accepted session ids. mbc_net.lock protects it all. It is
 * touched when a session is set up, and forgets at that time too: the oldest
 * first, as all are kept equally long. A worker forgets the last ones of many,
 * when no more sessions come.
 */
#include "seen.h"

#include <linux/jiffies.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

struct seen {
	struct rhash_head node;
	struct list_head age;
	unsigned long expires;	/* jiffies */
	struct mbc_tuple wire;
	u8 id[MBC_ID_LEN];
};

static struct kmem_cache *cache;

static const struct rhashtable_params params = {
	.key_len = MBC_ID_LEN,
	.key_offset = offsetof(struct seen, id),
	.head_offset = offsetof(struct seen, node),
	.automatic_shrinking = true,
};

static void forget(struct mbc_net *mn, struct seen *e)
{
	rhashtable_remove_fast(&mn->seen, &e->node, params);
	list_del(&e->age);
	mn->n_seen--;
	kmem_cache_free(cache, e);
}

/* At most two go for each that comes, so that no SYN pays for all. */
#define WITH_A_SYN 2
/* What the worker forgets before others may have the lock: some 10 us. */
#define AT_ONCE 64

/* Returns whether there may be more. */
static bool forget_old(struct mbc_net *mn, int n)
{
	struct seen *e;

	while (n-- > 0) {
		e = list_first_entry_or_null(&mn->seen_age, struct seen, age);
		if (!e || time_before(jiffies, e->expires))
			return false;
		forget(mn, e);
	}
	return true;
}

/* Wakes the worker when the oldest expires, unless it is to wake already. */
static void wake_later(struct mbc_net *mn)
{
	const struct seen *e;

	lockdep_assert_held(&mn->lock);
	e = list_first_entry_or_null(&mn->seen_age, struct seen, age);
	if (e && !delayed_work_pending(&mn->seen_work))
		queue_delayed_work(system_unbound_wq, &mn->seen_work,
				   time_before(jiffies, e->expires) ?
					   e->expires - jiffies + HZ : 1);
}

static void work(struct work_struct *w)
{
	struct mbc_net *mn = container_of(to_delayed_work(w), struct mbc_net,
					  seen_work);
	bool more;

	do {
		spin_lock_bh(&mn->lock);
		more = forget_old(mn, AT_ONCE);
		if (!more)
			wake_later(mn);
		spin_unlock_bh(&mn->lock);
		cond_resched();
	} while (more);
}

enum mbc_reason mbc_seen_note(struct mbc_net *mn, const u8 *id,
			      const struct mbc_tuple *wire)
{
	unsigned long expires;
	struct seen *e;

	lockdep_assert_held(&mn->lock);
	expires = jiffies + 2 * HZ * READ_ONCE(mn->config.freshness);
	forget_old(mn, WITH_A_SYN);

	e = rhashtable_lookup_fast(&mn->seen, id, params);
	if (e) {
		if (!mbc_tuple_equal(&e->wire, wire))
			return MBC_REASON_HDR_REPLAY;
		e->expires = expires;
		list_move_tail(&e->age, &mn->seen_age);
		return MBC_REASON_NONE;
	}

	if (mn->n_seen >= READ_ONCE(mn->config.max_sessions))
		return MBC_REASON_SEEN_FULL;
	e = kmem_cache_alloc(cache, GFP_ATOMIC | __GFP_NOWARN);
	if (!e)
		return MBC_REASON_NO_MEMORY;
	memcpy(e->id, id, MBC_ID_LEN);
	e->wire = *wire;
	e->expires = expires;
	if (rhashtable_insert_fast(&mn->seen, &e->node, params)) {
		kmem_cache_free(cache, e);
		return MBC_REASON_NO_MEMORY;
	}
	list_add_tail(&e->age, &mn->seen_age);
	mn->n_seen++;
	wake_later(mn);
	return MBC_REASON_NONE;
}

int mbc_seen_net_init(struct mbc_net *mn)
{
	INIT_LIST_HEAD(&mn->seen_age);
	INIT_DELAYED_WORK(&mn->seen_work, work);
	return rhashtable_init(&mn->seen, &params);
}

static void free_one(void *e, void *unused)
{
	kmem_cache_free(cache, e);
}

void mbc_seen_net_exit(struct mbc_net *mn)
{
	cancel_delayed_work_sync(&mn->seen_work);
	rhashtable_free_and_destroy(&mn->seen, free_one, NULL);
}

int mbc_seen_cache_init(void)
{
	cache = kmem_cache_create("mbc_seen", sizeof(struct seen), 0, 0, NULL);
	return cache ? 0 : -ENOMEM;
}

void mbc_seen_cache_exit(void)
{
	kmem_cache_destroy(cache);
}
