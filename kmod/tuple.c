// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which five-tuples a session may have. Pure: called with tuples from set-up
 * headers (setup.c) and from packets.
 */
#include "tuple.h"

#include <linux/in.h>
#include <asm/byteorder.h>

static bool valid4(__be32 addr)
{
	return !ipv4_is_zeronet(addr) && !ipv4_is_loopback(addr) &&
	       !ipv4_is_multicast(addr) && !ipv4_is_lbcast(addr);
}

static bool valid6(const __be32 *a)
{
	const u32 first = be32_to_cpu(a[0]);

	if (!a[0] && !a[1] && !a[2] && be32_to_cpu(a[3]) <= 1)
		return false;			/* unspecified, loopback */
	if (!a[0] && !a[1] && a[2] == cpu_to_be32(0xffff))
		return false;			/* IPv4-mapped */
	return first >> 24 != 0xff &&		/* multicast */
	       first >> 22 != 0xfe80 >> 6;	/* link-local */
}

bool mbc_addr_valid(const union mbc_addr *addr, u8 family)
{
	return family == AF_INET ? valid4(addr->ip) : valid6(addr->ip6);
}

bool mbc_tuple_valid(const struct mbc_tuple *t)
{
	return (t->family == AF_INET || t->family == AF_INET6) &&
	       (t->proto == IPPROTO_TCP || t->proto == IPPROTO_UDP) && t->sport && t->dport &&
	       mbc_addr_valid(&t->saddr, t->family) &&
	       mbc_addr_valid(&t->daddr, t->family);
}
