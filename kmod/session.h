/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A supersession as this host knows it: its tuples in the tables, how far TCP
 * has come, when it ends (paper sections 3.2 and 4.1).
 *
 * Life: mbc_session_new() by the first SYN, mbc_session_install() makes it
 * findable, one of FIN, RST, time, netlink or a newer session of the same
 * tuple ends it through mbc_session_end(); memory goes a grace period later.
 * Everybody who holds a pointer is inside rcu_read_lock().
 */
#ifndef MBC_SESSION_H
#define MBC_SESSION_H

#include <linux/skbuff.h>
#include <linux/timer.h>
#include "route.h"
#include "table.h"
#include "tcp.h"

/**
 * struct mbc_held - packets that wait
 * @bytes: in them, from the IP headers on
 * @max_packets: struct mbc_pause; of a set-up hold.c knows the bounds
 * @max_bytes: likewise
 * @drop: likewise
 * @stamped: something has gone ahead of them, and had a timestamp
 * @stamp: the newest of these, TSval in host byte order
 */
struct mbc_held {
	struct sk_buff_head queue;
	u32 bytes;
	u32 max_packets;
	u32 max_bytes;
	bool drop;
	bool stamped;
	u32 stamp;
};

/* In mbc_session.paused: what leaves is taken note of, see passage.h. */
#define MBC_NOTED BIT(MBC_N_SLOTS)

/** struct mbc_hops - addresses of hosts, left to right */
struct mbc_hops {
	struct rcu_head rcu;
	u8 n;
	union mbc_addr addr[];
};

/**
 * struct mbc_session - one supersession on one host
 * @entry: by enum mbc_slot; the first member, see mbc_entry_session().
 *	OUT_LEFT's tuple is the reverse of the supersession's in every role
 * @mn: its namespace
 * @seen: jiffies of the last packet
 * @lock: protects @tcp, @setup, @held, @dead and arming @timer; nests inside
 *	mbc_net.lock
 * @tcp: progress; of UDP only @tcp.state
 * @role: enum mbc_role
 * @on_failure: enum mbc_on_failure of the rule; client only
 * @gateway: of a client that runs no mbchain; client only
 * @in_band: no agent sets it up, whatever becomes of its SYN; client only
 * @dead: no longer in the tables
 * @syns: SYNs sent to the right so far
 * @setup: enum mbc_setup_state; see hold.h
 * @asked: an agent knows that @setup is WAITING
 * @by_agent: what is left of this host was set up out-of-band
 * @paused: bit per enum mbc_slot: what leaves by it waits, see pause.h; MBC_NOTED
 * @watched: what comes in may be no packet of it, see mbc_passage_inbound()
 * @refused: the right neighbour refused the header, see refusal.h
 * @held: owned packets that wait, or NULL
 * @syn_data: bytes of the application's in the last SYN sent to the right
 * @n_hops: hosts right of this one when it was set up, 0: the server is the next,
 *	or is this one
 * @route: to the right (MBC_RIGHT) and left (MBC_LEFT) neighbour
 * @ahead: how the host's own stack routes what travels that way; middlebox only
 * @id_node: in mbc_net.ids
 * @id: random, given by the client's host
 * @hops: the hosts right of this one now, as far as one knows; owned, NULL where
 *	@n_hops is 0; RCU, mbc_net.lock to change
 * @isn: sequence number of the SYN, host byte order
 * @rule: MBC_RULE_A_ID; client only
 * @policy_version: of the policy it was set up by; client only
 * @created: when it was installed, ktime_get_coarse_ns()
 * @timer: fires when it may have to end
 * @rcu: to free it
 * @migration: it has two paths at present, see migration.h; RCU
 *
 * First what every packet reads, a cache line for each.
 */
