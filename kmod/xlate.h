/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Translation of one five-tuple into another, with the checksum differences
 * worked out once a session instead of once a packet (paper section 3.2,
 * vertical and horizontal NAT). Pure: no skb, lock or allocation. What a packet
 * goes through is inline.
 *
 * Ones' complement sums do not mind byte order as long as every word is read
 * and written in the same one (RFC 1071), so words are summed as they lie in
 * memory.
 */
#ifndef MBC_XLATE_H
#define MBC_XLATE_H

#include <linux/compiler.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/string.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include "tuple.h"

/**
 * struct mbc_diff - what a translation does to checksums
 * @addr: ones' complement sum of (new - old) addresses, folded to 16 bits, 0
 *	and never 0xffff for no difference: changes the IPv4 header checksum and
 *	the TCP or UDP pseudo header
 * @all: the same of addresses and ports: changes the TCP or UDP checksum
 */
struct mbc_diff {
	__sum16 addr;
	__sum16 all;
};

/**
 * struct mbc_xlate - what a packet's tuple becomes
 * @back: the reverse of that, the tuple of the packets that answer it: a host
 *	has to know both directions of a subsession anyway
 * @diff: what this does to checksums
 */
struct mbc_xlate {
	const struct mbc_tuple *back;
	struct mbc_diff diff;
};

/**
 * mbc_diff_init() - work out what a translation does to checksums
 * @diff: the result
 * @from: tuple of the packets it is for
 * @back: reverse of the tuple they get, of the same family
 */
void mbc_diff_init(struct mbc_diff *diff, const struct mbc_tuple *from,
		   const struct mbc_tuple *back);

/* Sum of two that are folded, folded: the carry comes in at the other end. */
static inline u16 mbc_csum_add16(u16 a, u16 b)
{
	u32 sum = (u32)a + b;

	return sum + (sum >> 16);
}

static inline __sum16 mbc_diff_add(__sum16 a, __sum16 b)
{
	u16 sum = mbc_csum_add16((__force u16)a, (__force u16)b);

	/* There and back is no difference. */
	return (__force __sum16)(sum == 0xffff ? 0 : sum);
}

/** mbc_diff_join() - what two translations together do to checksums */
static inline struct mbc_diff mbc_diff_join(struct mbc_diff a,
					    struct mbc_diff b)
{
	return (struct mbc_diff){
		.addr = mbc_diff_add(a.addr, b.addr),
		.all = mbc_diff_add(a.all, b.all),
	};
}

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
static inline __sum16 mbc_csum_update(__sum16 check, __sum16 diff)
{
	return (__force __sum16)(u16)~mbc_csum_add16(~(__force u16)check,
						     (__force u16)diff);
}

/**
 * mbc_csum_update_partial() - the same for a field that holds the
 * uncomplemented pseudo header sum (CHECKSUM_PARTIAL)
 * @check: the field as it stands in the packet
 * @diff: (new - old) of the pseudo header, folded
 *
 * Return: the new field.
 */
static inline __sum16 mbc_csum_update_partial(__sum16 check, __sum16 diff)
{
	return (__force __sum16)mbc_csum_add16((__force u16)check,
					       (__force u16)diff);
}

static inline __sum16 mbc_xlate_check(struct mbc_diff diff, __sum16 check,
				      bool partial)
{
	/* The pseudo header has no ports in it. */
	if (partial)
		return mbc_csum_update_partial(check, diff.addr);
	return mbc_csum_update(check, diff.all);
}

static inline void mbc_xlate_udp(struct mbc_xlate x, struct udphdr *uh,
				 bool partial)
{
	uh->source = x.back->dport;
	uh->dest = x.back->sport;
	if (!uh->check && !partial)
		return;
	uh->check = mbc_xlate_check(x.diff, uh->check, partial);
	if (!uh->check && !partial)
		uh->check = (__force __sum16)0xffff;
}

static inline void mbc_xlate_l4(struct mbc_xlate x, void *l4, bool partial)
{
	struct tcphdr *th = l4;

	if (unlikely(x.back->proto == IPPROTO_UDP)) {
		mbc_xlate_udp(x, l4, partial);
		return;
	}
	th->source = x.back->dport;
	th->dest = x.back->sport;
	th->check = mbc_xlate_check(x.diff, th->check, partial);
}

/**
 * mbc_xlate_apply4() - rewrite both headers of an IPv4 packet
 * @x: the translation
 * @iph: IPv4 header, writable
 * @l4: TCP or UDP header, writable
 * @partial: the checksum in @l4 is CHECKSUM_PARTIAL
 *
 * Addresses, ports, IP checksum and that of @l4. A UDP checksum of 0, which is
 * none (RFC 768), stays none, and one that comes out as 0 is written as 0xffff.
 * The caller has made sure that the packet's tuple is the one @x was made from.
 * A checksum over the whole packet kept beside it (CHECKSUM_COMPLETE) goes down
 * by @x.diff.addr if @l4 has a checksum; that is the caller's to do.
 */
static inline void mbc_xlate_apply4(struct mbc_xlate x, struct iphdr *iph,
				    void *l4, bool partial)
{
	iph->saddr = x.back->daddr.ip;
	iph->daddr = x.back->saddr.ip;
	iph->check = mbc_csum_update(iph->check, x.diff.addr);
	mbc_xlate_l4(x, l4, partial);
}

/**
 * mbc_xlate_apply6() - the same for an IPv6 packet
 *
 * Its header has no checksum: what the addresses add to a checksum over the
 * whole packet, the checksum in @l4 takes away.
 */
static inline void mbc_xlate_apply6(struct mbc_xlate x, struct ipv6hdr *ip6h,
				    void *l4, bool partial)
{
	memcpy(&ip6h->saddr, &x.back->daddr, sizeof(ip6h->saddr));
	memcpy(&ip6h->daddr, &x.back->saddr, sizeof(ip6h->daddr));
	mbc_xlate_l4(x, l4, partial);
}

#endif /* MBC_XLATE_H */
