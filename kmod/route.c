// SPDX-License-Identifier: GPL-2.0-only
/*
 * Routes to neighbours. A slot is replaced with xchg(), so two CPUs that
 * refresh it at once each drop exactly one reference; a dst that another CPU
 * still looks at is freed by the kernel only after a grace period.
 */
#include "route.h"

#include <net/route.h>

static struct rtable *lookup(struct net *net, __be32 saddr, __be32 daddr)
{
	struct flowi4 fl4 = { .saddr = saddr, .daddr = daddr,
			      .flowi4_proto = IPPROTO_TCP };
	struct rtable *rt = ip_route_output_key(net, &fl4);

	return IS_ERR(rt) ? NULL : rt;
}

struct dst_entry *mbc_route_get(struct mbc_route *route, struct net *net,
				__be32 saddr, __be32 daddr)
{
	struct dst_entry *dst = rcu_dereference(route->dst);
	struct rtable *rt;

	if (likely(dst && dst_check(dst, 0) && dst_hold_safe(dst)))
		return dst;

	rt = lookup(net, saddr, daddr);
	if (!rt)
		return NULL;
	dst_hold(&rt->dst);
	dst = unrcu_pointer(xchg(&route->dst, RCU_INITIALIZER(&rt->dst)));
	dst_release(dst);
	return &rt->dst;
}

__be32 mbc_route_source(struct net *net, __be32 daddr)
{
	struct flowi4 fl4 = { .daddr = daddr, .flowi4_proto = IPPROTO_TCP };
	struct rtable *rt = ip_route_output_key(net, &fl4);

	if (IS_ERR(rt))
		return 0;
	ip_rt_put(rt);
	return fl4.saddr;
}

void mbc_route_clear(struct mbc_route *route)
{
	dst_release(unrcu_pointer(xchg(&route->dst, NULL)));
}
