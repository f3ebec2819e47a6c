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

struct mbc_migration;

/**
 * struct mbc_pause - its bounds
 * @time: ms
 * @packets: that wait; of all sessions: MBC_MAX_PAUSED
 * @bytes: in them, from the IP headers on
 * @drop: what comes when too many wait is dropped; otherwise the pause ends then,
 *	and twice as many wait until it has, or a few more
 * @checkpoint: what was sent before goes on, and acknowledgements, see checkpoint.h
 */
struct mbc_pause {
	u32 time;
	u32 packets;
	u32 bytes;
	bool drop;
	bool checkpoint;
};

/**
 * mbc_pause_begin() - what would go out by either path waits
 * @m: at an anchor
 *
 * Nothing happens if it does already. When its time is over, or too many wait, all
 * go on: MBC_FACT_OVERFLOW. mbc_net.lock held.
 *
 * Return: 0; -EALREADY if it has switched, or that has happened before; -ENOMEM.
 */
int mbc_pause_begin(struct mbc_migration *m, const struct mbc_pause *bounds);

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
 * mbc_pause_end() - what waits goes on by the path in use, and nothing waits any
 * more
 *
 * Process context, BH on, RCU read side.
 */
void mbc_pause_end(struct mbc_net *mn, struct mbc_migration *m);

void mbc_pause_net_init(struct mbc_net *mn);
/** mbc_pause_flush() - none ends by itself any more; process context */
void mbc_pause_flush(struct mbc_net *mn);

#endif /* MBC_PAUSE_H */
