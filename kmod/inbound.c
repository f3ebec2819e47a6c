// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way in: parse, look up the subsession, restore the supersession. NF,
 * conntrack and application see only the latter. Softirq, under RCU.
 */
#include "inbound.h"

#include <linux/inetdevice.h>
#include <net/dsfield.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/route.h>
#include "admit.h"
#include "fragment.h"
#include "guard.h"
#include "icmp.h"
#include "nf.h"
#include "passage.h"
#include "refusal.h"
#include "rewrite.h"
#include "stats.h"

/* The part of the type of service that rules of routing may look at. */
#define ROUTING_TOS (IPTOS_TOS_MASK & ~INET_ECN_MASK)

/* Does nothing beside addresses and device decide where the packet goes? A mark
 * may, and so may the type of service.
 */
static bool routes_plainly(const struct sk_buff *skb, u8 family)
{
	if (skb->mark)
		return false;
	if (family == AF_INET)
		return !(ip_hdr(skb)->tos & ROUTING_TOS);
	return !(ipv6_get_dsfield(ipv6_hdr(skb)) & ROUTING_TOS);
}

static bool filters_reverse_path(const struct sk_buff *skb)
{
	struct in_device *in_dev = __in_dev_get_rcu(skb->dev);

	return in_dev && IN_DEV_RPFILTER(in_dev);
}

/* A host that forwards it knows from earlier packets how its stack will route
 * this one, if nobody marks it on the way there: mbc_inbound_route() has a look.
 */
static __always_inline void route_ahead(struct mbc_session *s,
					enum mbc_dir dir,
					const struct mbc_packet *p)
{
	struct sk_buff *skb = p->skb;
	u8 family = p->tuple.family;
	struct dst_entry *dst;

	if (s->role != MBC_ROLE_MIDDLE && !s->gateway) {
		if (family == AF_INET && filters_reverse_path(skb))
			mbc_packet_mark_restored(skb, family);
		return;
	}
	mbc_packet_mark_restored(skb, family);
	dst = mbc_route_kept(&s->ahead[dir], skb->skb_iif);
	if (likely(dst) && routes_plainly(skb, family)) {
		skb_dst_drop(skb);
		skb_dst_set_noref(skb, dst);
	}
}

static __always_inline enum mbc_verdict restore(struct mbc_net *mn,
						struct mbc_packet *p,
						struct mbc_entry *e)
{
	struct mbc_session *s = mbc_entry_session(e);

	if (!mbc_rewrite(mn, p, e))
		return MBC_DROP;
	if (mbc_session_counts_inbound(s, mbc_slot_dir(e->slot)))
		mbc_rewrite_passed(s, mbc_slot_dir(e->slot), p->skb, p->l4_off,
				   p->flags);
	route_ahead(s, mbc_slot_dir(e->slot), p);
	mbc_count(mn, MBC_REASON_REWRITTEN_IN);
	return MBC_ACCEPT;
}

/* A middlebox whose NF does not stand in the host's own stack. Where it does not need
 * the packet, this is one that the express path has left to the stack.
 */
static __always_inline enum mbc_verdict to_nf(struct mbc_net *mn,
					      const struct mbc_nf *nf,
					      struct mbc_packet *p,
					      struct mbc_entry *e)
{
	enum mbc_verdict verdict;

	mbc_nf_tap(nf, p, e);
	verdict = restore(mn, p, e);
	if (nf->mode == MBC_NF_REDIRECT && verdict == MBC_ACCEPT)
		return mbc_nf_redirect(mn, nf, p->skb, mbc_slot_dir(e->slot));
	return verdict;
}

static noinline enum mbc_verdict refused(struct mbc_net *mn,
					 const struct mbc_nf *nf,
					 struct mbc_packet *p,
					 struct mbc_entry *e)
{
	enum mbc_verdict verdict;

	verdict = mbc_refusal_take(mn, p, mbc_entry_session(e));
	if (verdict != MBC_ACCEPT)
		return verdict;
	if (nf && nf->mode == MBC_NF_REDIRECT &&
	    mbc_entry_session(e)->role == MBC_ROLE_MIDDLE)
		return to_nf(mn, nf, p, e);
	return restore(mn, p, e);
}