struct mbc_session {
	struct mbc_entry entry[MBC_N_SLOTS];
	struct mbc_net *mn;
	unsigned long seen;
	spinlock_t lock;
	struct mbc_tcp tcp;
	u8 role;
	u8 on_failure;
	bool gateway;
	bool in_band;
	bool dead;
	u8 syns;
	u8 setup;
	bool asked;
	bool by_agent;
	bool refused;
	bool watched;
	u8 paused;
	u8 n_hops;
	u16 syn_data;
	struct mbc_held *held;
	struct mbc_route route[2] __aligned(sizeof(struct mbc_route));
	struct mbc_route ahead[2];
	struct rhash_head id_node;
	u8 id[MBC_ID_LEN];
	struct mbc_hops __rcu *hops;
	u32 isn;
	u32 rule;
	u64 policy_version;
	u64 created;
	struct timer_list timer;
	struct rcu_head rcu;
	struct mbc_migration __rcu *migration;
};

/** mbc_entry_session() - whose entry it is */
static inline struct mbc_session *mbc_entry_session(const struct mbc_entry *e)
{
	return container_of(e - e->slot, struct mbc_session, entry[0]);
}

/** mbc_session_back() - the reverse of the supersession's tuple */
static inline const struct mbc_tuple *
mbc_session_back(const struct mbc_session *s)
{
	return &s->entry[MBC_OUT_LEFT].tuple;
}

/** mbc_session_super() - what applications and NFs see, client to server */
static inline struct mbc_tuple mbc_session_super(const struct mbc_session *s)
{
	return mbc_tuple_reverse(mbc_session_back(s));
}

/** mbc_session_has() - does this host's role use @slot? */
static inline bool mbc_session_has(const struct mbc_session *s,
				   enum mbc_slot slot)
{
	switch (slot) {
	case MBC_IN_LEFT:
	case MBC_OUT_LEFT:
		return s->role != MBC_ROLE_CLIENT;
	default:
		return s->role != MBC_ROLE_SERVER;
	}
}

/**
 * mbc_session_new() - an empty session, in no table yet
 * @mn: namespace; its session count goes up
 * @role: enum mbc_role
 * @super: its tuple
 * @hops: the hosts right of this one
 * @n_hops: how many
 * @reason: set on failure: MBC_REASON_TABLE_FULL or _NO_MEMORY
 *
 * Atomic context. Give it to mbc_session_install() or mbc_session_abandon().
 */
struct mbc_session *mbc_session_new(struct mbc_net *mn, enum mbc_role role,
				    const struct mbc_tuple *super,
				    const union mbc_addr *hops,
				    unsigned int n_hops,
				    enum mbc_reason *reason);

/** mbc_session_hops() - mbc_net.lock held, or RCU read side; NULL: none */
static inline const struct mbc_hops *mbc_session_hops(const struct mbc_session *s)
{
	return rcu_dereference_check(s->hops, lockdep_is_held(&s->mn->lock));
}

/** mbc_hops_new() - for mbc_session_set_hops() or kfree(); NULL: no memory */
struct mbc_hops *mbc_hops_new(const union mbc_addr *addr, unsigned int n,
			      gfp_t gfp);

/** mbc_session_set_hops() - @s, which had some, has @hops now; mbc_net.lock held */
void mbc_session_set_hops(struct mbc_session *s, struct mbc_hops *hops);

/** mbc_session_abandon() - free a session that is not installed */
void mbc_session_abandon(struct mbc_session *s);

/**
 * mbc_session_set_left() - the subsession to the left
 * @wire: its tuple as received here, client to server
 */
void mbc_session_set_left(struct mbc_session *s, const struct mbc_tuple *wire);

/** mbc_session_set_right() - the subsession to the right, as sent from here */
void mbc_session_set_right(struct mbc_session *s,
			   const struct mbc_tuple *wire);

/**
 * mbc_session_rename_right() - its packets to the right have another tuple now
 * @super: what they have; the subsession stays
 *
 * For the first packet of a session, before any has come from the right. Takes
 * mbc_net.lock. Return: false, and the session has ended, if the tuple is taken.
 */
bool mbc_session_rename_right(struct mbc_session *s,
			      const struct mbc_tuple *super);

