/* SPDX-License-Identifier: GPL-2.0-only */
/* What comes in: from the wire to the supersession (vertical NAT). */
#ifndef MBC_INBOUND_H
#define MBC_INBOUND_H

#include "packet.h"

/* May it be a SYN, which may set up a session at an address that has none yet?
 * @off: of the TCP header, if it is one
 */
static inline bool mbc_inbound_may_open(const struct sk_buff *skb, u8 proto,
					unsigned int off)
{
	const struct tcphdr *th = (const struct tcphdr *)(skb->data + off);

	if (proto != IPPROTO_TCP)
		return false;
	return skb_headlen(skb) < off + sizeof(*th) || th->syn;
}

/* May it be stopped by a guard, which asks about every packet that no session
 * claims? (Of TCP, only about what may open one.)
 */
static inline bool mbc_inbound_guarded(const struct mbc_net *mn, u8 proto)
{
	return proto == IPPROTO_UDP && unlikely(READ_ONCE(mn->guards));
}

/** mbc_inbound_expects4() - may packets of sessions come in for its destination? */
static inline bool mbc_inbound_expects4(const struct mbc_net *mn,
					const struct iphdr *iph)
{
	return READ_ONCE(mn->inbound_addresses) & mbc_addr_bit4(iph->daddr);
}

/** mbc_inbound_expects6() - the same for IPv6 */
static inline bool mbc_inbound_expects6(const struct mbc_net *mn,
					const struct ipv6hdr *ip6h)
{
	return READ_ONCE(mn->inbound_addresses) &
	       mbc_addr_bit6(ip6h->daddr.s6_addr32);
}

/**
 * mbc_inbound_passes_by4() - is it certainly none of ours?
 *
 * What passes by is the bulk of the traffic of many a host, so this comes before
 * all else: subsessions lead to this host, so a packet that is not for one of
 * its addresses that have any is of no session. May say no when in doubt.
 */
static inline bool mbc_inbound_passes_by4(const struct mbc_net *mn,
					  const struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);

	return !mbc_inbound_expects4(mn, iph) && !ip_is_fragment(iph) &&
	       !mbc_inbound_guarded(mn, iph->protocol) &&
	       !mbc_inbound_may_open(skb, iph->protocol, iph->ihl * 4);
}

/** mbc_inbound_passes_by6() - the same for IPv6 */
static inline bool mbc_inbound_passes_by6(const struct mbc_net *mn,
					  const struct sk_buff *skb)
{
	const struct ipv6hdr *ip6h = ipv6_hdr(skb);

	return !mbc_inbound_expects6(mn, ip6h) && !ipv6_ext_hdr(ip6h->nexthdr) &&
	       !mbc_inbound_guarded(mn, ip6h->nexthdr) &&
	       !mbc_inbound_may_open(skb, ip6h->nexthdr, sizeof(*ip6h));
}

/** mbc_inbound4() - a packet of any kind, before conntrack sees it */
enum mbc_verdict mbc_inbound4(struct mbc_net *mn, struct sk_buff *skb);
enum mbc_verdict mbc_inbound6(struct mbc_net *mn, struct sk_buff *skb);

/**
 * mbc_inbound_route() - route a restored packet, after everybody in
 * PRE_ROUTING has seen it and before the kernel would
 */
void mbc_inbound_route(struct mbc_net *mn, struct sk_buff *skb, u8 family);

#endif /* MBC_INBOUND_H */
