// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buckets of tuples: tags, probing, moving. Readers take nothing but what
 * keeps memory from being freed; table.c lets in one writer at a time.
 *
 * Order of writes: the buckets that a tuple goes by count it, then it stands in
 * its slot, then its tag is set; it is in the new array before it leaves the
 * old one. Readers load tags with acquire semantics and search the old array
 * first, so whoever misses the last of these steps has seen the one before.
 */
#include "bucket.h"

#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/hash.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/prefetch.h>
#include <linux/rcupdate.h>
#include <asm/barrier.h>

static_assert(sizeof(struct mbc_bucket) == 64);
static_assert(sizeof(struct mbc_array) == 64);
static_assert(MBC_ARRAY_MIN > MBC_PROBES);

#define PASSED_ONE (1ull << MBC_PASSED_SHIFT)
#define PASSED_MAX 255

/* Where to look after @i and @tries others: near by at first, and then where
 * those whose homes are neighbours do not look as well. The smallest array is
 * larger than the longest step, but too small for all steps to lead elsewhere.
 */
static u32 after(const struct mbc_array *a, u32 i, u32 tries)
{
	i += tries + 1;
	return i < a->n ? i : i - a->n;
}

static const struct mbc_tuple *find(const struct mbc_array *a,
				    const struct mbc_tuple *key, u32 hash)
{
	const struct mbc_bucket *bucket;
	const struct mbc_tuple *t;
	u32 i = mbc_bucket_home(a, hash), tries;
	u64 tags, m;

	for (tries = 0; tries < MBC_PROBES; i = after(a, i, tries++)) {
		bucket = &a->bucket[i];
		tags = smp_load_acquire(&bucket->tags);
		for (m = mbc_bucket_match(tags, mbc_bucket_tag(hash)); m; m &= m - 1) {
			t = rcu_dereference(bucket->slot[mbc_bucket_first(m)]);
			if (likely(mbc_tuple_equal(t, key)))
				return t;
		}
		if (likely(!mbc_bucket_passed(tags)))
			break;
	}
	return NULL;
}

const struct mbc_tuple *mbc_buckets_search(const struct mbc_buckets *b,
					   const struct mbc_tuple *key,
					   u32 hash)
{
	const struct mbc_array *a = rcu_dereference(b->array);
	const struct mbc_tuple *t;

	do {
		t = find(a, key, hash);
		if (t)
			return t;
		a = rcu_dereference(a->next);
	} while (unlikely(a));
	return NULL;
}

/* The rest is the writer's. */

static struct mbc_array *oldest(const struct mbc_buckets *b)
{
	return rcu_dereference_protected(b->array, true);
}

static struct mbc_array *next(const struct mbc_array *a)
{
	return rcu_dereference_protected(a->next, true);
}

struct mbc_array *mbc_buckets_newest(const struct mbc_buckets *b)
{
	return next(oldest(b)) ?: oldest(b);
}

bool mbc_buckets_moving(const struct mbc_buckets *b)
{
	return next(oldest(b));
}

static void set_tags(struct mbc_bucket *bucket, u64 tags)
{
	smp_store_release(&bucket->tags, tags);
}

/* The first @n buckets that a tuple looks into count one more that went by. */
static void count_passed(struct mbc_array *a, u32 hash, u32 n)
{
	u32 i = mbc_bucket_home(a, hash), tries;

	for (tries = 0; tries < n; i = after(a, i, tries++)) {
		u64 tags = a->bucket[i].tags;

		if (mbc_bucket_passed(tags) < PASSED_MAX)
			set_tags(&a->bucket[i], tags + PASSED_ONE);
	}
}

/* One less; what has been at the maximum may have been beyond it. */
static void uncount_passed(struct mbc_array *a, u32 hash, u32 n)
{
	u32 i = mbc_bucket_home(a, hash), tries;

	for (tries = 0; tries < n; i = after(a, i, tries++)) {
		u64 tags = a->bucket[i].tags;

		if (mbc_bucket_passed(tags) < PASSED_MAX)
			set_tags(&a->bucket[i], tags - PASSED_ONE);
	}
}

static void fill(struct mbc_bucket *bucket, unsigned int slot,
		 const struct mbc_tuple *t, u32 hash)
{
	rcu_assign_pointer(bucket->slot[slot], t);
	set_tags(bucket, bucket->tags | mbc_bucket_tag(hash) << 8 * slot);
}

static bool put(struct mbc_array *a, const struct mbc_tuple *t, u32 hash)
{
	u32 i = mbc_bucket_home(a, hash), tries;

	for (tries = 0; tries < MBC_PROBES; i = after(a, i, tries++)) {
		const u64 empty = mbc_bucket_match(a->bucket[i].tags, 0);

		if (unlikely(!empty))
			continue;
		count_passed(a, hash, tries);
		fill(&a->bucket[i], mbc_bucket_first(empty), t, hash);
		return true;
	}
	return false;
}

/* The bit of the slot that holds @t itself, or 0. */
static u64 slot_of(const struct mbc_bucket *bucket, const struct mbc_tuple *t,
		   u32 hash)
{
	u64 m;

	for (m = mbc_bucket_match(bucket->tags, mbc_bucket_tag(hash)); m; m &= m - 1)
		if (rcu_access_pointer(bucket->slot[mbc_bucket_first(m)]) == t)
			break;
	return m;
}

/* The bucket and slot that hold @t itself, and how many it went by to get there;
 * NULL if it is not here.
 */
