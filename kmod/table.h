/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sessions by five-tuple, in two tables (design section 4: what stands on the
 * wire is looked up coming in, what the supersession is called going out).
 * Lookups run under RCU, changes under mbc_net.lock; a table grows and shrinks
 * in the background.
 */
#ifndef MBC_TABLE_H
#define MBC_TABLE_H

#include <linux/atomic.h>
#include "net.h"
#include "tcp.h"
#include "xlate.h"

/**
 * enum mbc_slot - a session's places in the tables
 *
 * A client has OUT_RIGHT and IN_RIGHT, a server IN_LEFT and OUT_LEFT, a
 * middlebox all four. The other direction of the same subsession is at slot ^ 1,
 * and what comes in by a slot leaves a middlebox by slot ^ 2.
 */
enum mbc_slot {
	MBC_IN_LEFT,	/* from the left neighbour; travels right */
	MBC_OUT_LEFT,	/* to the left neighbour; travels left */
	MBC_OUT_RIGHT,	/* to the right neighbour; travels right */
	MBC_IN_RIGHT,	/* from the right neighbour; travels left */
	MBC_N_SLOTS
};

/**
 * struct mbc_entry - one tuple that leads to a session
 * @tuple: of the packets it is for, as they are before translation; in
 *	mbc_net.table, which knows it by its being the first
 * @diff: what translating them does to checksums
 * @slot: enum mbc_slot, also its index in mbc_session.entry
 * @packets: how many were translated
 * @bytes: length of them with the IP header
 *
 * One cache line. What its packets become is the reverse of what the entry at
 * slot ^ 1 is for: see mbc_entry_xlate().
 */
struct mbc_entry {
	struct mbc_tuple tuple;
	struct mbc_diff diff;
	u8 slot;
	atomic64_t packets;
	atomic64_t bytes;
} ____cacheline_aligned;

/** mbc_entry_back() - the other direction of its subsession */
static inline struct mbc_entry *mbc_entry_back(const struct mbc_entry *e)
{
	return (struct mbc_entry *)e - e->slot + (e->slot ^ 1);
}

/** mbc_entry_across() - by which leaves a middlebox what came in by @e */
static inline struct mbc_entry *mbc_entry_across(const struct mbc_entry *e)
{
	return (struct mbc_entry *)e - e->slot + (e->slot ^ 2);
}

/** mbc_entry_xlate() - what its packets become; valid as long as the entry */
static inline struct mbc_xlate mbc_entry_xlate(const struct mbc_entry *e)
{
	return (struct mbc_xlate){
		.back = &mbc_entry_back(e)->tuple, .diff = e->diff,
	};
}

/** mbc_entry_count() - one more packet was translated by @e */
static inline void mbc_entry_count(struct mbc_entry *e, unsigned int bytes)
{
	atomic64_inc(&e->packets);
	atomic64_add(bytes, &e->bytes);
}

static inline enum mbc_hook mbc_slot_hook(enum mbc_slot slot)
{
	return slot == MBC_IN_LEFT || slot == MBC_IN_RIGHT ? MBC_IN : MBC_OUT;
}

static inline enum mbc_dir mbc_slot_dir(enum mbc_slot slot)
{
	return slot & 1 ? MBC_LEFT : MBC_RIGHT;
}

int mbc_table_init(struct mbc_net *mn);
/** mbc_table_destroy() - free the tables; nothing may be left in them */
void mbc_table_destroy(struct mbc_net *mn);

/** mbc_table_find() - the entry of @tuple, or NULL; RCU read side */
static __always_inline struct mbc_entry *
mbc_table_find(struct mbc_net *mn, enum mbc_hook hook,
	       const struct mbc_tuple *tuple)
{
	const struct mbc_tuple *t;

	t = mbc_buckets_find(&mn->table[hook].buckets, tuple);
	/* The tuple is its first member; NULL stays NULL. */
	return container_of(t, struct mbc_entry, tuple);
}

/** mbc_table_insert() - -EEXIST, -ENOMEM or 0; mbc_net.lock held */
int mbc_table_insert(struct mbc_net *mn, struct mbc_entry *e);

/** mbc_table_remove() - readers may still hold it for a grace period */
void mbc_table_remove(struct mbc_net *mn, struct mbc_entry *e);

/** mbc_table_replace() - @by stands for the tuple of @e from now on, which equals its */
void mbc_table_replace(struct mbc_net *mn, struct mbc_entry *e,
		       struct mbc_entry *by);

/** mbc_table_bytes() - memory of the tables of tuples and ids; RCU read side */
size_t mbc_table_bytes(const struct mbc_net *mn);

#endif /* MBC_TABLE_H */
