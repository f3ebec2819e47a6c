// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readers of the buckets beside a writer that puts, removes, grows and shrinks:
 * what stays is found all along, what never was there is not. To be run with
 * the thread sanitizer too; address sanitizers see whether a reader follows
 * what has been freed.
 */
#include "make.h"
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <linux/compiler.h>
#include <linux/string.h>
#include <asm/barrier.h>
#include "bucket.h"

#define N_READERS 2
#define N_STAY 300
#define N_COME 3000
#define N_SWEEPS 6

static struct mbc_buckets set;
static struct mbc_tuple stay[N_STAY];
static bool stop;

struct reader {
	pthread_t thread;
	u64 passes;		/* times it held no pointer */
	u64 lost, wrong;
};

static struct reader readers[N_READERS];

static struct mbc_tuple tuple(unsigned int i)
{
	return make_tuple(AF_INET6, make_host(AF_INET6, i % 7), 1024 + i,
			  make_host(AF_INET6, 9), 80);
}

static void *read_all(void *arg)
{
	struct reader *r = arg;
	unsigned int i;

	while (!smp_load_acquire(&stop)) {
		for (i = 0; i < N_STAY; i++) {
			const struct mbc_tuple key = stay[i];
			struct mbc_tuple stranger = key;

			r->lost += mbc_buckets_find(&set, &key) != &stay[i];
			stranger.dport ^= 1;
			r->wrong += !!mbc_buckets_find(&set, &stranger);
			smp_store_release(&r->passes, r->passes + 1);
		}
	}
	return NULL;
}

/* Every reader has let go of what it held. */
static void grace_period(void)
{
	unsigned int i;

	for (i = 0; i < N_READERS; i++) {
		const u64 before = smp_load_acquire(&readers[i].passes);

		while (smp_load_acquire(&readers[i].passes) < before + 2)
			sched_yield();
	}
}

static struct mbc_array *alloc(u32 n)
{
	struct mbc_array *a = aligned_alloc(64, mbc_array_bytes(n));

	return memset(a, 0, mbc_array_bytes(n));
}

static void move(u32 n)
{
	struct mbc_array *old;

	if (!mbc_buckets_moving(&set))
		return;
	old = mbc_buckets_move(&set, n);
	if (old) {
		grace_period();
		free(old);
	}
}

static void resize(void)
{
	const u32 n = mbc_buckets_fit(&set, 0);

	if (n)
		mbc_buckets_resize(&set, alloc(n), n);
}

/* The memory of a tuple that went is used for other things. */
static void sweep(struct mbc_tuple *come[N_COME])
{
	unsigned int i;

	for (i = 0; i < N_COME; i++) {
		come[i] = malloc(sizeof(*come[i]));
		*come[i] = tuple(N_STAY + i);
		move(mbc_buckets_share(&set));
		EXPECT(mbc_buckets_put(&set, come[i]), "put %u", i);
		resize();
	}
	for (i = 0; i < N_COME; i++) {
		EXPECT(mbc_buckets_remove(&set, come[i]), "remove %u", i);
		move(1);
		resize();
	}
	grace_period();
	for (i = 0; i < N_COME; i++)
		free(come[i]);
}

void race_test(void)
{
	static struct mbc_tuple *come[N_COME];
	const struct mbc_seed seed = { { 1ull << 60, 3ull << 50, 5, 7, 11, 13 } };
	unsigned int i;

	test_begin("readers find what stays while others come and go");
	mbc_buckets_init(&set, alloc(MBC_ARRAY_MIN), MBC_ARRAY_MIN, &seed);
	for (i = 0; i < N_STAY; i++) {
		stay[i] = tuple(i);
		mbc_buckets_put(&set, &stay[i]);
	}
	for (i = 0; i < N_READERS; i++)
		pthread_create(&readers[i].thread, NULL, read_all, &readers[i]);
	for (i = 0; i < N_SWEEPS; i++)
		sweep(come);
	smp_store_release(&stop, true);
	for (i = 0; i < N_READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		EXPECT_EQ(readers[i].lost, 0);
		EXPECT_EQ(readers[i].wrong, 0);
	}
	free(set.array->next);
	free(set.array);
}
