/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packet that an ICMP error quotes (RFC 792, RFC 4443): whose it is, and
 * its translation. It comes from the network and may be cut anywhere behind
 * the first eight bytes of its TCP or UDP header. Pure: no skb, lock or
 * allocation.
 */
#ifndef MBC_QUOTE_H
#define MBC_QUOTE_H

#include "tuple.h"

#define MBC_QUOTE_PEEK 256	/* bytes of a quote that are ever looked at */

/**
 * struct mbc_quote - a quoted TCP or UDP packet, parsed
 * @tuple: as it was sent
 * @l4_off: offset of its TCP or UDP header from the beginning of the quote
 * @check_off: offset of the checksum in there, 0 if the quote ends before
 */
struct mbc_quote {
	struct mbc_tuple tuple;
	unsigned int l4_off;
	unsigned int check_off;
};

/**
 * mbc_quote_parse() - what does it quote?
 * @q: filled in when the function is true
 * @family: of the packet it came in, AF_INET or AF_INET6
 * @data: the quote, aligned to 4 bytes
 * @len: bytes of it at hand
 *
 * No length field of the quoted packet is believed but those of its headers.
 *
 * Return: true for a TCP or UDP packet with its ports; false for another one
 * and for a later fragment.
 */
bool mbc_quote_parse(struct mbc_quote *q, u8 family, const u8 *data,
		     unsigned int len);

/**
 * mbc_quote_translate() - it becomes a quote of the same packet elsewhere
 * @q: parsed; its tuple becomes @to
 * @data: the quote, writable
 * @to: the packet's tuple there, of the same family and protocol
 *
 * Addresses, ports, and the checksums in the quote: right ones stay right,
 * wrong ones wrong. The ICMP checksum is the caller's.
 */
void mbc_quote_translate(struct mbc_quote *q, u8 *data,
			 const struct mbc_tuple *to);

#endif /* MBC_QUOTE_H */
