// SPDX-License-Identifier: GPL-2.0-only
/*
 * Translation. The input: options and CHECKSUM_PARTIAL, both tuples, then the
 * payload.
 */
#include "fuzz.h"
#include "make.h"
#include "packet.h"
#include "xlate.h"

#include <linux/string.h>

#define MAX_PAYLOAD 1500

static struct mbc_tuple take_tuple(struct fuzz_input *in)
{
	const __be32 saddr = fuzz_take(in, 4), daddr = fuzz_take(in, 4);
	const u16 sport = fuzz_take(in, 2), dport = fuzz_take(in, 2);

	return make_tuple(saddr, sport, daddr, dport);
}

void fuzz_xlate(const u8 *data, size_t len)
{
	static struct packet p, orig, want;
	struct fuzz_input in = { data, len };
	const u8 first = fuzz_take(&in, 1);
	const struct mbc_tuple from = take_tuple(&in), to = take_tuple(&in);
	struct mbc_tuple got;
	struct mbc_xlate x;

	if (in.len > MAX_PAYLOAD)
		in.len = MAX_PAYLOAD;
	packet_make(&orig, &from, (first >> 1) % 11, in.data, in.len);
	packet_make(&want, &to, (first >> 1) % 11, in.data, in.len);
	orig.partial = want.partial = first & 1;
	packet_seal(&orig);
	packet_seal(&want);

	p = orig;
	mbc_xlate_init(&x, &from, &to);
	mbc_xlate_apply(&x, packet_ip(&p), packet_tcp(&p), p.partial);
	got = packet_tuple(&p);
	MUST(mbc_tuple_equal(&got, &to));
	MUST(!memcmp(p.bytes, want.bytes, p.len));

	mbc_xlate_init(&x, &to, &from);
	mbc_xlate_apply(&x, packet_ip(&p), packet_tcp(&p), p.partial);
	MUST(!memcmp(p.bytes, orig.bytes, p.len));
}
