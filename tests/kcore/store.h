/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tables that the benchmark compares, behind one face: each finds items by
 * tuple. One thread; what a table does in the background it does when asked.
 */
#ifndef KCORE_STORE_H
#define KCORE_STORE_H

#include <linux/types.h>
#include "tuple.h"

/**
 * struct item - what a tuple leads to
 * @tuple: first, like in struct mbc_entry
 * @node: of a table that needs one in its items, in the same cache line
 */
struct item {
	struct mbc_tuple tuple;
	void *node;
} __aligned(64);

/** struct store - a table */
struct store {
	const char *name;
	void (*init)(void);
	void (*destroy)(void);	/* whatever is still in it */
	const struct item *(*find)(const struct mbc_tuple *key);
	bool (*insert)(struct item *item);	/* false: there, or no memory */
	void (*remove)(struct item *item);
	/* Work that the kernel would give to a thread: all that is due. */
	void (*work)(void);
};

extern const struct store store_buckets, store_rhashtable;

/** pages_alloc() - zeroed memory, of huge pages where it is large */
void *pages_alloc(size_t size);
void pages_free(const void *p);

#endif /* KCORE_STORE_H */
