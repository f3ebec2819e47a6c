// SPDX-License-Identifier: GPL-2.0-only
/*
 * Translation. The input: CHECKSUM_PARTIAL, options and the family (bits 0, 1
 * to 6, 7), both tuples, then the payload.
 */
#include "fuzz.h"
#include "make.h"
#include "packet.h"

#include <linux/string.h>

#define MAX_PAYLOAD 1500

static union mbc_addr take_addr(struct fuzz_input *in, u8 family)
{
	union mbc_addr addr = { .ip6 = { 0 } };
	unsigned int i;

	for (i = 0; i < mbc_addr_len(family); i++)
		((u8 *)&addr)[i] = fuzz_take(in, 1);
	return addr;
}

static struct mbc_tuple take_tuple(struct fuzz_input *in, u8 family)
{
	const union mbc_addr saddr = take_addr(in, family);
	const union mbc_addr daddr = take_addr(in, family);
	const u16 sport = fuzz_take(in, 2), dport = fuzz_take(in, 2);

	return make_tuple(family, saddr, sport, daddr, dport);
}

void fuzz_xlate(const u8 *data, size_t len)
{
	static struct packet p, orig, want;
	struct fuzz_input in = { data, len };
	const u8 first = fuzz_take(&in, 1);
	const u8 family = first & 0x80 ? AF_INET6 : AF_INET;
	const unsigned int options = (first >> 1 & 63) % 11;
	const struct mbc_tuple from = take_tuple(&in, family);
	const struct mbc_tuple to = take_tuple(&in, family);
	struct mbc_tuple got;
	struct translation t;

	if (in.len > MAX_PAYLOAD)
		in.len = MAX_PAYLOAD;
	packet_make(&orig, &from, options, in.data, in.len);
	packet_make(&want, &to, options, in.data, in.len);
	orig.partial = want.partial = first & 1;
	packet_seal(&orig);
	packet_seal(&want);

	p = orig;
	translation_init(&t, &from, &to);
	packet_xlate(&p, &t);
	got = packet_tuple(&p);
	MUST(mbc_tuple_equal(&got, &to));
	MUST(!memcmp(p.bytes, want.bytes, p.len));

	translation_init(&t, &to, &from);
	packet_xlate(&p, &t);
	MUST(!memcmp(p.bytes, orig.bytes, p.len));
}
