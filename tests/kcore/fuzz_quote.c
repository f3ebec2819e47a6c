// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quotes of ICMP errors. The input: the family (bit 7) and where a number that
 * the other tuple is made from begins (two bytes), then the quote.
 */
#include "fuzz.h"
#include "make.h"
#include "quote.h"

#include <stdlib.h>
#include <linux/in.h>
#include <linux/string.h>

/* Fields that are checksums: 0 and 0xffff are the same number in them. */
static void same_sum(u8 *a, u8 *b, unsigned int off)
{
	u32 x = a[off] << 8 | a[off + 1], y = b[off] << 8 | b[off + 1];

	MUST(x % 0xffff == y % 0xffff);
	memset(a + off, 0, 2);
	memset(b + off, 0, 2);
}

static void check_parsed(const struct mbc_quote *q, u8 family,
			 unsigned int len)
{
	MUST(q->tuple.family == family);
	MUST(q->tuple.proto == IPPROTO_TCP || q->tuple.proto == IPPROTO_UDP);
	MUST(q->l4_off >= (family == AF_INET ? 20 : 40));
	MUST(q->l4_off + 8 <= MBC_QUOTE_PEEK);
	MUST(q->l4_off + 8 <= len);
	MUST(!q->check_off || (q->check_off > q->l4_off &&
			       q->check_off + 2 <= len));
}

/* There it is what we asked for, and back it is what it was. */
static void check_translated(struct mbc_quote *q, u8 *data, unsigned int len,
			     u32 seed)
{
	const struct mbc_tuple from = q->tuple;
	struct mbc_tuple to = make_random_tuple(from.family, &seed);
	u8 *orig = fuzz_copy(data, len);
	struct mbc_quote again;

	to.proto = from.proto;
	mbc_quote_translate(q, data, &to);
	MUST(mbc_tuple_equal(&q->tuple, &to));
	MUST(mbc_quote_parse(&again, from.family, data, len));
	MUST(mbc_tuple_equal(&again.tuple, &to));
	MUST(again.l4_off == q->l4_off && again.check_off == q->check_off);

	mbc_quote_translate(q, data, &from);
	if (from.family == AF_INET)
		same_sum(data, orig, 10);
	if (q->check_off)
		same_sum(data, orig, q->check_off);
	MUST(!memcmp(data, orig, len));
	free(orig);
}

void fuzz_quote(const u8 *data, size_t len)
{
	struct fuzz_input in = { data, len };
	const u8 family = fuzz_take(&in, 1) & 0x80 ? AF_INET6 : AF_INET;
	const u32 seed = fuzz_take(&in, 2) + 1;
	u8 *copy = fuzz_copy(in.data, in.len);
	struct mbc_quote q;

	if (mbc_quote_parse(&q, family, copy, in.len)) {
		check_parsed(&q, family, in.len);
		check_translated(&q, copy, in.len, seed);
	}
	free(copy);
}
