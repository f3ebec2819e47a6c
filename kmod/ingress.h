/* SPDX-License-Identifier: GPL-2.0-only */
/* The way in of a host whose NF does not need the packets: past its stack. */
#ifndef MBC_INGRESS_H
#define MBC_INGRESS_H

#include "packet.h"

/**
 * mbc_ingress() - a frame has come in by a device, of any protocol
 * @skb: data behind the frame's header; nobody has looked at what is there
 *
 * RCU read side. Return: MBC_STOLEN or MBC_DROP for a packet of a session that
 * stands; MBC_ACCEPT for all else, which the stack takes and mbc_inbound4() sees.
 */
enum mbc_verdict mbc_ingress(struct mbc_net *mn, struct sk_buff *skb);

#endif /* MBC_INGRESS_H */
