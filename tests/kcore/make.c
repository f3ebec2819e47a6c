// SPDX-License-Identifier: GPL-2.0-only
/* Tuples, keys and numbers for the tests; see make.h. */
#include "make.h"

#include <linux/in.h>
#include <linux/string.h>
#include <asm/byteorder.h>

__be32 make_addr(u8 a, u8 b, u8 c, u8 d)
{
	return cpu_to_be32((u32)a << 24 | b << 16 | c << 8 | d);
}

struct mbc_tuple make_tuple(__be32 saddr, u16 sport, __be32 daddr, u16 dport)
{
	return (struct mbc_tuple){
		.saddr = saddr, .daddr = daddr,
		.sport = cpu_to_be16(sport), .dport = cpu_to_be16(dport),
		.proto = IPPROTO_TCP,
	};
}

siphash_key_t make_key(const u8 *bytes)
{
	__le64 words[2];

	memcpy(words, bytes, sizeof(words));
	return (siphash_key_t){
		{ le64_to_cpu(words[0]), le64_to_cpu(words[1]) }
	};
}

/* Marsaglia's xorshift32. */
u32 make_random(u32 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

struct mbc_tuple make_random_tuple(u32 *state)
{
	struct mbc_tuple t;

	do {
		/* One at a time: arguments have no order. */
		const u32 ports = make_random(state);
		const __be32 saddr = cpu_to_be32(make_random(state));
		const __be32 daddr = cpu_to_be32(make_random(state));

		t = make_tuple(saddr, ports, daddr, ports >> 16);
	} while (!mbc_tuple_valid(&t));
	return t;
}

void print_hex(FILE *out, const u8 *bytes, size_t n)
{
	while (n--)
		fprintf(out, "%02x", *bytes++);
}

void print_addr(FILE *out, __be32 addr)
{
	const u32 a = be32_to_cpu(addr);

	fprintf(out, "%u.%u.%u.%u", a >> 24, a >> 16 & 0xff, a >> 8 & 0xff,
		a & 0xff);
}