/* What there is an entry for. An end host has no NF. */
static __always_inline enum mbc_verdict found(struct mbc_net *mn,
					      const struct mbc_nf *nf,
					      struct mbc_packet *p,
					      struct mbc_entry *e)
{
	if (unlikely(READ_ONCE(mbc_entry_session(e)->watched)) &&
	    mbc_passage_inbound(mn, p, mbc_entry_session(e),
				  mbc_slot_dir(e->slot)) != MBC_ACCEPT)
		return MBC_DROP;
	if (unlikely(p->flags & MBC_TCP_RST) && mbc_refusal_is(p, e))
		return refused(mn, nf, p, e);
	if (unlikely(nf) && mbc_entry_session(e)->role == MBC_ROLE_MIDDLE)
		return to_nf(mn, nf, p, e);
	return restore(mn, p, e);
}

/* A SYN with payload, which may be a set-up header. */
static noinline enum mbc_verdict opening(struct mbc_net *mn,
					 const struct mbc_nf *nf,
					 struct mbc_packet *p,
					 struct mbc_entry *e)
{
	enum mbc_verdict verdict = mbc_admit(mn, p, &e);

	if (verdict != MBC_ACCEPT)
		return verdict;
	return e ? found(mn, nf, p, e) : mbc_guard(mn, p);
}

static __always_inline enum mbc_verdict
inbound(struct mbc_net *mn, struct sk_buff *skb, u8 family)
{
	const struct mbc_nf *nf = rcu_dereference(mn->nf);
	struct mbc_packet p __uninitialized;
	enum mbc_verdict verdict;
	struct mbc_entry *e;

	/* The NF's device is no more the way to the client than a neighbour
	 * is.
	 */
	if (unlikely(mbc_nf_returns(nf, skb->dev))) {
		mbc_packet_mark_restored(skb, family);
		return MBC_ACCEPT;
	}
	if (unlikely(mbc_fragment_is(skb, family)) && !mbc_net_idle(mn)) {
		verdict = mbc_fragment_gather(mn, skb, family);
		if (verdict != MBC_ACCEPT)
			return verdict;
	}
	if (!mbc_packet_parse(&p, mn, skb, family))
		return mbc_icmp_inbound(mn, skb, family);
	e = mbc_table_find(mn, MBC_IN, &p.tuple);
	if (unlikely(mbc_packet_opens(&p) && mbc_packet_payload(&p)))
		return opening(mn, nf, &p, e);
	if (likely(e))
		return found(mn, nf, &p, e);
	return unlikely(READ_ONCE(mn->guards)) ? mbc_guard(mn, &p) : MBC_ACCEPT;
}

enum mbc_verdict mbc_inbound4(struct mbc_net *mn, struct sk_buff *skb)
{
	return inbound(mn, skb, AF_INET);
}

enum mbc_verdict mbc_inbound6(struct mbc_net *mn, struct sk_buff *skb)
{
	return inbound(mn, skb, AF_INET6);
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
 * client, yet it arrives from the left neighbour. Two things that IPv4 makes of
 * that are wrong here: strict reverse path filtering drops it, and on a shared
 * segment an ICMP redirect tells the client to go straight to the server. So we
 * ask for the route, as if it came from where the client is if need be, and
 * forget the redirect. (IPv6 has no such filter, and hosts take redirects from
 * their own router alone.)
 */
static void find_route4(struct mbc_net *mn, struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	struct net_device *dev = skb->dev;

	if (filters_reverse_path(skb)) {
		struct net_device *towards = device_towards(mn->net, iph->saddr);

		if (towards)
			dev = towards;
	}
	/* On error no route is set, and the kernel looks it up again, fails
	 * again and counts it where it counts all of these.
	 */
	ip_route_input_noref(skb, iph->daddr, iph->saddr, iph->tos, dev);
	IPCB(skb)->flags &= ~IPSKB_DOREDIRECT;
}

void mbc_inbound_route(struct mbc_net *mn, struct sk_buff *skb, u8 family)
{
	bool plainly = routes_plainly(skb, family);

	if (!plainly)
		mbc_packet_mark_singular(skb, family);
	if (likely(skb_dst(skb)) && plainly)
		return;
	skb_dst_drop(skb);
	if (family == AF_INET)
		find_route4(mn, skb);
}
