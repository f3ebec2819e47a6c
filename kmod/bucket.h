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

#include <linux/compiler.h>
#include <linux/types.h>
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

/** mbc_buckets_find() - the tuple of the set that equals @key, or NULL */
const struct mbc_tuple *mbc_buckets_find(const struct mbc_buckets *b,
					 const struct mbc_tuple *key);

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
