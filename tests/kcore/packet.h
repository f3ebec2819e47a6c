/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP packets for the tests, with checksums summed in full, byte by byte: what
 * xlate.c, which never does that, is held to.
 */
#ifndef KCORE_PACKET_H
#define KCORE_PACKET_H

#include <linux/ip.h>
#include <linux/tcp.h>
#include "tuple.h"

#define PACKET_MAX 2048

/** struct packet - a packet, from its IP header on */
struct packet {
	_Alignas(8) u8 bytes[PACKET_MAX];
	unsigned int len;
	bool partial;	/* CHECKSUM_PARTIAL: see packet_seal() */
};

/**
 * packet_make() - a packet without valid checksums
 * @ip_options: words of IP options, filled with NOP
 * @payload: copied, @len bytes of it, at most PACKET_MAX - 100
 */
void packet_make(struct packet *p, const struct mbc_tuple *t,
		 unsigned int ip_options, const u8 *payload, unsigned int len);

/** packet_ip(), packet_tcp() - its headers */
struct iphdr *packet_ip(struct packet *p);
struct tcphdr *packet_tcp(struct packet *p);

/**
 * packet_seal() - fill both checksums in
 *
 * With @p->partial the TCP field gets the uncomplemented sum of the pseudo
 * header instead, as the kernel leaves it for the device to finish.
 */
void packet_seal(struct packet *p);

/** packet_tuple() - the tuple it has now */
struct mbc_tuple packet_tuple(struct packet *p);

#endif /* KCORE_PACKET_H */
