/* SPDX-License-Identifier: GPL-2.0-only */
/* The subsession to the right: its addresses and both of its ports. */
#ifndef MBC_SUBSESSION_H
#define MBC_SUBSESSION_H

#include "session.h"

/**
 * mbc_subsession_choose() - choose a session's right subsession
 * @s: in no table; @s->hops[0] is the right neighbour, or the server is
 *
 * mbc_net.lock held. The address is the one this host speaks to that
 * neighbour from, the ports are random and free here until the lock is given up.
 */
enum mbc_reason mbc_subsession_choose(struct mbc_session *s);

/**
 * mbc_subsession_open() - mbc_subsession_choose(), and install the session
 * @s: new
 *
 * Return: MBC_REASON_NONE; on failure @s is still the caller's.
 */
enum mbc_reason mbc_subsession_open(struct mbc_session *s);

#endif /* MBC_SUBSESSION_H */
