/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Things to test with: addresses, tuples and keys from literals, numbers that
 * look random and are the same in every run.
 */
#ifndef KCORE_MAKE_H
#define KCORE_MAKE_H

#include <stdio.h>
#include "path.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1u << (n))

/** families - what most tests run for, one after the other */
static const u8 families[] = { AF_INET, AF_INET6 };

/** family_name() - "IPv4" or "IPv6" */
const char *family_name(u8 family);

/** family_of() - of an address in text */
u8 family_of(const char *text);

/** make_addr() - an address from its text, which must be right */
union mbc_addr make_addr(const char *text);

/** make_host() - 10.0.0.0 or fd00:: plus @n */
union mbc_addr make_host(u8 family, u16 n);

/** make_tuple() - TCP tuple; ports in host byte order */
struct mbc_tuple make_tuple(u8 family, union mbc_addr saddr, u16 sport,
			    union mbc_addr daddr, u16 dport);

/** make_header() - a TCP header of zeros and @n bytes of options; free() it */
u8 *make_header(const u8 *options, unsigned int n);

/** make_key() - a SipHash key from its 16 bytes */
siphash_key_t make_key(const u8 *bytes);

/** make_random() - the next number after *@state, which starts other than 0 */
u32 make_random(u32 *state);

/** make_random_tuple() - a valid tuple */
struct mbc_tuple make_random_tuple(u8 family, u32 *state);

/** make_total() - add up the weights of a type's instances */
void make_total(struct mbc_nf_type *type);

/** print_hex() - bytes in hexadecimal, without spaces */
void print_hex(FILE *out, const u8 *bytes, size_t n);

/** print_addr() - an address in its usual notation */
void print_addr(FILE *out, const union mbc_addr *addr, u8 family);

#endif /* KCORE_MAKE_H */
