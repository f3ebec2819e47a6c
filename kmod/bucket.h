/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A set of five-tuples in buckets of one cache line each, which grows a bucket
 * at a time. Any number of readers beside one writer. Pure: memory, the
 * writer's lock and the readers' grace periods are table.c's.
 *
 * A bucket has seven slots, and a byte of hash, the tag, for each of them: a
 * tuple that is not there costs a reader one cache line, one that is there two.
 * What finds its bucket full goes to the next one that is not, and every bucket
 * that it went by counts it, so that readers know how far to look. A tuple
 * stays where it was put until it is removed or moved to another array.
 */
#ifndef MBC_BUCKET_H
#define MBC_BUCKET_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/hash.h>
#include <linux/math.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include "tuple.h"

#define MBC_BUCKET_SLOTS 7
#define MBC_ARRAY_MIN 63	/* with its head a page */

/* Buckets that a tuple may go by and a reader may look into. With the set
 * nine tenths full it takes a few; who needs more is refused.
 */
#define MBC_PROBES 32

/** struct mbc_seed - what decides where tuples fall; random, secret */
struct mbc_seed {
	u64 key[6];
};

/**
 * struct mbc_bucket - a cache line of the set
 * @tags: bits 8i to 8i+7: tag of slot i, 0: empty; bits 56 to 63: how many
 *	tuples went by, from 255 on for ever
 * @slot: the tuples, each part of what it leads to
 */
struct mbc_bucket {
	u64 tags;
	const struct mbc_tuple __rcu *slot[MBC_BUCKET_SLOTS];
} __aligned(64);

/**
 * struct mbc_array - the buckets of a set
 * @n: how many
 * @moved: how many of them have been emptied into @next
 * @next: where tuples go from here, NULL: they stay
 * @rcu: to free it
 * @bucket: in the order of the hash: when all move to a larger array, both are
 *	walked from the first to the last
 *
 * The head takes the place of one bucket: an array of 2^k - 1 buckets
 * is 2^k cache lines.
 */
struct mbc_array {
	u32 n;
	u32 moved;
	struct mbc_array __rcu *next;
	struct rcu_head rcu;
	struct mbc_bucket bucket[];
};

/** mbc_array_bytes() - memory of an array of @n buckets; zeroed it is empty */
static inline size_t mbc_array_bytes(u32 n)
{
	return sizeof(struct mbc_array) + n * sizeof(struct mbc_bucket);
}

/** mbc_array_slots() - tuples that @n buckets have place for */
static inline u32 mbc_array_slots(u32 n)
{
	return n * MBC_BUCKET_SLOTS;
}

/**
 * struct mbc_buckets - a set of tuples
 * @array: the buckets; the older ones while it is moving
 * @seed: outsiders choose tuples, but not where they fall
 * @n: tuples in the set; away from what readers read
 */
struct mbc_buckets {
	struct mbc_array __rcu *array;
	struct mbc_seed seed;
	u32 n __aligned(64);
};

/**
 * mbc_buckets_init() - an empty set
 * @array: zeroed, mbc_array_bytes(@n)
 */
void mbc_buckets_init(struct mbc_buckets *b, struct mbc_array *array, u32 n,
		      const struct mbc_seed *seed);

/* What a packet's lookup goes through is inline. */

static inline unsigned __int128 mbc_nh_product(u64 a, u64 b)
{
	return (unsigned __int128)a * b;
}

static inline u64 mbc_nh_pair(__be32 high, __be32 low)
{
	return (u64)(__force u32)high << 32 | (__force u32)low;
}

/* NH, the universal hash of UMAC (Black and others, 1999): whoever does not
 * know the keys cannot name two tuples that have one sum with more than a
 * chance of 2^-64. Folding and the last multiplication spread tuples that are
 * much alike. A fifth of the instructions of SipHash-1-3; an attacker who learns
 * from times where tuples fall is met by MBC_PROBES.
 *
 * The high bits choose a bucket, the low ones are the tag.
 */
static inline u32 mbc_buckets_hash(const struct mbc_buckets *b, const struct mbc_tuple *t)
{
	const u32 ports = (__force u32)t->sport << 16 | (__force u32)t->dport;
	const __be32 *s = t->saddr.ip6, *d = t->daddr.ip6;
	const u64 *k = b->seed.key;
	unsigned __int128 sum;
	u64 x;

	if (t->family == AF_INET6)
		sum = mbc_nh_product(mbc_nh_pair(s[0], s[1]) + k[0], mbc_nh_pair(s[2], s[3]) + k[1]) +
		      mbc_nh_product(mbc_nh_pair(d[0], d[1]) + k[2], mbc_nh_pair(d[2], d[3]) + k[3]) +
		      mbc_nh_product(ports + k[4], k[5]);
	else
		sum = mbc_nh_product(mbc_nh_pair(s[0], d[0]) + k[0], ports + k[1]);
	x = (u64)(sum >> 64) ^ (u64)sum;
	return hash_64(x ^ x >> 32, 32);
}

