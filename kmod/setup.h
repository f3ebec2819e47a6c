/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The set-up header: what the in-band set-up of a session carries in the
 * payload of a SYN (paper section 4.1; docs/PROTOCOL.md has the layout and
 * golden bytes). Coded and checked here; it comes from the network, so no
 * byte of it is believed before the MAC is. Pure: no skb, lock or allocation.
 */
#ifndef MBC_SETUP_H
#define MBC_SETUP_H

#include <linux/siphash.h>
#include "tuple.h"
#include "uapi/mbchain.h"

#define MBC_SETUP_MAGIC 0x6d626368u	/* "mbch" */
#define MBC_SETUP_VERSION 1
#define MBC_SETUP_HEAD 36		/* bytes before the addresses */
#define MBC_SETUP_MAC 8			/* bytes after the hops */
#define MBC_SETUP_MAX 336		/* IPv6, MBC_MAX_HOPS hops */

/**
 * struct mbc_setup - a set-up header, decoded
 * @id: session id
 * @key_id: which key the MAC is made with, host byte order
 * @time: seconds since 1970 modulo 2^32 by the sender's clock
 * @super: supersession, client to server
 * @n_hops: hosts still to come, 1 to MBC_MAX_HOPS
 * @hops: their addresses, left to right: the one that reads this first, the
 *	server last
 */
struct mbc_setup {
	u8 id[MBC_ID_LEN];
	u32 key_id;
	u32 time;
	struct mbc_tuple super;
	u8 n_hops;
	union mbc_addr hops[MBC_MAX_HOPS];
};

/**
 * struct mbc_key - a set-up key
 * @id: names it in headers
 * @secret: its MBC_KEY_LEN bytes as two little-endian numbers
 */
struct mbc_key {
	u32 id;
	siphash_key_t secret;
};

/**
 * mbc_setup_len() - bytes that a header takes
 * @family: AF_INET or AF_INET6
 * @n_hops: 0 to MBC_MAX_HOPS
 */
static inline unsigned int mbc_setup_len(u8 family, unsigned int n_hops)
{
	return MBC_SETUP_HEAD + 4 + (2 + n_hops) * mbc_addr_len(family) +
	       MBC_SETUP_MAC;
}

/**
 * mbc_setup_probe() - might this payload begin with a set-up header?
 * @data: the payload's first bytes
 * @len: how many of them are there
 *
 * Return: true if it begins with the magic number; nothing else is looked at.
 */
bool mbc_setup_probe(const u8 *data, unsigned int len);

/**
 * mbc_setup_encode() - write a header and its MAC
 * @s: what to write; @s->key_id is taken from @key instead
 * @key: signs
 * @buf: where to, at least mbc_setup_len() bytes
 *
 * @s->n_hops is at most MBC_MAX_HOPS.
 *
 * Return: bytes written.
 */
unsigned int mbc_setup_encode(const struct mbc_setup *s,
			      const struct mbc_key *key, u8 *buf);

/**
 * mbc_setup_decode() - check a header and read it
 * @s: the result; undefined unless the function returns MBC_REASON_NONE
 * @family: of the packet it came in, AF_INET or AF_INET6
 * @data: the SYN's payload, which passed mbc_setup_probe()
 * @len: bytes of it at hand
 * @keys: keys that verify
 * @n_keys: how many, may be 0
 * @now: seconds since 1970 modulo 2^32
 * @freshness: how many seconds @now and the header's time may differ, either
 *	way, across the wrap of 2^32
 *
 * In this order: bytes for no hop at hand, version, flags and reserved
 * byte, family and protocol, number of hops, length field, the whole header at
 * hand, key, MAC (constant time); and only behind the MAC freshness, tuple and
 * the addresses of the hops. Bytes behind the header are not looked at: they
 * are the application's (TCP Fast Open). Replay is the caller's to judge.
 *
 * Return: MBC_REASON_NONE, or one of MBC_REASON_HDR_*. Up to and including
 * MBC_REASON_HDR_MAC the packet is not known to be ours.
 */
enum mbc_reason mbc_setup_decode(struct mbc_setup *s, u8 family,
				 const u8 *data, unsigned int len,
				 const struct mbc_key *keys,
				 unsigned int n_keys, u32 now, u32 freshness);

#endif /* MBC_SETUP_H */
