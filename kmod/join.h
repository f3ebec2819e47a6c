/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A host that is not the client joins a session: what in-band and out-of-band
 * set-up have in common (paper section 4.1).
 */
#ifndef MBC_JOIN_H
#define MBC_JOIN_H

#include "session.h"

/**
 * struct mbc_join - who asks
 * @wire: the left subsession's tuple as received here, client to server
 * @isn: sequence number of the SYN, host byte order; 0 without one
 * @by_agent: asked by the left neighbour's agent and not by a header
 * @live: by an agent; the session stands, and has gone another way until now
 * @migration: by an agent; the record of that by which it comes, or NULL
 * @known: set: the session stood already, by a header
 * @joined: set: the session has taken @migration
 */
struct mbc_join {
	const struct mbc_tuple *wire;
	u32 isn;
	bool by_agent;
	bool live;
	struct mbc_migration *migration;
	bool known;
	bool joined;
};

/**
 * mbc_join() - take part in the session of @h
 * @h: authentic; @h->hops[0] is this host
 * @session: set on success: the new session, or the one that @h was for before
 *
 * mbc_net.lock held. A session that an agent asked for waits for the agents to
 * set up what is right of this host, see hold.h.
 *
 * Return: MBC_REASON_NONE or why not, not counted yet.
 */
enum mbc_reason mbc_join(struct mbc_net *mn, const struct mbc_setup *h,
			 struct mbc_join *j, struct mbc_session **session);

#endif /* MBC_JOIN_H */
