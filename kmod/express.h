/* SPDX-License-Identifier: GPL-2.0-only */
/* Straight from subsession to subsession, past the host's own stack. */
#ifndef MBC_EXPRESS_H
#define MBC_EXPRESS_H

#include "nf.h"
#include "packet.h"
#include "session.h"

/**
 * mbc_express4() - forward a packet of a session that stands
 * @nf: a tap sees what it forwards
 * @p: as it came in; its skb has a transport header
 * @e: the entry of its tuple
 *
 * RCU read side. Return: MBC_ACCEPT if the packet needs the host's stack, because
 * its session begins, ends or changes its chain, or for its size, its TTL or its
 * route; it is as it was then. Else MBC_STOLEN, or MBC_DROP, counted.
 */
enum mbc_verdict mbc_express4(struct mbc_net *mn, const struct mbc_nf *nf,
			      const struct mbc_packet *p, struct mbc_entry *e);
enum mbc_verdict mbc_express6(struct mbc_net *mn, const struct mbc_nf *nf,
			      const struct mbc_packet *p, struct mbc_entry *e);

#endif /* MBC_EXPRESS_H */
