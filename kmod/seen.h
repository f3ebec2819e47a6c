/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Session ids accepted lately, and from where. An authentic set-up header
 * that comes again from somewhere else is a replay (design section 5).
 */
#ifndef MBC_SEEN_H
#define MBC_SEEN_H

#include "net.h"

/**
 * mbc_seen_note() - may a header with @id have come on @wire?
 * @id: session id, authentic
 * @wire: tuple of the SYN as received
 *
 * Remembers it from now on for twice the freshness window, the longest time
 * for which the same header could pass as fresh. mbc_net.lock held.
 *
 * Return: MBC_REASON_NONE, _HDR_REPLAY, _SEEN_FULL (as many as sessions may
 * live are remembered already) or _NO_MEMORY.
 */
enum mbc_reason mbc_seen_note(struct mbc_net *mn, const u8 *id,
			      const struct mbc_tuple *wire);

int mbc_seen_net_init(struct mbc_net *mn);
/** mbc_seen_net_exit() - process context; no packet may come in any more */
void mbc_seen_net_exit(struct mbc_net *mn);
int mbc_seen_cache_init(void);
void mbc_seen_cache_exit(void);

#endif /* MBC_SEEN_H */