#define MBC_BYTES(b) (0x0101010101010101ull * (b))
#define MBC_PASSED_SHIFT 56

static inline u64 mbc_bucket_tag(u32 hash)
{
	return hash & 0xff ?: 1;	/* 0 is an empty slot's */
}

static inline u64 mbc_bucket_passed(u64 tags)
{
	return tags >> MBC_PASSED_SHIFT;
}

/* The high bit of each slot whose tag is @tag. Exact: what an empty slot still
 * points to may be gone.
 */
static inline u64 mbc_bucket_match(u64 tags, u64 tag)
{
	u64 x = tags ^ MBC_BYTES(tag);

	return ~(((x & MBC_BYTES(0x7f)) + MBC_BYTES(0x7f)) | x) &
	       MBC_BYTES(0x80) >> 8;
}

static inline unsigned int mbc_bucket_first(u64 matches)
{
	return __ffs64(matches) / 8;
}

/* The bucket that a tuple falls into. */
static inline u32 mbc_bucket_home(const struct mbc_array *a, u32 hash)
{
	return reciprocal_scale(hash, a->n);
}

/** mbc_buckets_search() - mbc_buckets_find() where one bucket does not tell */
const struct mbc_tuple *mbc_buckets_search(const struct mbc_buckets *b,
					   const struct mbc_tuple *key,
					   u32 hash);

/** mbc_buckets_find() - the tuple of the set that equals @key, or NULL */
static __always_inline const struct mbc_tuple *
mbc_buckets_find(const struct mbc_buckets *b, const struct mbc_tuple *key)
{
	const struct mbc_array *a = rcu_dereference(b->array);
	const u32 hash = mbc_buckets_hash(b, key);
	const struct mbc_bucket *bucket = &a->bucket[mbc_bucket_home(a, hash)];
	const u64 tags = smp_load_acquire(&bucket->tags);
	const u64 m = mbc_bucket_match(tags, mbc_bucket_tag(hash));
	const struct mbc_tuple *t;

	if (m) {
		t = rcu_dereference(bucket->slot[mbc_bucket_first(m)]);
		if (likely(mbc_tuple_equal(t, key)))
			return t;
	} else if (likely(!mbc_bucket_passed(tags) &&
			  !rcu_access_pointer(a->next))) {
		return NULL;
	}
	return mbc_buckets_search(b, key, hash);
}

/**
 * mbc_buckets_put() - add a tuple
 * @key: equal to none in the set; stays unchanged until a grace period after
 *	it was removed
 *
 * Return: false if the array has no place near to where it falls.
 */
bool mbc_buckets_put(struct mbc_buckets *b, const struct mbc_tuple *key);

/**
 * mbc_buckets_remove() - take out @key itself, not one that equals it
 *
 * Return: false if it is not in the set.
 */
bool mbc_buckets_remove(struct mbc_buckets *b, const struct mbc_tuple *key);

/**
 * mbc_buckets_replace() - put @by in the place of @key, which equals it
 *
 * Readers find one or the other. Return: false if @key is not in the set.
 */
bool mbc_buckets_replace(struct mbc_buckets *b, const struct mbc_tuple *key,
			 const struct mbc_tuple *by);

/** mbc_buckets_newest() - the array that tuples are put into; writer only */
struct mbc_array *mbc_buckets_newest(const struct mbc_buckets *b);

/** mbc_buckets_moving() - is the set between two arrays? Writer only */
bool mbc_buckets_moving(const struct mbc_buckets *b);

/** mbc_buckets_full() - has the set to be resized before another is put? */
bool mbc_buckets_full(const struct mbc_buckets *b);

/**
 * mbc_buckets_fit() - how many buckets the set should have
 * @least: from where on it has more than MBC_ARRAY_MIN
 *
 * Return: 0 if it should stay as it is, or is moving.
 */
u32 mbc_buckets_fit(const struct mbc_buckets *b, u32 least);

/**
 * mbc_buckets_resize() - begin to move to another array
 * @array: zeroed, mbc_array_bytes(@n)
 * @n: of mbc_buckets_fit()
 *
 * The set must not be moving. From here on tuples are put into @array.
 */
void mbc_buckets_resize(struct mbc_buckets *b, struct mbc_array *array, u32 n);

/**
 * mbc_buckets_share() - buckets to move for each tuple that is put
 *
 * Then the old array is empty before the new one has to grow.
 */
u32 mbc_buckets_share(const struct mbc_buckets *b);

/**
 * mbc_buckets_move() - move what is in the next @n buckets
 *
 * Readers find every tuple all along.
 *
 * Return: the old array when it is empty, to be freed after a grace period,
 * else NULL.
 */
struct mbc_array *mbc_buckets_move(struct mbc_buckets *b, u32 n);

#endif /* MBC_BUCKET_H */