/**
 * mbc_session_install() - make it findable and start its timer
 *
 * mbc_net.lock held. All of its tuples or none.
 *
 * Return: 0; -EEXIST when one of its tuples or its id is taken, -ENOMEM.
 */
int mbc_session_install(struct mbc_session *s);

/**
 * mbc_session_end() - take it out of the tables, tell why
 *
 * mbc_net.lock held or not, see the two names. A second call does nothing.
 *
 * Return: true if this call ended it.
 */
bool mbc_session_end(struct mbc_session *s, enum mbc_reason why);
bool mbc_session_end_locked(struct mbc_session *s, enum mbc_reason why);

/**
 * mbc_session_enter() - make one of its tuples findable and no more
 * @slot: of the subsession by which packets may come in
 *
 * mbc_net.lock held. Return: 0, -EEXIST or -ENOMEM.
 */
int mbc_session_enter(struct mbc_session *s, enum mbc_slot slot);

/** mbc_session_leave() - undo mbc_session_enter(); mbc_net.lock held */
void mbc_session_leave(struct mbc_session *s, enum mbc_slot slot);

/**
 * mbc_session_supersede() - @to takes the place of @s, which stood
 * @to: has entered; as @s but for the subsession of @entrance
 * @entrance: the slot whose tuple is not the same for the two: both stay
 *
 * mbc_net.lock and @s->lock held.
 */
void mbc_session_supersede(struct mbc_session *s, struct mbc_session *to,
			   enum mbc_slot entrance);

/** mbc_session_rearm() - set the timer for its present state; @s->lock held */
void mbc_session_rearm(struct mbc_session *s);

/**
 * mbc_session_lock() - lock the session that @s counts for, see migration.h
 *
 * RCU read side. Return: that one; the caller gives up its lock, BH on.
 */
struct mbc_session *mbc_session_lock(struct mbc_session *s)
	__acquires(&s->lock);

/** mbc_session_step() - a packet passes that may change @s->tcp */
void mbc_session_step(struct mbc_session *s, enum mbc_dir dir,
		      const struct mbc_segment *seg);

/*
 * Where a host takes note of a packet. At an end host there is only one place.
 * An NF may shift sequence numbers, so a middlebox looks where both directions
 * speak of the same ones: to the right of its NF.
 */
static inline bool mbc_session_counts_inbound(const struct mbc_session *s,
					      enum mbc_dir dir)
{
	return s->role != MBC_ROLE_MIDDLE || dir == MBC_LEFT;
}

static inline bool mbc_session_counts_outbound(const struct mbc_session *s,
					       enum mbc_dir dir)
{
	return s->role != MBC_ROLE_MIDDLE || dir == MBC_RIGHT;
}

/** mbc_session_find() - by id, or NULL; RCU read side */
struct mbc_session *mbc_session_find(struct mbc_net *mn, const u8 *id);

/**
 * mbc_session_walk_start() - begin a walk over mbc_net.ids, or go on with one
 * @iter: after rhashtable_walk_enter(); rhashtable_walk_stop() ends what this
 *	began, whatever it returns
 *
 * When the table has changed its size, rhashtable_walk_start_check() begins
 * again but keeps its pointer to the last session, which may be free by now.
 * This one lets go of it.
 *
 * Return: false if the walk does not go on just where it stopped.
 */
bool mbc_session_walk_start(struct rhashtable_iter *iter) __acquires(RCU);

/**
 * mbc_session_flush() - end all; no packet or command can add any meanwhile
 *
 * Process context; lets others run.
 */
void mbc_session_flush(struct mbc_net *mn);

int mbc_session_net_init(struct mbc_net *mn);
void mbc_session_net_exit(struct mbc_net *mn);
int mbc_session_cache_init(void);
/** mbc_session_size() - bytes of memory that one session takes */
unsigned int mbc_session_size(void);
/** mbc_session_cache_exit() - after rcu_barrier() */
void mbc_session_cache_exit(void);

#endif /* MBC_SESSION_H */
