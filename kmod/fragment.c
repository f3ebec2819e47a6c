// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where conntrack's defragmentation is registered in this namespace we see no
 * fragment. We do not register it, as every packet would pay: we ask for what
 * it does when we meet one. Softirq, under RCU.
 */
#include "fragment.h"

#include <net/netfilter/ipv6/nf_defrag_ipv6.h>
#include "route.h"
#include "stats.h"

/* Conntrack's own queues, in its default zone: it may be registered between
 * two fragments of a packet, and then finds what we gathered.
 */
#define USER IP_DEFRAG_CONNTRACK_IN

static int find6(const struct sk_buff *skb)
{
	unsigned int off = 0;

	if (ipv6_find_hdr(skb, &off, NEXTHDR_FRAGMENT, NULL, NULL) < 0)
		return -1;
	return off;
}

bool mbc_fragment_is6(const struct sk_buff *skb)
{
	return find6(skb) >= 0;
}

/* What the fragments are of, as far as one of them can tell. */
static u8 find_proto(const struct sk_buff *skb, u8 family)
{
	const struct frag_hdr *fh = NULL;
	struct frag_hdr buf;
	int off;

	if (family == AF_INET)
		return ip_hdr(skb)->protocol;
	off = find6(skb);
	if (off > 0)
		fh = skb_header_pointer(skb, off, sizeof(buf), &buf);
	return fh ? fh->nexthdr : NEXTHDR_NONE;
}

/* May a session have such packets? Behind IPv6 options anything may stand. */
static bool possible(const struct sk_buff *skb, u8 family)
{
	u8 proto = find_proto(skb, family);

	return proto == IPPROTO_TCP || proto == IPPROTO_UDP ||
	       (family == AF_INET6 && proto == NEXTHDR_DEST);
}

static bool is_local(struct net *net, const struct sk_buff *skb, u8 family)
{
	union mbc_addr to = { .ip = 0 };

	if (family == AF_INET)
		to.ip = ip_hdr(skb)->daddr;
	else
		memcpy(&to, &ipv6_hdr(skb)->daddr, sizeof(to));
	return mbc_route_is_local(net, &to, family);
}

/* Those of subsessions are for this host, and the host would gather them
 * anyway, a moment later.
 */
static bool wanted(const struct mbc_net *mn, const struct sk_buff *skb,
		   u8 family)
{
	return possible(skb, family) && is_local(mn->net, skb, family);
}

/* True: the packet is whole. The kernel owns the skb otherwise. */
static bool gather4(struct net *net, struct sk_buff *skb)
{
	if (ip_defrag(net, skb, USER))
		return false;
	/* What came in pieces may leave in pieces, as nf_defrag_ipv4 has it. */
	skb->ignore_df = 1;
	return true;
}

enum mbc_verdict mbc_fragment_gather(struct mbc_net *mn, struct sk_buff *skb,
				     u8 family)
{
	int err;

	if (!wanted(mn, skb, family))
		return MBC_ACCEPT;
	if (family == AF_INET)
		err = gather4(mn->net, skb) ? 0 : -EINPROGRESS;
	else
		err = nf_ct_frag6_gather(mn->net, skb, USER);
	if (!err)
		return MBC_ACCEPT;
	mbc_count(mn, MBC_REASON_FRAGMENT_HELD);
	return err == -EINPROGRESS ? MBC_STOLEN : MBC_DROP;
}
