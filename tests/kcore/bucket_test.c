// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buckets of tuples against a list of who is in them, and what holds when
 * all tuples fall to one place.
 */
#include "make.h"
#include "test.h"

#include <stdlib.h>
#include <linux/string.h>
#include "bucket.h"

#define N_TUPLES 20000
#define N_ROUNDS 80

/* Prime, so that no bucket is looked into twice. */
#define N_BUCKETS 127
#define N_MORE_BUCKETS 131

/* What stands for table.c: memory, and a share of moving with each put. */
struct table {
	struct mbc_buckets buckets;
	struct mbc_tuple tuples[N_TUPLES];
	bool in[N_TUPLES];
	unsigned int n, n_resized;
};

static struct mbc_array *alloc(u32 n)
{
	struct mbc_array *a = aligned_alloc(64, mbc_array_bytes(n));

	return memset(a, 0, mbc_array_bytes(n));
}

static void table_init(struct table *t, u8 family, u32 state)
{
	struct mbc_seed seed;
	unsigned int i;

	memset(t, 0, sizeof(*t));
	for (i = 0; i < ARRAY_SIZE(seed.key); i++) {
		seed.key[i] = (u64)make_random(&state) << 32;
		seed.key[i] |= make_random(&state);
	}
	/* Much alike, as those of one client are. */
	for (i = 0; i < N_TUPLES; i++)
		t->tuples[i] = make_tuple(family, make_host(family, i / 5000),
					  i, make_host(family, 7), 443);
	mbc_buckets_init(&t->buckets, alloc(MBC_ARRAY_MIN), MBC_ARRAY_MIN,
			 &seed);
}

static void table_free(struct table *t)
{
	free(t->buckets.array->next);
	free(t->buckets.array);
}

static void table_resize(struct table *t, u32 least)
{
	const u32 n = mbc_buckets_fit(&t->buckets, least);

	if (n) {
		mbc_buckets_resize(&t->buckets, alloc(n), n);
		t->n_resized++;
	}
}

static void table_move(struct table *t, u32 n)
{
	if (mbc_buckets_moving(&t->buckets))
		free(mbc_buckets_move(&t->buckets, n));
}

static void table_put(struct table *t, unsigned int i)
{
	table_move(t, mbc_buckets_share(&t->buckets));
	EXPECT(mbc_buckets_put(&t->buckets, &t->tuples[i]),
	       "put %u: no place, %u in the set", i, t->n);
	t->in[i] = true;
	t->n++;
	table_resize(t, 0);
}

static void table_remove(struct table *t, unsigned int i)
{
	EXPECT(mbc_buckets_remove(&t->buckets, &t->tuples[i]),
	       "remove %u: not there", i);
	t->in[i] = false;
	t->n--;
	table_move(t, 1);
	table_resize(t, 0);
}

/* What is in, and nothing else, is found, by any tuple that equals it. */
static void table_check(struct table *t)
{
	unsigned int i;

	EXPECT_EQ(t->buckets.n, t->n);
	for (i = 0; i < N_TUPLES; i++) {
		struct mbc_tuple key = t->tuples[i];
		const struct mbc_tuple *got = mbc_buckets_find(&t->buckets,
							       &key);

		EXPECT(got == (t->in[i] ? &t->tuples[i] : NULL),
		       "find %u: got %p", i, (void *)got);
		key.dport ^= 1;
		EXPECT(!mbc_buckets_find(&t->buckets, &key),
		       "find a stranger to %u", i);
	}
}

/* More come than go in half of the rounds, more go in the others. */
static void test_model(u8 family)
{
	static struct table t;
	unsigned int round, op, i;
	u32 state;

	for (state = 1; state <= 3; state++) {
		u32 random = state;

		test_begin("%s: agrees with a list, seed %u",
			   family_name(family), state);
		table_init(&t, family, state);
		for (round = 0; round < N_ROUNDS; round++) {
			bool grow = round / 20 % 2 == 0;

			for (op = 0; op < N_TUPLES / 5; op++) {
				i = make_random(&random) % N_TUPLES;
				if (!t.in[i] && (grow || op % 64 == 0))
					table_put(&t, i);
				else if (t.in[i] && (!grow || op % 64 == 0))
					table_remove(&t, i);
			}
			if (round % 10 == 9)
				table_check(&t);
		}
		EXPECT(t.n_resized > 10, "resized %u times only", t.n_resized);
		table_free(&t);
	}
}

