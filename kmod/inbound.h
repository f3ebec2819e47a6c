/* SPDX-License-Identifier: GPL-2.0-only */
/* What comes in: from the wire to the supersession (vertical NAT). */
#ifndef MBC_INBOUND_H
#define MBC_INBOUND_H

#include "packet.h"

/**
 * mbc_inbound() - a packet of any kind, before conntrack sees it
 * @family: AF_INET or AF_INET6
 */
enum mbc_verdict mbc_inbound(struct mbc_net *mn, struct sk_buff *skb,
			     u8 family);

/**
 * mbc_inbound_route() - route a restored packet, after everybody in
 * PRE_ROUTING has seen it and before the kernel would
 */
enum mbc_verdict mbc_inbound_route(struct mbc_net *mn, struct sk_buff *skb,
				   u8 family);

#endif /* MBC_INBOUND_H */
