// SPDX-License-Identifier: GPL-2.0-only
/*
 * Routes to neighbours. A slot is replaced with xchg(), so two CPUs that
 * refresh it at once each drop exactly one reference; a dst that another CPU
 * still looks at is freed by the kernel only after a grace period.
 */
#include "route.h"

#include <linux/inetdevice.h>
#include <net/addrconf.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>

static struct dst_entry *lookup4(struct net *net, const struct mbc_tuple *back)
{
	struct flowi4 fl4 = { .saddr = back->daddr.ip, .daddr = back->saddr.ip,
			      .flowi4_proto = back->proto };
	struct rtable *rt = ip_route_output_key(net, &fl4);

	return IS_ERR(rt) ? NULL : &rt->dst;
}

static struct dst_entry *lookup6(struct net *net, const struct mbc_tuple *back)
{
	struct flowi6 fl6 = { .flowi6_proto = back->proto };
	struct dst_entry *dst;

	memcpy(&fl6.saddr, &back->daddr, sizeof(fl6.saddr));
	memcpy(&fl6.daddr, &back->saddr, sizeof(fl6.daddr));
	dst = ip6_route_output(net, NULL, &fl6);
	if (!dst->error)
		return dst;
	dst_release(dst);
	return NULL;
}

static u32 cookie(const struct dst_entry *dst, u8 family)
{
	if (family == AF_INET)
		return 0;
	return rt6_get_cookie(container_of(dst, struct rt6_info, dst));
}

/* A new route into the slot. The cookie is written behind its dst and read
 * before: it may be older than the dst, which then counts as stale, but never
 * newer. Return: not the caller's; it outlives this RCU read side.
 */
struct dst_entry *mbc_route_refresh(struct mbc_route *route, struct net *net,
				    const struct mbc_tuple *back)
{
	struct dst_entry *dst, *old;

	dst = back->family == AF_INET ? lookup4(net, back) :
					lookup6(net, back);
	if (!dst)
		return NULL;
	old = unrcu_pointer(xchg(&route->dst, RCU_INITIALIZER(dst)));
	smp_store_release(&route->cookie, cookie(dst, back->family));
	dst_release(old);
	return dst;
}

struct dst_entry *mbc_route_get(struct mbc_route *route, struct net *net,
				const struct mbc_tuple *back)
{
	struct dst_entry *dst = mbc_route_peek(route, net, back);

	if (likely(dst && dst_hold_safe(dst)))
		return dst;
	dst = mbc_route_refresh(route, net, back);
	return dst && dst_hold_safe(dst) ? dst : NULL;
}

void mbc_route_keep(struct mbc_route *route, const struct sk_buff *skb,
		    int iif, u8 family)
{
	struct dst_entry *dst = skb_dst(skb);
	struct dst_entry *old;

	if (!dst || !dst_hold_safe(dst))
		return;
	/* Another CPU may do the same for another device: who reads the old
	 * index with the new route is on a route of this session all the same,
	 * and the kernel does not look at where its packets came from again.
	 */
	WRITE_ONCE(route->iif, iif);
	old = unrcu_pointer(xchg(&route->dst, RCU_INITIALIZER(dst)));
	smp_store_release(&route->cookie, cookie(dst, family));
	dst_release(old);
}

static bool source4(struct net *net, struct mbc_tuple *wire)
{
	struct flowi4 fl4 = { .daddr = wire->daddr.ip,
			      .flowi4_proto = wire->proto };
	struct rtable *rt = ip_route_output_key(net, &fl4);

	if (IS_ERR(rt))
		return false;
	ip_rt_put(rt);
	wire->saddr.ip = fl4.saddr;
	return true;
}

static bool source6(struct net *net, struct mbc_tuple *wire)
{
	struct flowi6 fl6 = { .flowi6_proto = wire->proto };
	struct dst_entry *dst;

	memcpy(&fl6.daddr, &wire->daddr, sizeof(fl6.daddr));
	if (ip6_dst_lookup(net, NULL, &dst, &fl6))
		return false;
	dst_release(dst);
	memcpy(&wire->saddr, &fl6.saddr, sizeof(fl6.saddr));
	return true;
}

bool mbc_route_source(struct net *net, struct mbc_tuple *wire)
{
	return (wire->family == AF_INET ? source4(net, wire) :
					  source6(net, wire)) &&
	       mbc_addr_valid(&wire->saddr, wire->family);
}

bool mbc_route_is_local(struct net *net, const union mbc_addr *addr, u8 family)
{
	/* Asks for addresses of devices first, and then for local routes. */
	if (family == AF_INET)
		return __ip_dev_find(net, addr->ip, false);
	return ipv6_chk_addr(net, (const struct in6_addr *)addr, NULL, 0);
}

void mbc_route_clear(struct mbc_route *route)
{
	dst_release(unrcu_pointer(xchg(&route->dst, NULL)));
}
