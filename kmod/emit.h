/* SPDX-License-Identifier: GPL-2.0-only */
/* A segment of this host's own making, sent over a subsession. */
#ifndef MBC_EMIT_H
#define MBC_EMIT_H

#include "session.h"

/**
 * mbc_emit_segment() - send an ACK without data, with options
 * @s: a TCP session with a neighbour on that side
 * @dir: MBC_RIGHT: to the right neighbour
 * @options: TCP options, @len bytes, a multiple of 4 up to 40
 *
 * It has no sequence number that means anything: the neighbour's module is to
 * take it. RCU read side, BH off. Return: 0, -EHOSTUNREACH or -ENOMEM.
 */
int mbc_emit_segment(struct mbc_session *s, enum mbc_dir dir,
		     const void *options, unsigned int len);

#endif /* MBC_EMIT_H */
