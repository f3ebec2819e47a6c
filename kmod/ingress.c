// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames as a device receives them, on a host whose NF does not need the packets.
 * What the stack would check before it forwards is checked here. Nothing is counted
 * or dropped for being odd: that goes on as it came, and the stack knows why.
 */
#include "ingress.h"

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "express.h"
#include "inbound.h"
#include "nf.h"
#include "table.h"

/* Does it go to the host's IP by this very device? Not what belongs to a VLAN or
 * to a bridge or bond that the device is part of: these are devices too. Of a packet that
 * somebody else holds as well, nothing may be moved.
 */
static bool is_for_stack(const struct sk_buff *skb)
{
	return skb->pkt_type == PACKET_HOST && !skb_vlan_tag_present(skb) &&
	       !rcu_access_pointer(skb->dev->rx_handler) &&
	       !(skb_shared(skb) && skb_is_nonlinear(skb));
}

/* As ip_rcv() sees it: is it whole, and has neither options nor pieces? */
static __always_inline bool whole4(const struct mbc_net *mn, struct sk_buff *skb)
{
	const struct iphdr *iph;
	unsigned int len;

	if (!mbc_packet_linear(skb, sizeof(*iph)))
		return false;
	iph = ip_hdr(skb);
	if (!mbc_inbound_expects4(mn, iph))
		return false;
	len = ntohs(iph->tot_len);
	return iph->version == 4 && iph->ihl == sizeof(*iph) / 4 &&
	       !ip_is_fragment(iph) && len >= sizeof(*iph) && len <= skb->len &&
	       !ip_fast_csum(iph, sizeof(*iph) / 4) &&
	       !pskb_trim_rcsum(skb, len);
}

/* As ipv6_rcv() does. A length of 0 is that of a jumbogram. */
static __always_inline bool whole6(const struct mbc_net *mn, struct sk_buff *skb)
{
	const struct ipv6hdr *ip6h;
	unsigned int len;

	if (!mbc_packet_linear(skb, sizeof(*ip6h)))
		return false;
	ip6h = ipv6_hdr(skb);
	if (!mbc_inbound_expects6(mn, ip6h))
		return false;
	len = sizeof(*ip6h) + ntohs(ip6h->payload_len);
	return ip6h->version == 6 && mbc_packet_may_be(ip6h->nexthdr) &&
	       ip6h->payload_len && len <= skb->len &&
	       !pskb_trim_rcsum(skb, len);
}

static __always_inline enum mbc_verdict
ingress(struct mbc_net *mn, const struct mbc_nf *nf, struct sk_buff *skb,
	u8 family)
{
	struct mbc_packet p __uninitialized;
	struct mbc_entry *e;

	if (!(family == AF_INET ? whole4(mn, skb) : whole6(mn, skb)) ||
	    !mbc_packet_parse(&p, mn, skb, family))
		return MBC_ACCEPT;
	e = mbc_table_find(mn, MBC_IN, &p.tuple);
	if (!e)
		return MBC_ACCEPT;
	skb_set_transport_header(skb, p.l4_off);
	return family == AF_INET ? mbc_express4(mn, nf, &p, e) :
				   mbc_express6(mn, nf, &p, e);
}

enum mbc_verdict mbc_ingress(struct mbc_net *mn, struct sk_buff *skb)
{
	const struct mbc_nf *nf = rcu_dereference(mn->nf);

	if (unlikely(!nf || !mbc_nf_spares(nf->mode) || !is_for_stack(skb)))
		return MBC_ACCEPT;
	if (skb->protocol == htons(ETH_P_IP))
		return ingress(mn, nf, skb, AF_INET);
	if (skb->protocol == htons(ETH_P_IPV6))
		return ingress(mn, nf, skb, AF_INET6);
	return MBC_ACCEPT;
}
