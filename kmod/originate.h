/* SPDX-License-Identifier: GPL-2.0-only */
/* The client's part of setting a session up (paper section 4.1). */
#ifndef MBC_ORIGINATE_H
#define MBC_ORIGINATE_H

#include "packet.h"
#include "session.h"

/**
 * mbc_originate() - a local program sends the first packet of a session
 * @p: that packet: a SYN, or any of UDP
 * @e: set to the session's MBC_OUT_RIGHT entry if the session is chained
 *
 * Return: what becomes of the packet where @e is not set.
 */
enum mbc_verdict mbc_originate(struct mbc_net *mn, struct mbc_packet *p,
			       struct mbc_entry **e);

/**
 * mbc_originate_again() - a SYN whose tuple has a session already
 * @e: the session's MBC_OUT_RIGHT entry; replaced where the SYN opens a new
 *	connection of the same tuple, NULL where it is not chained (any more)
 *
 * A rule with on-failure bypass gives up a chain that does not answer.
 * Return: what becomes of the SYN where @e is not set.
 */
enum mbc_verdict mbc_originate_again(struct mbc_net *mn, struct mbc_packet *p,
				     struct mbc_entry **e);

/** mbc_originate_failed() - end @s for @reason; what becomes of its SYN? */
enum mbc_verdict mbc_originate_failed(struct mbc_session *s,
				      enum mbc_reason reason);

#endif /* MBC_ORIGINATE_H */
