/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An NF that is itself a source NAT of this host's own stack (paper section
 * 6.2): what leaves it has another source, and is the same supersession.
 */
#ifndef MBC_NAT_H
#define MBC_NAT_H

#include "packet.h"
#include "session.h"

/**
 * mbc_nat_follow() - whose packet is it, if conntrack has translated it here?
 * @p: at POST_ROUTING; no entry is for its tuple
 *
 * From the first packet of a session on, its right part has the tuple that the
 * NAT gave it. RCU read side; takes mbc_net.lock.
 *
 * Return: the session's MBC_OUT_RIGHT entry, or NULL if it is nobody's.
 */
struct mbc_entry *mbc_nat_follow(struct mbc_net *mn,
				 const struct mbc_packet *p);

#endif /* MBC_NAT_H */
