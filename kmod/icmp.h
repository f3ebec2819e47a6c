/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors about packets of a session: translated at every host of the
 * chain like the packets they are about, back to whoever sent those. They say
 * nothing about a session's progress and do not keep it alive.
 */
#ifndef MBC_ICMP_H
#define MBC_ICMP_H

#include "packet.h"

/**
 * mbc_icmp_inbound() - an error about a packet that we sent to a neighbour
 * @skb: a packet of any kind, data at its IP header
 * @family: AF_INET or AF_INET6
 *
 * PRE_ROUTING. It becomes one about the supersession's packet, for the end of
 * the supersession that sent that. Other packets are left alone.
 */
enum mbc_verdict mbc_icmp_inbound(struct mbc_net *mn, struct sk_buff *skb,
				  u8 family);

/**
 * mbc_icmp_outbound() - an error about a packet of a supersession
 * @skb: as above
 * @out: the device by which it would leave
 *
 * POST_ROUTING. It goes to the neighbour that the packet came from, and is
 * about what that neighbour sent.
 */
enum mbc_verdict mbc_icmp_outbound(struct mbc_net *mn, struct sk_buff *skb,
				   u8 family, const struct net_device *out);

#endif /* MBC_ICMP_H */
