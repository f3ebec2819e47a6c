/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session's route to one of its neighbours, looked up once and kept until
 * the kernel says that it is stale. Readers under RCU.
 */
#ifndef MBC_ROUTE_H
#define MBC_ROUTE_H

#include <net/dst.h>
#include <net/net_namespace.h>

/** struct mbc_route - @dst: owned reference, or NULL; zeroed to begin with */
struct mbc_route {
	struct dst_entry __rcu *dst;
};

/**
 * mbc_route_get() - the route from @saddr to @daddr
 * @route: where it is kept
 *
 * RCU read side. The caller owns the reference that it gets.
 *
 * Return: NULL if there is none.
 */
struct dst_entry *mbc_route_get(struct mbc_route *route, struct net *net,
				__be32 saddr, __be32 daddr);

/** mbc_route_source() - the address to speak to @daddr from, 0: no route */
__be32 mbc_route_source(struct net *net, __be32 daddr);

/** mbc_route_clear() - drop the reference; nobody else may use @route */
void mbc_route_clear(struct mbc_route *route);

#endif /* MBC_ROUTE_H */