/* Also while the set moves to another array. */
static void test_replace(u8 family)
{
	static struct mbc_tuple twins[N_TUPLES];
	static struct table t;
	unsigned int i;

	test_begin("%s: a tuple takes the place of its like",
		   family_name(family));
	table_init(&t, family, 1);
	memcpy(twins, t.tuples, sizeof(twins));
	EXPECT(!mbc_buckets_replace(&t.buckets, &t.tuples[0], &twins[0]),
	       "one that is not there");
	for (i = 0; i < N_TUPLES; i++) {
		table_put(&t, i);
		EXPECT(mbc_buckets_replace(&t.buckets, &t.tuples[i / 2 * 2],
					   &twins[i / 2 * 2]) == (i % 2 == 0),
		       "replace %u", i / 2 * 2);
	}
	EXPECT_EQ(t.buckets.n, N_TUPLES);
	for (i = 0; i < N_TUPLES; i++) {
		const struct mbc_tuple *want = i % 2 ? &t.tuples[i] : &twins[i];

		EXPECT(mbc_buckets_find(&t.buckets, &t.tuples[i]) == want,
		       "find %u", i);
		EXPECT(i % 2 || !mbc_buckets_remove(&t.buckets, &t.tuples[i]),
		       "%u: what was replaced is still there", i);
		EXPECT(mbc_buckets_remove(&t.buckets, want), "remove %u", i);
		EXPECT(!mbc_buckets_find(&t.buckets, &t.tuples[i]),
		       "find %u again", i);
	}
	table_free(&t);
}

/* One that went by others is found when they have gone. */
static void test_probing(void)
{
	const unsigned int n = mbc_array_slots(MBC_PROBES);
	struct mbc_tuple t[MBC_PROBES * MBC_BUCKET_SLOTS + 1], reused;
	const struct mbc_seed zero = { { 0 } };
	struct mbc_buckets b;
	unsigned int i;

	/* The keys and the ports 0: so is every hash. */
	mbc_buckets_init(&b, alloc(N_BUCKETS), N_BUCKETS, &zero);
	for (i = 0; i <= n; i++)
		t[i] = make_tuple(AF_INET, make_host(AF_INET, i), 0,
				  make_host(AF_INET, 1), 0);

	test_begin("takes what one reader may look through, and no more");
	for (i = 0; i < n; i++)
		EXPECT(mbc_buckets_put(&b, &t[i]), "put %u", i);
	EXPECT(!mbc_buckets_put(&b, &t[n]), "put one too many");
	EXPECT_EQ(b.n, n);
	for (i = 0; i < n; i++)
		EXPECT(mbc_buckets_find(&b, &t[i]) == &t[i], "find %u", i);
	EXPECT(!mbc_buckets_find(&b, &t[n]), "find what was refused");

	test_begin("finds those who went by others when these are gone");
	for (i = 0; i < n; i++) {
		EXPECT(mbc_buckets_remove(&b, &t[i]), "remove %u", i);
		EXPECT(!mbc_buckets_find(&b, &t[i]), "find %u", i);
		if (i + 1 < n)
			EXPECT(mbc_buckets_find(&b, &t[n - 1]) == &t[n - 1],
			       "find the last of %u", n - i - 1);
	}

	test_begin("looks no further than it has to when all are gone");
	for (i = 0; i < b.array->n; i++)
		EXPECT_EQ(b.array->bucket[i].tags, 0);

	test_begin("removes a tuple itself, not one that equals it");
	reused = t[0];
	EXPECT(mbc_buckets_put(&b, &t[0]), "put");
	EXPECT(!mbc_buckets_remove(&b, &reused), "remove a copy");
	EXPECT(mbc_buckets_find(&b, &reused) == &t[0], "find");
	free(b.array);
}

