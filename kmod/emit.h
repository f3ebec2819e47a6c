/* SPDX-License-Identifier: GPL-2.0-only */
/* A segment of this host's own making, sent over a subsession. */
#ifndef MBC_EMIT_H
#define MBC_EMIT_H

#include "session.h"

/**
 * struct mbc_ack - an ACK without data
 * @seq: sequence number, host byte order, as @ack and @window
 * @ack: acknowledgement number
 * @window: as it is on the wire, not scaled
 * @options: TCP options, @len bytes, a multiple of 4 up to 40
 */
struct mbc_ack {
	u32 seq;
	u32 ack;
	u16 window;
	const void *options;
	unsigned int len;
};

/**
 * mbc_emit_ack() - send one
 * @s: a TCP session with a neighbour on that side
 * @dir: MBC_RIGHT: to the right neighbour
 *
 * RCU read side, BH off. Return: 0, -EHOSTUNREACH or -ENOMEM.
 */
int mbc_emit_ack(struct mbc_session *s, enum mbc_dir dir,
		 const struct mbc_ack *a);

#endif /* MBC_EMIT_H */
