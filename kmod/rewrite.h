/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Vertical and horizontal NAT on a packet (paper section 3.2), and sending it
 * where its new destination is.
 */
#ifndef MBC_REWRITE_H
#define MBC_REWRITE_H

#include "packet.h"
#include "session.h"

/**
 * mbc_rewrite() - the packet's tuple becomes what @e says
 *
 * Right for every kind of checksum offload; a GSO packet stays whole. Counts
 * the packet for @e. Return: false, counted, when memory is short.
 */
bool mbc_rewrite(struct mbc_net *mn, struct mbc_packet *p,
		 struct mbc_entry *e);

/** mbc_rewrite_headers() - the same to a copy of @p's packet, which is writable */
void mbc_rewrite_headers(struct sk_buff *skb, const struct mbc_packet *p,
			 const struct mbc_xlate *x);

/**
 * mbc_rewrite_route() - the way to @e's neighbour for @p
 *
 * Return: for mbc_rewrite_send_by() or mbc_rewrite_put_route(); NULL: none.
 */
struct dst_entry *mbc_rewrite_route(struct mbc_net *mn,
				    const struct mbc_packet *p,
				    struct mbc_entry *e);
void mbc_rewrite_put_route(const struct mbc_packet *p, struct dst_entry *dst);

/** mbc_rewrite_route_noref() - the same for this RCU read side, nothing to put */
struct dst_entry *mbc_rewrite_route_noref(struct mbc_net *mn,
					  struct mbc_entry *e);

/** mbc_rewrite_send_by() - the packet leaves by @dst, which is taken over */
void mbc_rewrite_send_by(struct mbc_packet *p, struct dst_entry *dst);

#endif /* MBC_REWRITE_H */
