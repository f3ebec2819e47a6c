/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long a packet may be on the way to a neighbour (path MTU discovery,
 * RFC 1191 and 8201): what routers say about it, and packets that are longer.
 */
#ifndef MBC_MTU_H
#define MBC_MTU_H

#include <net/dst.h>
#include "compat.h"
#include "packet.h"

/** mbc_mtu_short() - is it one that every link takes? Most ACKs are */
static inline bool mbc_mtu_short(const struct sk_buff *skb, u8 family)
{
	return skb->len <= (family == AF_INET ? 68 : IPV6_MIN_MTU);
}

/** mbc_mtu_takes() - can the packet leave by @dst whole, if a GSO packet's are? */
static inline bool mbc_mtu_takes(const struct sk_buff *skb, u8 family,
				 const struct dst_entry *dst)
{
	u32 mtu;

	if (mbc_mtu_short(skb, family))
		return true;
	mtu = dst_mtu(dst);
	return skb->len <= mtu ||
	       (skb_is_gso(skb) && skb_gso_validate_network_len(skb, mtu));
}

/** mbc_mtu_split() - may a packet longer than @mtu leave in pieces? */
bool mbc_mtu_split(const struct sk_buff *skb, u8 family, u32 mtu);

/**
 * mbc_mtu_exceeds() - can the packet not leave by @dst?
 * @skb: data at its IP header
 * @family: AF_INET or AF_INET6
 */
static inline bool mbc_mtu_exceeds(const struct sk_buff *skb, u8 family,
				   const struct dst_entry *dst)
{
	u32 mtu;

	if (mbc_mtu_short(skb, family))
		return false;
	mtu = dst_mtu(dst);
	return unlikely(skb->len > mtu) && !mbc_mtu_split(skb, family, mtu);
}

/**
 * mbc_mtu_keep_split() - an IPv6 packet of this host's own gets another route
 * @skb: still has the one by which its sender was told the path's MTU
 *
 * The stack splits a datagram where it leaves the host, by the route it has
 * then, and no router does after that: the new route's MTU is only that of the
 * way to the next hop.
 */
static inline void mbc_mtu_keep_split(struct sk_buff *skb)
{
	u32 mtu;

	if (mbc_mtu_short(skb, AF_INET6) || skb_is_gso(skb))
		return;
	mtu = dst_mtu(skb_dst(skb));
	if (skb->len > mtu)
		IP6CB(skb)->frag_max_size = mtu;
}

/**
 * mbc_mtu_refuse() - tell a packet's sender that it is longer than @mtu
 * @skb: still that of the supersession, so that its sender knows it; gone
 *	when the function returns
 */
enum mbc_verdict mbc_mtu_refuse(struct mbc_net *mn, struct sk_buff *skb,
				u8 family, u32 mtu);

/**
 * mbc_mtu_learn() - believe an ICMP error about a packet that we sent
 * @skb: linear, data at the outer IP header
 * @off: offset of the ICMP header from there; a whole IP header is quoted
 *
 * Does nothing for one that does not speak of an MTU. The kernel keeps it
 * with the route to the host that the packet was for, as long as any other.
 */
void mbc_mtu_learn(struct net *net, struct sk_buff *skb, u8 family,
		   unsigned int off);

#endif /* MBC_MTU_H */
