// SPDX-License-Identifier: GPL-2.0-only
/* The module's buckets, handled as table.c does; memory for all tables. */
#define _GNU_SOURCE
#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "bucket.h"

#define HUGE (2ul << 20)

static struct mbc_buckets set;

void *pages_alloc(size_t size)
{
	const size_t align = size < HUGE ? 4096 : HUGE;
	void *p;

	size = (size + align - 1) / align * align;
	p = aligned_alloc(align, size);
	if (!p)
		abort();
	madvise(p, size, MADV_HUGEPAGE);
	return memset(p, 0, size);
}

void pages_free(const void *p)
{
	free((void *)p);
}

static void init(void)
{
	static const struct mbc_seed seed = { {
		0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0,
		0x082efa98ec4e6c89, 0x452821e638d01377, 0xbe5466cf34e90c6c,
	} };

	mbc_buckets_init(&set, pages_alloc(mbc_array_bytes(MBC_ARRAY_MIN)),
			 MBC_ARRAY_MIN, &seed);
}

static void destroy(void)
{
	free(set.array->next);
	free(set.array);
}

static const struct item *find(const struct mbc_tuple *key)
{
	return (const struct item *)mbc_buckets_find(&set, key);
}

static bool insert(struct item *item)
{
	if (mbc_buckets_moving(&set))
		free(mbc_buckets_move(&set, mbc_buckets_share(&set)));
	return !mbc_buckets_find(&set, &item->tuple) &&
	       mbc_buckets_put(&set, &item->tuple);
}

static void remove_item(struct item *item)
{
	mbc_buckets_remove(&set, &item->tuple);
}

/* Allocates; moving is left to insert(), which would else wait for less. */
static void work(void)
{
	const u32 n = mbc_buckets_fit(&set, 0);

	if (n)
		mbc_buckets_resize(&set, pages_alloc(mbc_array_bytes(n)), n);
}

const struct store store_buckets = {
	"buckets", init, destroy, find, insert, remove_item, work,
};
