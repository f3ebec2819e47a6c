/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A pause that does not cut into what has begun (paper section 5.2, Algorithm 2;
 * the guarantee substream): what was sent before it goes on by the old path when it
 * is sent again, and so do acknowledgements, until the other side has acknowledged
 * all up to the checkpoint. What is new waits.
 *
 * mbc_migration.lock protects it.
 */
#ifndef MBC_CHECKPOINT_H
#define MBC_CHECKPOINT_H

#include "packet.h"

struct mbc_migration;

/**
 * struct mbc_checkpoint - one anchor's
 * @on: there is one
 * @armed: whatever was on its way when it came is known by now
 * @known: there is an @end; else nothing has been sent since the lock, as far as a host
 *	in the middle can tell
 * @end: sequence number behind the last byte sent before
 */
struct mbc_checkpoint {
	bool on;
	bool armed;
	bool known;
	u32 end;
};

/** mbc_checkpoint_set() - here is the checkpoint; before packets wait */
void mbc_checkpoint_set(struct mbc_migration *m);

/**
 * mbc_checkpoint_arm() - a grace period after packets have begun to wait
 *
 * From now on the agent is told once all is acknowledged. RCU read side.
 */
void mbc_checkpoint_arm(struct mbc_migration *m);

/** mbc_checkpoint_clear() - nothing waits any more */
void mbc_checkpoint_clear(struct mbc_migration *m);

/** mbc_checkpoint_sent() - @p goes out by the old path; mbc_migration.lock held */
void mbc_checkpoint_sent(struct mbc_migration *m, const struct mbc_packet *p);

/**
 * mbc_checkpoint_came() - @p has come in by the old path
 *
 * mbc_migration.lock held. Return: all is acknowledged, and was not before.
 */
bool mbc_checkpoint_came(struct mbc_migration *m, const struct mbc_packet *p);

/**
 * mbc_checkpoint_cut() - what of a packet goes on by the old path?
 * @p: TCP, would go out by the path that changes
 * @ahead: set: what to send at once, owned, or NULL
 * @rest: set: what waits: the packet, or another skb in its place, owned; NULL: the
 *	packet goes on as it is
 *
 * RCU read side, BH off. Return: MBC_REASON_NONE, or why the packet is dropped.
 */
enum mbc_reason mbc_checkpoint_cut(struct mbc_migration *m,
				   const struct mbc_packet *p,
				   struct sk_buff **ahead,
				   struct sk_buff **rest);

#endif /* MBC_CHECKPOINT_H */
