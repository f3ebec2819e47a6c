/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Five-tuples: what names a supersession end to end, and a subsession on the
 * wire. Pure: no skb, lock or allocation.
 */
#ifndef MBC_TUPLE_H
#define MBC_TUPLE_H

#include <linux/socket.h>
#include <linux/types.h>

/**
 * union mbc_addr - address of a host
 * @ip: IPv4; the other words are 0 then
 * @ip6: IPv6
 *
 * As in union nf_inet_addr. Which one it is the tuple's family says.
 */
union mbc_addr {
	__be32 ip;
	__be32 ip6[4];
};

/** mbc_addr_equal() - are two addresses of one family the same? */
static inline bool mbc_addr_equal(const union mbc_addr *a,
				  const union mbc_addr *b)
{
	return a->ip6[0] == b->ip6[0] && a->ip6[1] == b->ip6[1] &&
	       a->ip6[2] == b->ip6[2] && a->ip6[3] == b->ip6[3];
}

/**
 * mbc_addr_bit4() - one bit of 64 for an address, as a filter goes by
 * @ip: network byte order
 */
static inline u64 mbc_addr_bit4(__be32 ip)
{
	return 1ULL << ((u32)((__force u32)ip * 0x61c88647u) >> 26);
}

/** mbc_addr_bit6() - the same; the last 64 bits tell hosts apart */
static inline u64 mbc_addr_bit6(const __be32 *ip6)
{
	return mbc_addr_bit4(ip6[2] ^ ip6[3]);
}

/** mbc_addr_len() - bytes of an address on the wire */
static inline unsigned int mbc_addr_len(u8 family)
{
	return family == AF_INET6 ? 16 : 4;
}

/**
 * struct mbc_tuple - five-tuple of one direction of a session
 * @saddr: source address
 * @daddr: destination address
 * @sport: source port
 * @dport: destination port
 * @proto: IPPROTO_TCP or IPPROTO_UDP
 * @family: AF_INET or AF_INET6, of both addresses
 * @pad: always 0, so that tuples can be compared and hashed as bytes
 *
 * 40 bytes, no holes.
 */
struct mbc_tuple {
	union mbc_addr saddr;
	union mbc_addr daddr;
	__be16 sport;
	__be16 dport;
	u8 proto;
	u8 family;
	u8 pad[2];
};

/** mbc_tuple_equal() - are two tuples the same, in the same direction? */
static inline bool mbc_tuple_equal(const struct mbc_tuple *a,
				   const struct mbc_tuple *b)
{
	if (a->saddr.ip != b->saddr.ip || a->daddr.ip != b->daddr.ip ||
	    a->sport != b->sport || a->dport != b->dport ||
	    a->proto != b->proto || a->family != b->family)
		return false;
	return a->family == AF_INET ||
	       (mbc_addr_equal(&a->saddr, &b->saddr) &&
		mbc_addr_equal(&a->daddr, &b->daddr));
}

/** mbc_tuple_reverse() - the tuple of the packets that answer @t */
static inline struct mbc_tuple mbc_tuple_reverse(const struct mbc_tuple *t)
{
	return (struct mbc_tuple){
		.saddr = t->daddr, .daddr = t->saddr,
		.sport = t->dport, .dport = t->sport,
		.proto = t->proto, .family = t->family,
	};
}

/**
 * mbc_addr_valid() - may this be the address of a host of a chain?
 * @addr: the address
 * @family: AF_INET or AF_INET6
 *
 * Return: false for 0.0.0.0/8, 127.0.0.0/8, 224.0.0.0/4, 255.255.255.255, and
 * for ::, ::1, ff00::/8, fe80::/10, ::ffff:0:0/96: what no router may forward,
 * or no single host answers to.
 */
bool mbc_addr_valid(const union mbc_addr *addr, u8 family);

/**
 * mbc_tuple_valid() - may this tuple name a session?
 * @t: the tuple
 *
 * Return: true if the family is known, both addresses pass mbc_addr_valid(), no
 * port is 0 and the protocol is TCP or UDP.
 */
bool mbc_tuple_valid(const struct mbc_tuple *t);

#endif /* MBC_TUPLE_H */