static struct mbc_bucket *bucket_of(struct mbc_array *a,
				    const struct mbc_tuple *t, u32 hash,
				    unsigned int *slot, u32 *passed)
{
	u32 i = mbc_bucket_home(a, hash), tries;

	for (tries = 0; tries < MBC_PROBES; i = after(a, i, tries++)) {
		struct mbc_bucket *bucket = &a->bucket[i];
		const u64 m = slot_of(bucket, t, hash);

		if (m) {
			*slot = mbc_bucket_first(m);
			*passed = tries;
			return bucket;
		}
		if (!mbc_bucket_passed(bucket->tags))
			break;
	}
	return NULL;
}

/* The slot keeps its pointer, for readers that have seen its tag. */
static bool take(struct mbc_array *a, const struct mbc_tuple *t, u32 hash)
{
	struct mbc_bucket *bucket;
	unsigned int slot;
	u32 passed;

	bucket = bucket_of(a, t, hash, &slot, &passed);
	if (!bucket)
		return false;
	set_tags(bucket, bucket->tags & ~(0xffull << 8 * slot));
	uncount_passed(a, hash, passed);
	return true;
}

static void array_init(struct mbc_array *a, u32 n)
{
	a->n = n;
	a->moved = 0;
	RCU_INIT_POINTER(a->next, NULL);
}

void mbc_buckets_init(struct mbc_buckets *b, struct mbc_array *array, u32 n,
		      const struct mbc_seed *seed)
{
	array_init(array, n);
	b->seed = *seed;
	b->n = 0;
	RCU_INIT_POINTER(b->array, array);
}

bool mbc_buckets_put(struct mbc_buckets *b, const struct mbc_tuple *key)
{
	if (!put(mbc_buckets_newest(b), key, mbc_buckets_hash(b, key)))
		return false;
	b->n++;
	return true;
}

bool mbc_buckets_remove(struct mbc_buckets *b, const struct mbc_tuple *key)
{
	struct mbc_array *a;
	u32 h = mbc_buckets_hash(b, key);

	for (a = oldest(b); a; a = next(a)) {
		if (take(a, key, h)) {
			b->n--;
			return true;
		}
	}
	return false;
}

bool mbc_buckets_replace(struct mbc_buckets *b, const struct mbc_tuple *key,
			 const struct mbc_tuple *by)
{
	struct mbc_bucket *bucket;
	struct mbc_array *a;
	u32 h = mbc_buckets_hash(b, key), passed;
	unsigned int slot;

	for (a = oldest(b); a; a = next(a)) {
		bucket = bucket_of(a, key, h, &slot, &passed);
		if (bucket) {
			rcu_assign_pointer(bucket->slot[slot], by);
			return true;
		}
	}
	return false;
}

bool mbc_buckets_full(const struct mbc_buckets *b)
{
	return b->n >= mbc_array_slots(mbc_buckets_newest(b)->n) / 16 * 15;
}

/* More than five eighths full grows, early enough for a worker that has to
 * wait for memory; less than a thirty-second shrinks; either is less than half
 * full then.
 */
u32 mbc_buckets_fit(const struct mbc_buckets *b, u32 least)
{
	u32 n, now = mbc_buckets_newest(b)->n;
	u32 slots = mbc_array_slots(now);

	if (mbc_buckets_moving(b) ||
	    (b->n <= slots / 8 * 5 && b->n >= slots / 32))
		return 0;
	for (n = MBC_ARRAY_MIN; mbc_array_slots(n) / 2 < b->n;)
		n = 2 * n + 1;
	if (n > MBC_ARRAY_MIN)
		n = max(n, least);
	return n == now ? 0 : n;
}

void mbc_buckets_resize(struct mbc_buckets *b, struct mbc_array *array, u32 n)
{
	array_init(array, n);
	rcu_assign_pointer(oldest(b)->next, array);
}

static bool occupied(const struct mbc_bucket *bucket, unsigned int slot)
{
	return bucket->tags >> 8 * slot & 0xff;
}

static bool move_slot(struct mbc_buckets *b, struct mbc_array *from,
		      const struct mbc_bucket *bucket, unsigned int slot)
{
	const struct mbc_tuple *t =
		rcu_dereference_protected(bucket->slot[slot], true);
	u32 h = mbc_buckets_hash(b, t);

	return put(next(from), t, h) && take(from, t, h);
}

/* The tuples' cache lines come in side by side, not one after the other. */
static bool move_bucket(struct mbc_buckets *b, struct mbc_array *from,
			const struct mbc_bucket *bucket)
{
	unsigned int i;

	for (i = 0; i < MBC_BUCKET_SLOTS; i++)
		if (occupied(bucket, i))
			prefetch(rcu_access_pointer(bucket->slot[i]));
	for (i = 0; i < MBC_BUCKET_SLOTS; i++)
		if (occupied(bucket, i) && !move_slot(b, from, bucket, i))
			return false;
	return true;
}

u32 mbc_buckets_share(const struct mbc_buckets *b)
{
	return 1 + oldest(b)->n / mbc_buckets_newest(b)->n;
}

struct mbc_array *mbc_buckets_move(struct mbc_buckets *b, u32 n)
{
	struct mbc_array *from = oldest(b);

	for (; n && from->moved < from->n; n--, from->moved++)
		if (!move_bucket(b, from, &from->bucket[from->moved]))
			return NULL;
	if (from->moved < from->n)
		return NULL;
	rcu_assign_pointer(b->array, next(from));
	return from;
}
