/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Neighbours to which SYNs with payload do not pass. Sessions to them are set
 * up out-of-band for a while, then in-band set-up is tried again.
 */
#ifndef MBC_PEER_H
#define MBC_PEER_H

#include "net.h"

#define MBC_MAX_PEERS 4096	/* remembered at once; the oldest one goes first */
#define MBC_PEER_TIME 600	/* s until in-band set-up is tried again */

/** struct mbc_peer - what is remembered, for netlink */
struct mbc_peer {
	struct rhash_head node;
	struct list_head age;
	struct mbc_peer_key {
		union mbc_addr addr;
		u32 family;
	} key;
	unsigned long expires;	/* jiffies */
	u64 sessions;		/* set up out-of-band because of it */
};

/** mbc_peer_note() - @addr swallowed a SYN's payload; mbc_net.lock held */
void mbc_peer_note(struct mbc_net *mn, const union mbc_addr *addr, u8 family);

/**
 * mbc_peer_noted() - must a session to @addr be set up out-of-band?
 *
 * mbc_net.lock held. Counts the session if so.
 */
bool mbc_peer_noted(struct mbc_net *mn, const union mbc_addr *addr, u8 family);

int mbc_peer_net_init(struct mbc_net *mn);
/** mbc_peer_net_exit() - process context; no packet may come in any more */
void mbc_peer_net_exit(struct mbc_net *mn);

#endif /* MBC_PEER_H */