/* As if 254 more had gone by, of which the set knows nothing. */
static void test_lost_count(void)
{
	struct mbc_tuple t[MBC_BUCKET_SLOTS + 2];
	const struct mbc_seed zero = { { 0 } };
	struct mbc_buckets b;
	unsigned int i;

	test_begin("a bucket that has lost count is always gone by");
	mbc_buckets_init(&b, alloc(N_BUCKETS), N_BUCKETS, &zero);
	b.array->bucket[0].tags = 254ull << 56;
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		t[i] = make_tuple(AF_INET, make_host(AF_INET, i), 0,
				  make_host(AF_INET, 1), 0);
		EXPECT(mbc_buckets_put(&b, &t[i]), "put %u", i);
	}
	EXPECT_EQ(b.array->bucket[0].tags >> 56, 255);
	for (i = 0; i < ARRAY_SIZE(t); i++)
		EXPECT(mbc_buckets_remove(&b, &t[i]), "remove %u", i);
	EXPECT_EQ(b.array->bucket[0].tags, 255ull << 56);
	free(b.array);
}

/* A move that cannot go on loses nothing, and goes on when it can. */
static void test_stuck(void)
{
	const unsigned int n = mbc_array_slots(MBC_PROBES);
	struct mbc_tuple t[MBC_PROBES * MBC_BUCKET_SLOTS], late;
	const struct mbc_seed zero = { { 0 } };
	struct mbc_buckets b;
	unsigned int i;

	test_begin("a move for which there is no place waits");
	mbc_buckets_init(&b, alloc(N_BUCKETS), N_BUCKETS, &zero);
	for (i = 0; i < n; i++) {
		t[i] = make_tuple(AF_INET, make_host(AF_INET, i), 0,
				  make_host(AF_INET, 1), 0);
		mbc_buckets_put(&b, &t[i]);
	}
	mbc_buckets_resize(&b, alloc(N_MORE_BUCKETS), N_MORE_BUCKETS);
	late = make_tuple(AF_INET, make_host(AF_INET, n), 0,
			  make_host(AF_INET, 1), 0);
	EXPECT(mbc_buckets_put(&b, &late), "put into the new array");
	EXPECT(!mbc_buckets_move(&b, 1000), "move all");
	for (i = 0; i < n; i++)
		EXPECT(mbc_buckets_find(&b, &t[i]) == &t[i], "find %u", i);
	mbc_buckets_remove(&b, &late);
	free(mbc_buckets_move(&b, 1000));
	EXPECT(!mbc_buckets_moving(&b), "still moving");
	for (i = 0; i < n; i++)
		EXPECT(mbc_buckets_find(&b, &t[i]) == &t[i], "find %u", i);
	free(b.array);
}

static void test_sizes(void)
{
	static struct table t;
	unsigned int i;

	test_begin("is at most five eighths full, and shrinks when empty");
	table_init(&t, AF_INET, 9);
	EXPECT_EQ(mbc_buckets_fit(&t.buckets, 5000), 0);
	for (i = 0; i < N_TUPLES; i++) {
		table_put(&t, i);
		EXPECT(t.n <= mbc_array_slots(
				mbc_buckets_newest(&t.buckets)->n) / 8 * 5 + 1,
		       "%u in %u buckets", t.n,
		       mbc_buckets_newest(&t.buckets)->n);
	}
	table_move(&t, ~0u);
	for (i = 0; i < N_TUPLES; i++) {
		table_remove(&t, i);
		table_move(&t, ~0u);
	}
	EXPECT_EQ(t.buckets.array->n, MBC_ARRAY_MIN);

	test_begin("grows to no less than it was told to");
	for (i = 0; !mbc_buckets_moving(&t.buckets); i++) {
		mbc_buckets_put(&t.buckets, &t.tuples[i]);
		table_resize(&t, 5000);
	}
	EXPECT_EQ(mbc_buckets_newest(&t.buckets)->n, 5000);
	table_free(&t);
}

void bucket_test(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(families); i++)
		test_model(families[i]);
	for (i = 0; i < ARRAY_SIZE(families); i++)
		test_replace(families[i]);
	test_probing();
	test_lost_count();
	test_stuck();
	test_sizes();
}
