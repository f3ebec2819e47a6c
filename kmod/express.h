/* SPDX-License-Identifier: GPL-2.0-only */
/* Straight from subsession to subsession, past the host's own stack. */
#ifndef MBC_EXPRESS_H
#define MBC_EXPRESS_H

#include "packet.h"
#include "session.h"

/**
 * mbc_express4() - forward a packet of a session that stands
 * @e: the entry of its tuple, of a middlebox
 * @skb: as it came in; the TCP or UDP header is linear
 * @l4_off: offset of that from skb->data
 * @flags: MBC_TCP_*
 *
 * RCU read side. Return: MBC_ACCEPT if the packet needs the host's stack, for
 * its set-up, its size, its TTL or its route; it is as it was then.
 */
enum mbc_verdict mbc_express4(struct mbc_net *mn, struct mbc_entry *e,
			      struct sk_buff *skb, unsigned int l4_off,
			      u8 flags);
enum mbc_verdict mbc_express6(struct mbc_net *mn, struct mbc_entry *e,
			      struct sk_buff *skb, unsigned int l4_off,
			      u8 flags);

#endif /* MBC_EXPRESS_H */
