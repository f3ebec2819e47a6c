// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which five-tuples a session may have. Pure: called with tuples from set-up
 * headers (setup.c) and from packets.
 */
#include "tuple.h"

#include <linux/in.h>

bool mbc_addr_valid(__be32 addr)
{
	return !ipv4_is_zeronet(addr) && !ipv4_is_loopback(addr) &&
	       !ipv4_is_multicast(addr) && !ipv4_is_lbcast(addr);
}

bool mbc_tuple_valid(const struct mbc_tuple *t)
{
	return t->proto == IPPROTO_TCP && t->sport && t->dport &&
	       mbc_addr_valid(t->saddr) && mbc_addr_valid(t->daddr);
}
