/* SPDX-License-Identifier: GPL-2.0-only */
/* What goes out: from the supersession to the next subsession. */
#ifndef MBC_OUTBOUND_H
#define MBC_OUTBOUND_H

#include "packet.h"

/* Can it not be the first packet of a session of this host's? The filter by
 * address has said that it is not a later one. Of other protocols one cannot
 * tell at a glance: an ICMP error, or IPv6 options.
 */
static inline bool mbc_outbound_opens_nothing(const struct mbc_net *mn,
					      const struct sk_buff *skb,
					      u8 proto, unsigned int off)
{
	const struct tcphdr *th = (const struct tcphdr *)(skb->data + off);

	if (mbc_packet_may_be(proto) && !rcu_access_pointer(mn->ruleset))
		return true;
	return proto == IPPROTO_TCP &&
	       skb_headlen(skb) >= off + sizeof(*th) && !th->syn;
}

/**
 * mbc_outbound_passes_by4() - is it certainly none of ours?
 * @in: the device by which it came; NULL: it is this host's own
 *
 * What is forwarded here without having been restored belongs to no session of
 * a middlebox, and can begin none but on a gateway. Of the rest a filter by
 * address tells most that belong to none. May say no when in doubt.
 */
static inline bool mbc_outbound_passes_by4(const struct mbc_net *mn,
					   struct sk_buff *skb,
					   const struct net_device *in)
{
	const struct iphdr *iph = ip_hdr(skb);

	if (in && !mbc_packet_is_restored(skb, AF_INET) &&
	    !READ_ONCE(mn->forwards))
		return mbc_packet_may_be(iph->protocol);
	return !(READ_ONCE(mn->outbound_addresses) &
		 mbc_addr_bit4(iph->daddr)) &&
	       mbc_outbound_opens_nothing(mn, skb, iph->protocol,
					  iph->ihl * 4);
}

/** mbc_outbound_passes_by6() - the same for IPv6 */
static inline bool mbc_outbound_passes_by6(const struct mbc_net *mn,
					   struct sk_buff *skb,
					   const struct net_device *in)
{
	const struct ipv6hdr *ip6h = ipv6_hdr(skb);

	if (in && !mbc_packet_is_restored(skb, AF_INET6) &&
	    !READ_ONCE(mn->forwards))
		return mbc_packet_may_be(ip6h->nexthdr);
	return !(READ_ONCE(mn->outbound_addresses) &
		 mbc_addr_bit6(ip6h->daddr.s6_addr32)) &&
	       mbc_outbound_opens_nothing(mn, skb, ip6h->nexthdr,
					  sizeof(*ip6h));
}

/**
 * mbc_outbound4() - a packet of any kind, after source NAT
 * @in: the device by which it came; NULL: it is this host's own
 * @out: the device by which it would leave
 */
enum mbc_verdict mbc_outbound4(struct mbc_net *mn, struct sk_buff *skb,
			       const struct net_device *in,
			       const struct net_device *out);
enum mbc_verdict mbc_outbound6(struct mbc_net *mn, struct sk_buff *skb,
			       const struct net_device *in,
			       const struct net_device *out);

#endif /* MBC_OUTBOUND_H */
