/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changing the chain of a live session, on one host (paper sections 4.2.1 and
 * 5.1: make before break).
 *
 * Each host that takes part has a record of it with the session. A host at an end
 * of the part that changes, an anchor, has the session twice once the change has
 * begun: as it is and as it will be, two objects for one supersession. One of them
 * is the first: it has the id, the tuples, TCP's progress and the timer. Of the
 * second only the tuple is in the tables by which packets come in over the other
 * path. What comes in is restored alike by either; what goes out takes the path of
 * the first. To switch is to make the other one the first. No packet waits for any
 * of it, and those of other sessions cost what they cost before.
 *
 * Behind its last packet over the old path an anchor sends a marker. A host that
 * is to leave the path hands it on, see passage.h; when markers have passed it both
 * ways nothing will come there any more. What was late all the same is restored
 * for a while after the end of the migration: by a ghost, the session that was the
 * second, or by the session itself where it leaves.
 *
 * mbc_net.lock orders all changes; readers under RCU. mbc_migration.lock, innermost,
 * protects what packets change.
 */
#ifndef MBC_MIGRATION_H
#define MBC_MIGRATION_H

#include "checkpoint.h"
#include "passage.h"
#include "session.h"

#define MBC_GHOST_LIFE 1000	/* ms */

/** enum mbc_fact - what has come true of a migration, and stays so */
enum mbc_fact {
	MBC_FACT_ACK_REACHED,
	MBC_FACT_OVERFLOW,
	MBC_FACT_NEW_PATH_USED,
};

/**
 * struct mbc_migration - the record of one
 * @id: MBC_SESSION_A_MIGRATION
 * @part: enum mbc_part
 * @in_use: enum mbc_path, whose session is the first
 * @ghost: it is over; the second is in mbc_net.ghosts and leads here, no other
 * @gone: it is over, and the session about to end
 * @full: too many packets wait: the pause is to end
 * @passed: bit per enum mbc_dir: a marker has come this way
 * @facts: bit per enum mbc_fact
 * @lock: protects @passed, @facts, @passage and @checkpoint
 * @passage: the old path, by enum mbc_dir
 * @checkpoint: of a pause
 * @session: by enum mbc_path; NULL where there is no such path, or not yet
 * @ghosts: in mbc_net.ghosts, when it is over
 * @pauses: in mbc_net.pauses, while what goes out waits
 * @markers: in mbc_net.markers, while a marker waits
 * @expires: when it leaves @ghosts or @pauses, jiffies
 * @rcu: to free it
 * @n_plan: bytes of @plan
 * @marker_wait: ms, for what should have gone before a marker
 * @plan: the agents'
 */
struct mbc_migration {
	u64 id;
	u8 part;
	u8 in_use;
	bool ghost;
	bool gone;
	bool full;
	u8 passed;
	u8 facts;
	spinlock_t lock;
	struct mbc_passage passage[2];
	struct mbc_checkpoint checkpoint;
	struct mbc_session *session[2];
	struct list_head ghosts;
	struct list_head pauses;
	struct list_head markers;
	unsigned long expires;
	struct rcu_head rcu;
	u16 marker_wait;
	u16 n_plan;
	u8 plan[];
};

/**
 * struct mbc_change - what is to become of a session's path
 * @hops: left anchor: the hosts that will be right of this one, the server last
 * @n_hops: how many
 * @wire: right anchor: tuple of the subsession from the new left neighbour, as
 *	received here
 */
struct mbc_change {
	union mbc_addr hops[MBC_MAX_HOPS];
	u8 n_hops;
	struct mbc_tuple wire;
};

/** mbc_migration_first() - the session that @s counts for; RCU read side */
struct mbc_session *mbc_migration_of(struct mbc_session *s);

static inline struct mbc_session *mbc_migration_first(struct mbc_session *s)
{
	return likely(!rcu_access_pointer(s->migration)) ? s :
							  mbc_migration_of(s);
}

/* The session whose packets it is about at present. */
static inline struct mbc_session *
mbc_migration_in_use(const struct mbc_migration *m)
{
	return READ_ONCE(m->session[smp_load_acquire(&m->in_use)]);
}

