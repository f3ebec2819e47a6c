/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session's route to one of its neighbours, looked up once and kept until
 * the kernel says that it is stale. Readers under RCU.
 */
#ifndef MBC_ROUTE_H
#define MBC_ROUTE_H

#include <net/dst.h>
#include <net/net_namespace.h>
#include "tuple.h"

/**
 * struct mbc_route - zeroed to begin with
 * @dst: owned reference, or NULL
 * @cookie: how the kernel knows whether @dst is stale; 0 for IPv4
 * @iif: of an input route, index of the device that packets come from; else 0
 */
struct mbc_route {
	struct dst_entry __rcu *dst;
	u32 cookie;
	int iif;
};

/** mbc_route_refresh() - mbc_route_peek() where none is kept that still holds */
struct dst_entry *mbc_route_refresh(struct mbc_route *route, struct net *net,
				    const struct mbc_tuple *back);

/**
 * mbc_route_peek() - the route for packets of a subsession
 * @route: where it is kept
 * @back: tuple of the packets that answer them
 *
 * Return: for this RCU read side; NULL if there is none.
 */
static inline struct dst_entry *mbc_route_peek(struct mbc_route *route,
					       struct net *net,
					       const struct mbc_tuple *back)
{
	u32 known = smp_load_acquire(&route->cookie);
	struct dst_entry *dst = rcu_dereference(route->dst);

	if (likely(dst && dst_check(dst, known)))
		return dst;
	return mbc_route_refresh(route, net, back);
}

/** mbc_route_get() - the same with a reference, which the caller owns */
struct dst_entry *mbc_route_get(struct mbc_route *route, struct net *net,
				const struct mbc_tuple *back);

/**
 * mbc_route_source() - the address to speak to a host from
 * @wire: has daddr, proto and family; saddr is set
 *
 * Return: false if there is no route.
 */
bool mbc_route_source(struct net *net, struct mbc_tuple *wire);

/** mbc_route_is_local() - is it an address of this host? */
bool mbc_route_is_local(struct net *net, const union mbc_addr *addr, u8 family);

/**
 * mbc_route_keep() - keep the route that the stack has found for a packet
 * @skb: has that route, and came from the device with index @iif
 */
void mbc_route_keep(struct mbc_route *route, const struct sk_buff *skb,
		    int iif, u8 family);

/**
 * mbc_route_kept() - the same route for another packet from the device @iif
 *
 * Return: for this RCU read side; NULL if there is none that still holds.
 */
static inline struct dst_entry *mbc_route_kept(const struct mbc_route *route,
					       int iif)
{
	u32 known = smp_load_acquire(&route->cookie);
	struct dst_entry *dst = rcu_dereference(route->dst);

	if (!dst || READ_ONCE(route->iif) != iif || !dst_check(dst, known))
		return NULL;
	return dst;
}

/** mbc_route_clear() - drop the reference; nobody else may use @route */
void mbc_route_clear(struct mbc_route *route);

#endif /* MBC_ROUTE_H */
