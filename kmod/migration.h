/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changing the chain of a live session, on one host (paper sections 4.2.1 and
 * 5.1: make before break).
 *
 * A host at an end of the part that changes, an anchor, has the session twice
 * meanwhile: as it is and as it will be, two objects for one supersession. One of
 * them is the first: it has the id, the tuples, TCP's progress and the timer. Of
 * the second only the tuple is in the tables by which packets come in over the
 * other path. What comes in is restored alike by either; what goes out takes the
 * path of the first. To switch is to make the other one the first. No packet
 * waits for any of it, and those of other sessions cost what they cost before.
 *
 * Behind its last packet over the old path an anchor sends a marker. A host that
 * is to leave the path hands it on; when markers have passed it both ways nothing
 * will come there any more. What was late all the same is restored for a while
 * after the end of the migration: by a ghost, the session that was the second.
 *
 * mbc_net.lock orders all changes; readers under RCU.
 */
#ifndef MBC_MIGRATION_H
#define MBC_MIGRATION_H

#include "packet.h"
#include "session.h"

#define MBC_GHOST_LIFE 1000	/* ms */

/**
 * struct mbc_migration - what a host knows of one
 * @id: MBC_SESSION_A_MIGRATION
 * @part: enum mbc_part
 * @in_use: enum mbc_path, whose session is the first
 * @passed: bit per enum mbc_dir: a marker has come this way; under
 *	mbc_session.lock of the first
 * @session: by enum mbc_path; one that leaves has no new one
 * @ghosts: in mbc_net.ghosts, when it is over
 * @pauses: in mbc_net.pauses, while what goes out waits
 * @expires: when either ends, jiffies
 * @rcu: to free it
 */
struct mbc_migration {
	u64 id;
	u8 part;
	u8 in_use;
	u8 passed;
	struct mbc_session *session[2];
	struct list_head ghosts;
	struct list_head pauses;
	unsigned long expires;
	struct rcu_head rcu;
};

/**
 * struct mbc_change - what is to become of a session's path
 * @id: of the migration
 * @part: enum mbc_part
 * @hops: left anchor: the hosts that will be right of this one, the server last
 * @n_hops: how many
 * @wire: right anchor: tuple of the subsession from the new left neighbour, as
 *	received here
 */
struct mbc_change {
	u64 id;
	enum mbc_part part;
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

/**
 * mbc_migration_begin() - packets may come by another path from now on
 * @s: its first one
 * @next: set on success: the session as it will be; as it is where it leaves
 *
 * mbc_net.lock held. A left anchor's new subsession is chosen here. The same
 * change again has the same answer.
 *
 * Return: MBC_REASON_NONE or why not.
 */
enum mbc_reason mbc_migration_begin(struct mbc_session *s,
				    const struct mbc_change *change,
				    struct mbc_session **next);

/**
 * mbc_migration_pause() - what would go out by either path waits
 * @m: at an anchor that has not switched
 *
 * For MBC_PAUSE_TIME at most. mbc_net.lock held. Return: false if it has switched.
 */
bool mbc_migration_pause(struct mbc_migration *m);

/**
 * mbc_migration_resume() - what waits goes on, by the path in use
 *
 * Process context, RCU read side.
 */
void mbc_migration_resume(struct mbc_net *mn, struct mbc_migration *m);

/**
 * mbc_migration_switch() - what goes out takes @path from now on
 * @m: at an anchor
 *
 * mbc_net.lock held. Nothing happens if it does already.
 */
void mbc_migration_switch(struct mbc_migration *m, enum mbc_path path);

/**
 * mbc_migration_mark() - send the marker over the old path
 * @m: at an anchor that has switched or paused, a grace period ago
 *
 * Not for UDP, which promises no order. RCU read side, BH off. Return: 0; -ENOKEY, -EHOSTUNREACH or -ENOMEM.
 */
int mbc_migration_mark(struct mbc_migration *m);

/**
 * mbc_migration_end() - the path that is not in use goes
 *
 * A ghost restores for MBC_GHOST_LIFE what still comes by it. mbc_net.lock held.
 */
void mbc_migration_end(struct mbc_migration *m);

/** mbc_migration_abandon() - the same as its session ends, and without a ghost */
void mbc_migration_abandon(struct mbc_migration *m);

/**
 * mbc_migration_inbound() - is this packet none of the session's?
 * @p: came in by an entry of @s
 * @dir: the way it travels
 *
 * Softirq, RCU read side; only asked while @s->watched.
 *
 * Return: MBC_DROP: a marker, or a RST by a path that nobody speaks over any
 * more; counted.
 */
enum mbc_verdict mbc_migration_inbound(struct mbc_net *mn,
				       const struct mbc_packet *p,
				       struct mbc_session *s, enum mbc_dir dir);

void mbc_migration_net_init(struct mbc_net *mn);
/** mbc_migration_flush() - no ghost stays, none comes; process context */
void mbc_migration_flush(struct mbc_net *mn);

#endif /* MBC_MIGRATION_H */