static inline bool mbc_migration_is_anchor(const struct mbc_migration *m)
{
	return m->part == MBC_PART_LEFT || m->part == MBC_PART_RIGHT;
}

/** mbc_migration_outlet() - by which an anchor sends over the path that changes */
static inline enum mbc_slot mbc_migration_outlet(const struct mbc_migration *m)
{
	return m->part == MBC_PART_LEFT ? MBC_OUT_RIGHT : MBC_OUT_LEFT;
}

/** mbc_migration_entrance() - by which packets come in over it */
static inline enum mbc_slot mbc_migration_entrance(const struct mbc_migration *m)
{
	return m->part == MBC_PART_LEFT ? MBC_IN_RIGHT : MBC_IN_LEFT;
}

/** mbc_migration_find() - the record of @s; mbc_net.lock held, or RCU read side */
static inline struct mbc_migration *mbc_migration_find(const struct mbc_session *s)
{
	return rcu_dereference_check(s->migration,
				     lockdep_is_held(&s->mn->lock));
}

/** mbc_migration_is_leaving() - has @s left this host, but for what is late? as above */
static inline bool mbc_migration_is_leaving(const struct mbc_session *s)
{
	const struct mbc_migration *m = mbc_migration_find(s);

	return m && READ_ONCE(m->gone);
}

/**
 * mbc_migration_new() - a record that is not yet any session's
 * @plan: @n_plan bytes, 1 to MBC_MAX_PLAN
 *
 * Process context. Return: for mbc_migration_lock(), mbc_migration_join() or
 * kfree_rcu(); NULL when memory is short.
 */
struct mbc_migration *mbc_migration_new(u64 id, enum mbc_part part,
					const void *plan, u16 n_plan);

/**
 * mbc_migration_lock() - @s has the record @m from now on
 * @s: the first
 * @m: of an anchor, or of a host that is to leave
 *
 * mbc_net.lock held. Return: MBC_REASON_NONE, or _NOT_MOVABLE: @m is the caller's.
 */
enum mbc_reason mbc_migration_lock(struct mbc_session *s,
				   struct mbc_migration *m);

/** mbc_migration_join() - the same of a session that is not installed yet */
void mbc_migration_join(struct mbc_session *s, struct mbc_migration *m);

/**
 * mbc_migration_begin() - packets may come by another path from now on
 * @m: at an anchor
 * @next: set on success: the session as it will be
 *
 * mbc_net.lock held. A left anchor's new subsession is chosen here. The same
 * again has the same answer.
 *
 * Return: MBC_REASON_NONE or why not.
 */
enum mbc_reason mbc_migration_begin(struct mbc_migration *m,
				    const struct mbc_change *change,
				    struct mbc_session **next);

/**
 * mbc_migration_switch() - what goes out takes @path from now on
 * @m: at an anchor where there is this path
 *
 * mbc_net.lock held. Nothing happens if it does already.
 *
 * Return: 0; -EALREADY: the new path is not for the left anchor any more, see
 * MBC_FACT_OVERFLOW.
 */
int mbc_migration_switch(struct mbc_migration *m, enum mbc_path path);

/**
 * mbc_migration_end() - the record goes, and the path that is not in use
 *
 * A ghost restores for MBC_GHOST_LIFE what still comes by it. mbc_net.lock held.
 */
void mbc_migration_end(struct mbc_migration *m);

/**
 * mbc_migration_leave() - the record goes, and the session after MBC_GHOST_LIFE
 * @m: not at an anchor
 *
 * mbc_net.lock held.
 */
void mbc_migration_leave(struct mbc_migration *m);

/** mbc_migration_abandon() - the session ends, and the record at once */
void mbc_migration_abandon(struct mbc_migration *m);

/**
 * mbc_migration_note() - it has come true
 * @passed: bit per enum mbc_dir
 * @facts: bit per enum mbc_fact
 *
 * Tells the agent if it has not been so before. RCU read side.
 */
void mbc_migration_note(struct mbc_migration *m, u8 passed, u8 facts);

void mbc_migration_net_init(struct mbc_net *mn);
/** mbc_migration_flush() - no ghost stays, none comes; process context */
void mbc_migration_flush(struct mbc_net *mn);

#endif /* MBC_MIGRATION_H */
