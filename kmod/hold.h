/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sessions that wait for the agents to set up what is right of this host
 * (out-of-band set-up, paper section 4.1), their packets meanwhile, and what
 * becomes of both.
 */
#ifndef MBC_HOLD_H
#define MBC_HOLD_H

#include "packet.h"
#include "session.h"

#define MBC_MAX_HELD 4096		/* packets that wait for a set-up, in one namespace */
#define MBC_MAX_PAUSED 65536		/* those that wait for a migration */
#define MBC_MAX_HELD_SESSION 64		/* of one UDP session; one SYN of TCP */
#define MBC_HOLD_RETRY 10000		/* ms until a set-up that failed is tried anew */

/** mbc_hold_over() - is the set-up over, or does it not concern packets? */
static inline bool mbc_hold_over(const struct mbc_session *s)
{
	u8 setup = READ_ONCE(s->setup);

	return setup == MBC_SETUP_IN_BAND || setup == MBC_SETUP_DONE;
}

/** mbc_hold_ready() - may packets go on, without anybody having a look at them? */
static inline bool mbc_hold_ready(const struct mbc_session *s)
{
	return mbc_hold_over(s) && !READ_ONCE(s->paused);
}

/** mbc_hold_prepare() - there is a queue; false: no memory; @s->lock held */
bool mbc_hold_prepare(struct mbc_session *s);

/**
 * mbc_hold_enqueue() - keep a packet behind those that wait
 * @skb: at POST_ROUTING; the queue's on success
 * @packets: how many there may be in the queue, this one included
 * @bytes: the same from their IP headers on
 *
 * @s->lock held. Return: MBC_REASON_NONE; MBC_REASON_HOLD_FULL, also when all
 * sessions together have too many, _ROUTE_GONE or _NO_MEMORY.
 */
enum mbc_reason mbc_hold_enqueue(struct mbc_session *s, struct sk_buff *skb,
				 unsigned int packets, u32 bytes);

/** mbc_hold_dequeue() - all that waits; false: nothing; @s->lock held */
bool mbc_hold_dequeue(struct mbc_session *s, struct sk_buff_head *list);

/**
 * mbc_hold_packet() - a packet to the right of a session that is not ready
 * @skb: at POST_ROUTING; ours with MBC_STOLEN
 *
 * The first one tells the agent. RCU read side.
 *
 * Return: true, and *@verdict says what becomes of it; false if the session is
 * ready by now.
 */
bool mbc_hold_packet(struct mbc_session *s, struct sk_buff *skb,
		     enum mbc_verdict *verdict);

/** mbc_hold_begin() - a session whose SYN is not answered turns to the agents */
void mbc_hold_begin(struct mbc_session *s);

/**
 * mbc_hold_done() - the right part is there: packets go on
 *
 * RCU read side. Return: false if @s does not wait.
 */
bool mbc_hold_done(struct mbc_session *s);

/**
 * mbc_hold_failed() - it is not to be had
 * @why: counted
 *
 * At the client the rule says what becomes of its packets, for MBC_HOLD_RETRY;
 * elsewhere the session ends. RCU read side. Return: as above.
 */
bool mbc_hold_failed(struct mbc_session *s, enum mbc_reason why);

/** mbc_hold_free() - @s goes, and what it still holds */
void mbc_hold_free(struct mbc_session *s);

#endif /* MBC_HOLD_H */
