/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Things to test with: tuples and keys from literals, numbers that look random
 * and are the same in every run.
 */
#ifndef KCORE_MAKE_H
#define KCORE_MAKE_H

#include <stdio.h>
#include <linux/siphash.h>
#include "tuple.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/** make_addr() - IPv4 address from its four numbers */
__be32 make_addr(u8 a, u8 b, u8 c, u8 d);

/** make_tuple() - TCP tuple; ports in host byte order */
struct mbc_tuple make_tuple(__be32 saddr, u16 sport, __be32 daddr, u16 dport);

/** make_key() - a SipHash key from its 16 bytes */
siphash_key_t make_key(const u8 *bytes);

/** make_random() - the next number after *@state, which starts other than 0 */
u32 make_random(u32 *state);

/** make_random_tuple() - a valid tuple */
struct mbc_tuple make_random_tuple(u32 *state);

/** print_hex() - bytes in hexadecimal, without spaces */
void print_hex(FILE *out, const u8 *bytes, size_t n);

/** print_addr() - an address in dotted notation */
void print_addr(FILE *out, __be32 addr);

#endif /* KCORE_MAKE_H */
