/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Five-tuples: what names a supersession end to end, and a subsession on the
 * wire. Pure: no skb, lock or allocation.
 */
#ifndef MBC_TUPLE_H
#define MBC_TUPLE_H

#include <linux/types.h>

/**
 * struct mbc_tuple - five-tuple of one direction of a TCP session over IPv4
 * @saddr: source address
 * @daddr: destination address
 * @sport: source port
 * @dport: destination port
 * @proto: IPPROTO_TCP
 * @pad: always 0, so that tuples can be compared and hashed as bytes
 *
 * 16 bytes, no holes.
 */
struct mbc_tuple {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	u8 proto;
	u8 pad[3];
};

/** mbc_tuple_equal() - are two tuples the same, in the same direction? */
static inline bool mbc_tuple_equal(const struct mbc_tuple *a,
				   const struct mbc_tuple *b)
{
	return a->saddr == b->saddr && a->daddr == b->daddr &&
	       a->sport == b->sport && a->dport == b->dport &&
	       a->proto == b->proto;
}

/** mbc_tuple_reverse() - the tuple of the packets that answer @t */
static inline struct mbc_tuple mbc_tuple_reverse(const struct mbc_tuple *t)
{
	return (struct mbc_tuple){
		.saddr = t->daddr, .daddr = t->saddr,
		.sport = t->dport, .dport = t->sport,
		.proto = t->proto,
	};
}

/**
 * mbc_addr_valid() - may this be the address of a host of a chain?
 * @addr: IPv4 address
 *
 * Return: false for 0.0.0.0/8, 127.0.0.0/8, 224.0.0.0/4 and 255.255.255.255:
 * what no router may forward, or no single host answers to.
 */
bool mbc_addr_valid(__be32 addr);

/**
 * mbc_tuple_valid() - may this tuple name a session?
 * @t: the tuple
 *
 * Return: true if both addresses pass mbc_addr_valid(), no port is 0 and the
 * protocol is TCP.
 */
bool mbc_tuple_valid(const struct mbc_tuple *t);

#endif /* MBC_TUPLE_H */
