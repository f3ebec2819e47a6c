// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way in: parse, look up the subsession, restore the supersession. NF,
 * conntrack and application see only the latter. Softirq, under RCU.
 */
#include "inbound.h"

#include <linux/inetdevice.h>
#include <net/ip.h>
#include <net/route.h>
#include "admit.h"
#include "express.h"
#include "fragment.h"
#include "icmp.h"
#include "nf.h"
#include "rewrite.h"
#include "stats.h"

/* A bit of the IP layer's own control block that no kernel we support uses:
 * the packet was restored here, and needs mbc_inbound_route().
 */
#define IPSKB_RESTORED BIT(15)

/* Only IPv4 has a route that mbc_inbound_route() has to find. */
static bool wants_route(const struct mbc_session *s, const struct sk_buff *skb)
{
	struct in_device *in_dev;

	if (s->super.family != AF_INET)
		return false;
	if (s->role == MBC_ROLE_MIDDLE)
		return true;
	in_dev = __in_dev_get_rcu(skb->dev);
	return in_dev && IN_DEV_RPFILTER(in_dev);
}

static enum mbc_verdict restore(struct mbc_net *mn, struct mbc_packet *p,
				struct mbc_entry *e)
{
	struct mbc_session *s = mbc_entry_session(e);

	if (!mbc_rewrite(mn, p, e))
		return MBC_DROP;
	if (mbc_session_counts_inbound(s, mbc_slot_dir(e->slot)))
		mbc_session_advance(s, mbc_slot_dir(e->slot), &p->seg);
	if (wants_route(s, p->skb))
		IPCB(p->skb)->flags |= IPSKB_RESTORED;
	mbc_count(mn, MBC_REASON_REWRITTEN_IN);
	return MBC_ACCEPT;
}

/* A middlebox whose NF does not stand in the host's own stack. */
static enum mbc_verdict to_nf(struct mbc_net *mn, const struct mbc_nf *nf,
			      struct mbc_packet *p, struct mbc_entry *e)
{
	enum mbc_verdict verdict;

	if (nf->mode == MBC_NF_REDIRECT) {
		verdict = restore(mn, p, e);
		return verdict == MBC_ACCEPT ?
			mbc_nf_redirect(mn, nf, p->skb, mbc_slot_dir(e->slot)) :
			verdict;
	}
	if (nf->mode == MBC_NF_TAP)
		mbc_nf_tap(nf, p, e);
	return mbc_express(mn, p, e, &verdict) ? verdict : restore(mn, p, e);
}

/* A packet that the NF gives back comes from its device, which is no more the
 * way to the client than a neighbour is.
 */
static void from_nf(struct sk_buff *skb, u8 family)
{
	if (family == AF_INET)
		IPCB(skb)->flags |= IPSKB_RESTORED;
}

enum mbc_verdict mbc_inbound(struct mbc_net *mn, struct sk_buff *skb,
			     u8 family)
{
	const struct mbc_nf *nf = rcu_dereference(mn->nf);
	struct mbc_packet p;
	struct mbc_entry *e;

	if (unlikely(mbc_nf_returns(nf, skb->dev))) {
		from_nf(skb, family);
		return MBC_ACCEPT;
	}
	if (unlikely(mbc_fragment_is(skb, family))) {
		enum mbc_verdict verdict = mbc_fragment_gather(mn, skb, family);

		if (verdict != MBC_ACCEPT)
			return verdict;
	}
	if (!mbc_packet_parse(&p, mn, skb, family))
		return mbc_icmp_inbound(mn, skb, family);
	e = mbc_table_find(mn, MBC_IN, &p.tuple);
	if (unlikely(mbc_packet_opens(&p) && p.seg.len)) {
		enum mbc_verdict verdict = mbc_admit(mn, &p, &e);

		if (verdict != MBC_ACCEPT)
			return verdict;
	}
	if (!e)
		return MBC_ACCEPT;
	if (unlikely(nf) && mbc_entry_session(e)->role == MBC_ROLE_MIDDLE)
		return to_nf(mn, nf, &p, e);
	return restore(mn, &p, e);
}

/* The interface behind which the kernel would look for @addr. */
static struct net_device *device_towards(struct net *net, __be32 addr)
{
	struct flowi4 fl4 = { .daddr = addr };
	struct rtable *rt = ip_route_output_key(net, &fl4);
	struct net_device *dev;

	if (IS_ERR(rt))
		return NULL;
	dev = rt->dst.dev;	/* stays while we are under RCU */
	ip_rt_put(rt);
	return dev;
}

/*
 * A restored packet comes from an "impossible" interface: its source is the
 * client, yet it arrives from the left neighbour. Two things that the kernel
 * makes of that are wrong here: strict reverse path filtering drops it, and
 * on a shared segment an ICMP redirect tells the client to go straight to the
 * server. So we ask for the route, as if it came from where the client is if
 * need be, and forget the redirect.
 */
enum mbc_verdict mbc_inbound_route(struct mbc_net *mn, struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	struct net_device *dev = skb->dev;
	struct in_device *in_dev;

	if (!(IPCB(skb)->flags & IPSKB_RESTORED))
		return MBC_ACCEPT;
	IPCB(skb)->flags &= ~IPSKB_RESTORED;
	if (skb_dst(skb))
		return MBC_ACCEPT;

	in_dev = __in_dev_get_rcu(dev);
	if (in_dev && IN_DEV_RPFILTER(in_dev)) {
		struct net_device *towards = device_towards(mn->net, iph->saddr);

		if (towards)
			dev = towards;
	}
	/* On error no route is set, and the kernel looks it up again, fails
	 * again and counts it where it counts all of these.
	 */
	ip_route_input_noref(skb, iph->daddr, iph->saddr, iph->tos, dev);
	IPCB(skb)->flags &= ~IPSKB_DOREDIRECT;
	return MBC_ACCEPT;
}
