/* SPDX-License-Identifier: GPL-2.0-only */
/* Straight from subsession to subsession, past the host's own stack. */
#ifndef MBC_EXPRESS_H
#define MBC_EXPRESS_H

#include "packet.h"
#include "session.h"

/**
 * mbc_express() - forward a packet of a session that stands
 * @p: as it came in
 * @e: the entry of its tuple, of a middlebox
 * @verdict: set if the function is true
 *
 * RCU read side. Return: false if the packet needs the host's stack, for its
 * set-up, its size, its TTL or its route; it is as it was.
 */
bool mbc_express(struct mbc_net *mn, struct mbc_packet *p, struct mbc_entry *e,
		 enum mbc_verdict *verdict);

#endif /* MBC_EXPRESS_H */
