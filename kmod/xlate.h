/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Translation of one five-tuple into another, with the checksum differences
 * worked out once a session instead of once a packet (paper section 3.2,
 * vertical and horizontal NAT). Pure: no skb, lock or allocation.
 */
#ifndef MBC_XLATE_H
#define MBC_XLATE_H

#include "tuple.h"

/**
 * struct mbc_xlate - what a packet's tuple becomes
 * @saddr: new source address
 * @daddr: new destination address
 * @sport: new source port
 * @dport: new destination port
 * @addr_diff: ones' complement sum of (new - old) addresses, folded to 16
 *	bits, 0 and never 0xffff for no difference: changes the IPv4 header
 *	checksum and the TCP or UDP pseudo header
 * @port_diff: the same for the ports: changes the TCP or UDP checksum only
 *
 * 40 bytes.
 */
struct mbc_xlate {
	union mbc_addr saddr;
	union mbc_addr daddr;
	__be16 sport;
	__be16 dport;
	__sum16 addr_diff;
	__sum16 port_diff;
};

/**
 * mbc_xlate_init() - work out a translation
 * @x: the result
 * @from: tuple of the packets it is for
 * @to: tuple they get, of the same family
 */
void mbc_xlate_init(struct mbc_xlate *x, const struct mbc_tuple *from,
		    const struct mbc_tuple *to);

/**
 * mbc_xlate_join() - two translations in one
 * @second: becomes both
 * @first: what is done before it
 */
void mbc_xlate_join(struct mbc_xlate *second, const struct mbc_xlate *first);

/**
 * mbc_csum_update() - a checksum field after its data changed
 * @check: the field as it stands in the packet (complemented sum)
 * @diff: (new - old) of the data it covers, folded
 *
 * RFC 1624, equation 3: never turns a valid field into an invalid one, keeps
 * an invalid one invalid. For a field as senders write it the result is the
 * one that summing anew would give; 0xffff, which no sender writes, may come
 * out as its equal 0 after a translation there and back.
 *
 * Return: the new field.
 */
__sum16 mbc_csum_update(__sum16 check, __sum16 diff);

/**
 * mbc_csum_update_partial() - the same for a field that holds the
 * uncomplemented pseudo header sum (CHECKSUM_PARTIAL)
 * @check: the field as it stands in the packet
 * @diff: (new - old) of the pseudo header, folded
 *
 * Return: the new field.
 */
__sum16 mbc_csum_update_partial(__sum16 check, __sum16 diff);

struct iphdr;
struct ipv6hdr;

/**
 * mbc_xlate_apply4() - rewrite both headers of an IPv4 packet
 * @x: the translation
 * @iph: IPv4 header, writable
 * @l4: TCP or UDP header, writable
 * @proto: which, IPPROTO_TCP or IPPROTO_UDP
 * @partial: the checksum in @l4 is CHECKSUM_PARTIAL
 *
 * Addresses, ports, IP checksum and that of @l4. A UDP checksum of 0, which is
 * none (RFC 768), stays none, and one that comes out as 0 is written as 0xffff.
 * The caller has made sure that the packet's tuple is the one @x was made from.
 * A checksum over the whole packet kept beside it (CHECKSUM_COMPLETE) goes down
 * by @x->addr_diff if @l4 has a checksum; that is the caller's to do.
 */
void mbc_xlate_apply4(const struct mbc_xlate *x, struct iphdr *iph,
		      void *l4, u8 proto, bool partial);

/**
 * mbc_xlate_apply6() - the same for an IPv6 packet
 *
 * Its header has no checksum: what the addresses add to a checksum over the
 * whole packet, the checksum in @l4 takes away.
 */
void mbc_xlate_apply6(const struct mbc_xlate *x, struct ipv6hdr *ip6h,
		      void *l4, u8 proto, bool partial);

#endif /* MBC_XLATE_H */
