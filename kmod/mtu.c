// SPDX-License-Identifier: GPL-2.0-only
/* Nothing is kept here: the kernel's routes know the MTU of a path. */
#include "mtu.h"

#include <linux/icmpv6.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>
#include "compat.h"
#include "stats.h"

/* As ip_forward() and ip6_forward() see it. What came in fragments may go on in
 * fragments of the size in which it came.
 */
bool mbc_mtu_split(const struct sk_buff *skb, u8 family, u32 mtu)
{
	u32 came;

	if (family == AF_INET) {
		if (!(ip_hdr(skb)->frag_off & htons(IP_DF)))
			return true;
		came = IPCB(skb)->frag_max_size;
	} else {
		came = IP6CB(skb)->frag_max_size;
	}
	if (came > mtu)
		return false;
	return skb->ignore_df ||
	       (skb_is_gso(skb) && skb_gso_validate_network_len(skb, mtu));
}

/* Taken rather than dropped: a sender in this host takes it for lost on the
 * way, not for a failure, and sends less at once when it hears why.
 */
enum mbc_verdict mbc_mtu_refuse(struct mbc_net *mn, struct sk_buff *skb,
				u8 family, u32 mtu)
{
	if (family == AF_INET)
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(mtu));
	else
		icmpv6_send(skb, ICMPV6_PKT_TOOBIG, 0, mtu);
	mbc_count(mn, MBC_REASON_TOO_BIG);
	kfree_skb(skb);
	return MBC_STOLEN;
}

/* Does the administrator want such errors believed (ip_no_pmtu_disc)? Always,
 * or if they prove to be about a packet of ours, which the ports do.
 */
static bool trusted4(const struct net *net)
{
	const u8 mode = READ_ONCE(net->ipv4.sysctl_ip_no_pmtu_disc);

	return mode == 0 || mode == 3;
}

static void learn4(struct net *net, struct sk_buff *skb,
		   const struct icmphdr *icmph)
{
	if (icmph->type != ICMP_DEST_UNREACH ||
	    icmph->code != ICMP_FRAG_NEEDED || !trusted4(net))
		return;
	ipv4_update_pmtu(skb, net, ntohs(icmph->un.frag.mtu), 0,
			 ((const struct iphdr *)skb->data)->protocol);
}

static void learn6(struct net *net, struct sk_buff *skb,
		   const struct icmp6hdr *icmph)
{
	if (icmph->icmp6_type == ICMPV6_PKT_TOOBIG)
		ip6_update_pmtu(skb, net, icmph->icmp6_mtu, 0, 0,
				sock_net_uid(net, NULL));
}

void mbc_mtu_learn(struct net *net, struct sk_buff *skb, u8 family,
		   unsigned int off)
{
	const void *head = skb->data + off;

	/* The kernel reads the addresses from the packet at skb->data. */
	off += sizeof(struct icmphdr);
	__skb_pull(skb, off);
	if (family == AF_INET)
		learn4(net, skb, head);
	else
		learn6(net, skb, head);
	__skb_push(skb, off);
}
