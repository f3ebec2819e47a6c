// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of tuples: memory and time for the buckets of bucket.c. Lookups
 * need rcu_read_lock() alone; mbc_net.lock orders changes, so that a session's
 * tuples come and go together.
 *
 * A table that is to grow or shrink says so to a worker, which has the time to
 * get and clear memory, and then moves a few buckets at a time under the lock.
 * Each insert moves its share as well, so a table that sessions come to faster
 * than the worker gets to run does not wait for it.
 */
#include "table.h"

#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/random.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "net.h"

/* What the worker moves before others may have the lock: some 10 us. */
#define BUCKETS_AT_ONCE 32

#define MAX_SLOTS (1 << 26)

static_assert(offsetof(struct mbc_entry, tuple) == 0);

static unsigned int table_slots;
module_param(table_slots, uint, 0444);
MODULE_PARM_DESC(table_slots,
		 "places for tuples in each of the two tables of a namespace, from the first growth on (default: as many as needed)");

static u32 least_buckets(void)
{
	return min_t(u32, table_slots, MAX_SLOTS) / MBC_BUCKET_SLOTS;
}

static struct mbc_table *table_of(struct mbc_net *mn,
				  const struct mbc_entry *e)
{
	return &mn->table[mbc_slot_hook(e->slot)];
}

static struct mbc_array *alloc(u32 n, gfp_t gfp)
{
	return kvzalloc(mbc_array_bytes(n), gfp | __GFP_NOWARN);
}

/* Returns whether there is more to move; not, if none of it finds a place,
 * until others have gone.
 */
static bool move(struct mbc_table *t, u32 n)
{
	struct mbc_array *old;
	u32 before;

	lockdep_assert_held(&t->mn->lock);
	if (!mbc_buckets_moving(&t->buckets))
		return false;
	old = rcu_dereference_protected(t->buckets.array, true);
	before = old->moved;
	if (!mbc_buckets_move(&t->buckets, n))
		return old->moved > before;
	kvfree_rcu(old, rcu);
	return false;
}

static void move_all(struct mbc_table *t)
{
	bool more;

	do {
		spin_lock_bh(&t->mn->lock);
		more = move(t, BUCKETS_AT_ONCE);
		spin_unlock_bh(&t->mn->lock);
		cond_resched();
	} while (more);
}

/* Begin to move to an array of the right size, if that is still another one
 * when there is memory for it.
 */
static bool resize(struct mbc_table *t)
{
	struct mbc_array *array;
	bool wanted;
	u32 n;

	spin_lock_bh(&t->mn->lock);
	n = mbc_buckets_fit(&t->buckets, least_buckets());
	spin_unlock_bh(&t->mn->lock);
	array = n ? alloc(n, GFP_KERNEL) : NULL;
	if (!array)
		return false;

	spin_lock_bh(&t->mn->lock);
	wanted = n == mbc_buckets_fit(&t->buckets, least_buckets());
	if (wanted)
		mbc_buckets_resize(&t->buckets, array, n);
	spin_unlock_bh(&t->mn->lock);
	if (!wanted)
		kvfree(array);
	return true;
}

static void work(struct work_struct *w)
{
	struct mbc_table *t = container_of(w, struct mbc_table, work);

	do {
		move_all(t);
	} while (resize(t));
}

/* Not on this processor: it is busy with packets. */
static void wake(struct mbc_table *t)
{
	queue_work(system_unbound_wq, &t->work);
}

static void consider_resize(struct mbc_table *t)
{
	if (unlikely(mbc_buckets_fit(&t->buckets, least_buckets())))
		wake(t);
}

/* Packets may have filled it before the worker got to run; what can be had
 * without sleeping has to do.
 */
static bool grow_now(struct mbc_table *t)
{
	u32 n = mbc_buckets_fit(&t->buckets, 0);
	struct mbc_array *array = n ? alloc(n, GFP_ATOMIC) : NULL;

	if (!array)
		return false;
	mbc_buckets_resize(&t->buckets, array, n);
	wake(t);
	return true;
}

static bool put(struct mbc_table *t, const struct mbc_tuple *tuple)
{
	if (likely(!mbc_buckets_full(&t->buckets) &&
		   mbc_buckets_put(&t->buckets, tuple)))
		return true;
	return grow_now(t) && mbc_buckets_put(&t->buckets, tuple);
}

static int init(struct mbc_table *t, struct mbc_net *mn)
{
	struct mbc_array *array = alloc(MBC_ARRAY_MIN, GFP_KERNEL);
	struct mbc_seed seed;

	if (!array)
		return -ENOMEM;
	get_random_bytes(&seed, sizeof(seed));
	mbc_buckets_init(&t->buckets, array, MBC_ARRAY_MIN, &seed);
	memzero_explicit(&seed, sizeof(seed));
	t->mn = mn;
	INIT_WORK(&t->work, work);
	return 0;
}

static void destroy(struct mbc_table *t)
{
	struct mbc_array *array, *next;

	cancel_work_sync(&t->work);
	for (array = rcu_dereference_protected(t->buckets.array, true); array;
	     array = next) {
		next = rcu_dereference_protected(array->next, true);
		kvfree(array);
	}
}

int mbc_table_init(struct mbc_net *mn)
{
	int err;

	err = init(&mn->table[MBC_IN], mn);
	if (err)
		return err;
	err = init(&mn->table[MBC_OUT], mn);
	if (err)
		destroy(&mn->table[MBC_IN]);
	return err;
}

void mbc_table_destroy(struct mbc_net *mn)
{
	destroy(&mn->table[MBC_OUT]);
	destroy(&mn->table[MBC_IN]);
}

int mbc_table_insert(struct mbc_net *mn, struct mbc_entry *e)
{
	struct mbc_table *t = table_of(mn, e);
	bool exists;

	lockdep_assert_held(&mn->lock);
	rcu_read_lock();
	exists = mbc_buckets_find(&t->buckets, &e->tuple);
	rcu_read_unlock();
	if (exists)
		return -EEXIST;

	move(t, mbc_buckets_share(&t->buckets));
	if (!put(t, &e->tuple))
		return -ENOMEM;
	consider_resize(t);
	return 0;
}

void mbc_table_remove(struct mbc_net *mn, struct mbc_entry *e)
{
	struct mbc_table *t = table_of(mn, e);

	lockdep_assert_held(&mn->lock);
	mbc_buckets_remove(&t->buckets, &e->tuple);
	consider_resize(t);
}

void mbc_table_replace(struct mbc_net *mn, struct mbc_entry *e,
		       struct mbc_entry *by)
{
	lockdep_assert_held(&mn->lock);
	mbc_buckets_replace(&table_of(mn, e)->buckets, &e->tuple, &by->tuple);
}

static size_t bytes_of(const struct mbc_table *t)
{
	const struct mbc_array *array;
	size_t bytes = 0;

	for (array = rcu_dereference(t->buckets.array); array;
	     array = rcu_dereference(array->next))
		bytes += mbc_array_bytes(array->n);
	return bytes;
}

size_t mbc_table_bytes(const struct mbc_net *mn)
{
	const struct bucket_table *ids = rcu_dereference(mn->ids.tbl);

	return bytes_of(&mn->table[MBC_IN]) + bytes_of(&mn->table[MBC_OUT]) +
	       sizeof(*ids) + ids->size * sizeof(ids->buckets[0]);
}
