// SPDX-License-Identifier: GPL-2.0-only
/* Addresses, tuples, keys and numbers for the tests; see make.h. */
#include "make.h"

#include <arpa/inet.h>		/* before <linux/in.h>, which makes way */
#include <stdlib.h>
#include <linux/in.h>
#include <linux/string.h>
#include <asm/byteorder.h>

const char *family_name(u8 family)
{
	return family == AF_INET6 ? "IPv6" : "IPv4";
}

u8 family_of(const char *text)
{
	return strchr(text, ':') ? AF_INET6 : AF_INET;
}

union mbc_addr make_addr(const char *text)
{
	union mbc_addr addr = { .ip6 = { 0 } };

	if (inet_pton(family_of(text), text, &addr) != 1) {
		fprintf(stderr, "parse address %s: invalid\n", text);
		abort();
	}
	return addr;
}

union mbc_addr make_host(u8 family, u16 n)
{
	union mbc_addr addr = { .ip6 = { 0 } };

	if (family == AF_INET) {
		addr.ip = cpu_to_be32(10u << 24 | n);
	} else {
		addr.ip6[0] = cpu_to_be32(0xfd000000);
		addr.ip6[3] = cpu_to_be32(n);
	}
	return addr;
}

struct mbc_tuple make_tuple(u8 family, union mbc_addr saddr, u16 sport,
			    union mbc_addr daddr, u16 dport)
{
	return (struct mbc_tuple){
		.saddr = saddr, .daddr = daddr,
		.sport = cpu_to_be16(sport), .dport = cpu_to_be16(dport),
		.proto = IPPROTO_TCP, .family = family,
	};
}

u8 *make_header(const u8 *options, unsigned int n)
{
	const unsigned int bare = 20;
	u8 *th = calloc(1, bare + n);	/* ASan guards its end */

	memcpy(th + bare, options, n);
	return th;
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

static union mbc_addr random_addr(u8 family, u32 *state)
{
	union mbc_addr addr = { .ip6 = { 0 } };
	unsigned int i;

	for (i = 0; i < mbc_addr_len(family) / 4; i++)
		addr.ip6[i] = cpu_to_be32(make_random(state));
	return addr;
}

struct mbc_tuple make_random_tuple(u8 family, u32 *state)
{
	struct mbc_tuple t;

	do {
		/* One at a time: arguments have no order. */
		const u32 ports = make_random(state);
		const union mbc_addr saddr = random_addr(family, state);
		const union mbc_addr daddr = random_addr(family, state);

		t = make_tuple(family, saddr, ports, daddr, ports >> 16);
	} while (!mbc_tuple_valid(&t));
	return t;
}

void make_total(struct mbc_nf_type *type)
{
	unsigned int i, slot;

	for (slot = 0; slot < MBC_N_ADDRS; slot++) {
		type->total_weight[slot] = 0;
		for (i = 0; i < type->n_instances; i++)
			if (type->instances[i].has & BIT(slot))
				type->total_weight[slot] +=
					type->instances[i].weight;
	}
}

void print_hex(FILE *out, const u8 *bytes, size_t n)
{
	while (n--)
		fprintf(out, "%02x", *bytes++);
}

void print_addr(FILE *out, const union mbc_addr *addr, u8 family)
{
	char text[INET6_ADDRSTRLEN];

	fputs(inet_ntop(family, addr, text, sizeof(text)), out);
}
