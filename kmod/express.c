// SPDX-License-Identifier: GPL-2.0-only
/*
 * The express path (design section 4): both translations in one, the route that
 * the session keeps, and the neighbour's hardware address, before the host's stack
 * has seen the packet. No lock. What is not plain goes the way through that stack,
 * which knows what to do about it.
 */
#include "express.h"

#include <linux/ipv6.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ndisc.h>
#include <net/neighbour.h>
#include <net/route.h>
#include "hold.h"
#include "mtu.h"
#include "rewrite.h"
#include "stats.h"

/* Is it the stack's to answer an expired TTL, and a packet that is too long? */
static __always_inline bool fits(const struct sk_buff *skb, u8 family,
				 const struct dst_entry *dst)
{
	u8 ttl = family == AF_INET ? ip_hdr(skb)->ttl :
				     ipv6_hdr(skb)->hop_limit;

	return ttl > 1 && mbc_mtu_takes(skb, family, dst);
}

/* A way that is no more than a device and a neighbour. */
static bool plain(const struct dst_entry *dst)
{
	return !dst_xfrm(dst) && !dst->lwtstate &&
	       !(dst->dev->flags & IFF_LOOPBACK);
}

static __always_inline void translate(struct sk_buff *skb, u8 family,
				      unsigned int l4_off,
				      const struct mbc_entry *in,
				      const struct mbc_entry *out)
{
	struct mbc_xlate x = mbc_entry_xlate(out);

	x.diff = mbc_diff_join(in->diff, x.diff);
	mbc_rewrite_headers(skb, family, l4_off, x);
	if (family == AF_INET)
		ip_decrease_ttl(ip_hdr(skb));
	else
		ipv6_hdr(skb)->hop_limit--;
}

static __always_inline struct neighbour *
neighbour4(struct sk_buff *skb, struct dst_entry *dst)
{
	bool is_v6gw = false;

	return ip_neigh_for_gw(container_of(dst, struct rtable, dst), skb,
			       &is_v6gw);
}

static __always_inline struct neighbour *
neighbour6(struct sk_buff *skb, struct dst_entry *dst)
{
	const struct in6_addr *addr =
		rt6_nexthop(container_of(dst, struct rt6_info, dst),
			    &ipv6_hdr(skb)->daddr);
	struct neighbour *neigh = __ipv6_neigh_lookup_noref(dst->dev, addr);

	return neigh ?: __neigh_create(&nd_tbl, addr, dst->dev, false);
}

static __always_inline enum mbc_verdict
transmit(struct mbc_net *mn, struct sk_buff *skb, u8 family,
	 struct dst_entry *dst)
{
	struct neighbour *neigh;

	skb_forward_csum(skb);
	skb_clear_tstamp(skb);
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, dst);
	skb->dev = dst->dev;
	rcu_read_lock_bh();
	neigh = family == AF_INET ? neighbour4(skb, dst) :
				    neighbour6(skb, dst);
	if (unlikely(IS_ERR(neigh))) {
		rcu_read_unlock_bh();
		mbc_count(mn, MBC_REASON_ROUTE_GONE);
		return MBC_DROP;
	}
	neigh_output(neigh, skb, false);
	rcu_read_unlock_bh();
	return MBC_STOLEN;
}

/* What changes of the TCP or UDP header: neither is shorter than this. */
static unsigned int l4_len(const struct mbc_entry *e)
{
	return e->tuple.proto == IPPROTO_UDP ? sizeof(struct udphdr) :
					       sizeof(struct tcphdr);
}

/* Does the packet belong to the middle of a session, at a host in its middle? */
static __always_inline bool stands(const struct mbc_session *s, u8 flags)
{
	return likely(s->role == MBC_ROLE_MIDDLE && !READ_ONCE(s->watched) &&
		      !(flags & (MBC_TCP_SYN_FLAG | MBC_TCP_RST)) &&
		      mbc_hold_ready(s));
}

/* Are @len bytes of headers and @room before them ours to change? A packet that
 * somebody else holds as well cannot be moved to where they are.
 */
static __always_inline bool changeable(struct sk_buff *skb, unsigned int len,
				       unsigned int room)
{
	if (likely(!skb_cloned(skb) && len <= skb_headlen(skb) &&
		   room <= skb_headroom(skb)))
		return true;
	return !skb_shared(skb) && !skb_ensure_writable(skb, len) &&
	       !skb_cow_head(skb, room);
}

/* What the stack would have left in the packet, or taken from it, by now. */
static __always_inline void adopt(struct sk_buff *skb, u8 family)
{
	skb_orphan(skb);
	if (family == AF_INET) {
		memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	} else {
		memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));
		IP6CB(skb)->iif = skb->dev->ifindex;
	}
}

static __always_inline enum mbc_verdict
express(struct mbc_net *mn, const struct mbc_nf *nf, const struct mbc_packet *p,
	struct mbc_entry *e, u8 family)
{
	struct mbc_session *s = mbc_entry_session(e);
	struct mbc_entry *out = mbc_entry_across(e);
	struct sk_buff *skb = p->skb;
	struct dst_entry *dst;

	if (!stands(s, p->flags))
		return MBC_ACCEPT;
	dst = mbc_rewrite_route_noref(mn, out);
	if (unlikely(!dst || !plain(dst) || !fits(skb, family, dst) ||
		     !changeable(skb, p->l4_off + l4_len(e),
				 LL_RESERVED_SPACE(dst->dev))))
		return MBC_ACCEPT;
	mbc_nf_tap(nf, p, e);
	adopt(skb, family);
	translate(skb, family, p->l4_off, e, out);
	mbc_entry_count(e, skb->len);
	mbc_entry_count(out, skb->len);
	mbc_rewrite_passed(s, mbc_slot_dir(e->slot), skb, p->l4_off, p->flags);
	mbc_count(mn, MBC_REASON_EXPRESS);
	return transmit(mn, skb, family, dst);
}

enum mbc_verdict mbc_express4(struct mbc_net *mn, const struct mbc_nf *nf,
			      const struct mbc_packet *p, struct mbc_entry *e)
{
	return express(mn, nf, p, e, AF_INET);
}

enum mbc_verdict mbc_express6(struct mbc_net *mn, const struct mbc_nf *nf,
			      const struct mbc_packet *p, struct mbc_entry *e)
{
	return express(mn, nf, p, e, AF_INET6);
}
