/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets of a live session that wait, those of one way, while the state of NFs
 * moves (paper section 5.2). In the order in which they came they go on by the
 * path that is the session's by then.
 */
#ifndef MBC_PAUSE_H
#define MBC_PAUSE_H

#include "packet.h"
#include "session.h"


/**
 * mbc_pause_begin() - packets that leave by @slot wait from now on
 *
 * mbc_net.lock held.
 */
void mbc_pause_begin(struct mbc_session *s, enum mbc_slot slot);

/**
 * mbc_pause_packet() - does this packet wait?
 * @p: at POST_ROUTING; its skb is ours with MBC_STOLEN
 * @e: by which it leaves; set to that of the path that is the session's now
 *
 * RCU read side, BH off. Return: true, and *@verdict says what became of it.
 */
bool mbc_pause_packet(struct mbc_net *mn, struct mbc_packet *p,
		      struct mbc_entry **e, enum mbc_verdict *verdict);

/** mbc_pause_hand_over() - what waits goes with the session; both locks held */
void mbc_pause_hand_over(struct mbc_session *from, struct mbc_session *to);

/**
 * mbc_pause_end() - what waits goes on, and nothing waits any more
 *
 * RCU read side, BH on; nobody else does this for @s meanwhile.
 */
void mbc_pause_end(struct mbc_session *s);

#endif /* MBC_PAUSE_H */
