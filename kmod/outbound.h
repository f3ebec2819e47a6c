/* SPDX-License-Identifier: GPL-2.0-only */
/* What goes out: from the supersession to the next subsession. */
#ifndef MBC_OUTBOUND_H
#define MBC_OUTBOUND_H

#include "packet.h"

/**
 * mbc_outbound() - a packet of any kind, after source NAT
 * @family: AF_INET or AF_INET6
 * @forwarded: it is not this host's own
 * @out: the device by which it would leave
 */
enum mbc_verdict mbc_outbound(struct mbc_net *mn, struct sk_buff *skb,
			      u8 family, bool forwarded,
			      const struct net_device *out);

#endif /* MBC_OUTBOUND_H */
