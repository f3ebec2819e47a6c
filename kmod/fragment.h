/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fragments: only a whole packet has ports. The kernel's reassembly puts them
 * together, and its output takes them apart again.
 */
#ifndef MBC_FRAGMENT_H
#define MBC_FRAGMENT_H

#include <net/ip.h>
#include <net/ipv6.h>
#include "packet.h"

/** mbc_fragment_is6() - is there a fragment header among the others? */
bool mbc_fragment_is6(const struct sk_buff *skb);

/** mbc_fragment_is() - is it one? Data at the IP header; packet path */
static inline bool mbc_fragment_is(const struct sk_buff *skb, u8 family)
{
	if (family == AF_INET)
		return ip_is_fragment(ip_hdr(skb));
	return ipv6_ext_hdr(ipv6_hdr(skb)->nexthdr) && mbc_fragment_is6(skb);
}

/**
 * mbc_fragment_gather() - keep a fragment until its packet is whole
 * @skb: a fragment
 * @family: AF_INET or AF_INET6
 *
 * PRE_ROUTING, softirq. Return: MBC_ACCEPT for one that is not for us, which
 * is as it was, and for the last one, which is the whole packet now;
 * MBC_STOLEN or MBC_DROP, counted, for all others.
 */
enum mbc_verdict mbc_fragment_gather(struct mbc_net *mn, struct sk_buff *skb,
				     u8 family);

#endif /* MBC_FRAGMENT_H */
