/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP packets for the tests, with checksums summed in full, byte by byte: what
 * xlate.c, which never does that, is held to.
 */
#ifndef KCORE_PACKET_H
#define KCORE_PACKET_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include "tuple.h"
#include "xlate.h"

#define PACKET_MAX 2048

/** struct packet - a packet, from its IP header on */
struct packet {
	_Alignas(8) u8 bytes[PACKET_MAX];
	unsigned int len;
	unsigned int l4_at;	/* offset of the TCP or UDP header */
	u8 family;
	u8 proto;
	bool partial;	/* CHECKSUM_PARTIAL: see packet_seal() */
};

/**
 * packet_make() - a packet without valid checksums
 * @options: between the headers, at most 10: words of IPv4 options, units of
 *	eight bytes of an IPv6 extension header; filled with no operation
 * @payload: copied, @len bytes of it, at most PACKET_MAX - 200
 */
void packet_make(struct packet *p, const struct mbc_tuple *t,
		 unsigned int options, const u8 *payload, unsigned int len);

/** packet_tcp() - its TCP header */
struct tcphdr *packet_tcp(struct packet *p);

/** packet_check() - its TCP or UDP checksum */
__sum16 *packet_check(struct packet *p);

/**
 * packet_seal() - fill both checksums in
 *
 * With @p->partial the TCP or UDP field gets the uncomplemented sum of the pseudo
 * header instead, as the kernel leaves it for the device to finish.
 */
void packet_seal(struct packet *p);

/** packet_sum() - sum of all its bytes, as CHECKSUM_COMPLETE has it */
u16 packet_sum(const struct packet *p);

/** packet_tuple() - the tuple it has now */
struct mbc_tuple packet_tuple(struct packet *p);

/**
 * struct translation - a translation, and the tuple that it points to
 *
 * As in the module, where that tuple is the one of the entry beside it.
 */
struct translation {
	struct mbc_tuple back;
	struct mbc_xlate x;
};

/** translation_init() - packets of @from become packets of @to */
void translation_init(struct translation *t, const struct mbc_tuple *from,
		      const struct mbc_tuple *to);

/** packet_xlate() - mbc_xlate_apply4() or mbc_xlate_apply6() */
void packet_xlate(struct packet *p, const struct translation *t);

#endif /* KCORE_PACKET_H */
