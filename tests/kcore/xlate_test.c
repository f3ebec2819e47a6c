// SPDX-License-Identifier: GPL-2.0-only
/* Translation against packets whose checksums are summed in full. */
#include "make.h"
#include "packet.h"
#include "test.h"
#include "xlate.h"

#include <linux/string.h>
#include <asm/byteorder.h>

struct pair {
	const char *name;
	u8 from[12], to[12];	/* saddr, daddr, sport, dport */
};

static const struct pair pairs[] = {
	{ "everything changes",
	  { 10, 0, 0, 1, 10, 0, 0, 4, 0x9c, 0x40, 0, 80 },
	  { 10, 0, 0, 2, 10, 0, 0, 3, 0xc3, 0x51, 0xea, 0x61 } },
	{ "nothing changes",
	  { 10, 0, 0, 1, 10, 0, 0, 4, 0x9c, 0x40, 0, 80 },
	  { 10, 0, 0, 1, 10, 0, 0, 4, 0x9c, 0x40, 0, 80 } },
	{ "only a port changes",
	  { 10, 0, 0, 1, 10, 0, 0, 4, 0x9c, 0x40, 0, 80 },
	  { 10, 0, 0, 1, 10, 0, 0, 4, 0x9c, 0x40, 0, 81 } },
	{ "only an address changes",
	  { 10, 0, 0, 1, 10, 0, 0, 4, 0x9c, 0x40, 0, 80 },
	  { 10, 0, 0, 1, 10, 0, 0, 5, 0x9c, 0x40, 0, 80 } },
	{ "a swap changes bytes but no checksum",
	  { 10, 0, 0, 1, 10, 0, 0, 4, 0x9c, 0x40, 0, 80 },
	  { 10, 0, 0, 4, 10, 0, 0, 1, 0, 80, 0x9c, 0x40 } },
	{ "the difference is minus zero",
	  { 10, 0, 0, 1, 10, 0, 0, 4, 0, 2, 0, 1 },
	  { 10, 0, 0, 2, 10, 0, 0, 3, 0, 1, 0, 2 } },
	{ "words of all ones become zeros",
	  { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff },
	  { 0 } },
	{ "words of zeros become all ones",
	  { 0 },
	  { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff } },
	{ "carries run through every word",
	  { 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0 },
	  { 0xff, 0xff, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xff,
	    0x80, 0, 0x7f, 0xff } },
};

static struct mbc_tuple tuple_of(const u8 *b)
{
	struct mbc_tuple t = { .proto = 6 };

	memcpy(&t.saddr, b, 4);
	memcpy(&t.daddr, b + 4, 4);
	memcpy(&t.sport, b + 8, 2);
	memcpy(&t.dport, b + 10, 2);
	return t;
}

static void apply(struct packet *p, const struct mbc_tuple *from,
		  const struct mbc_tuple *to)
{
	struct mbc_xlate x;

	mbc_xlate_init(&x, from, to);
	mbc_xlate_apply(&x, packet_ip(p), packet_tcp(p), p->partial);
}

static void check(const struct mbc_tuple *from, const struct mbc_tuple *to,
		  unsigned int ip_options, unsigned int len, bool partial,
		  u32 *state)
{
	u8 payload[64];
	struct packet p, orig, want;
	unsigned int i;

	for (i = 0; i < len; i++)
		payload[i] = make_random(state);
	packet_make(&orig, from, ip_options, payload, len);
	packet_make(&want, to, ip_options, payload, len);
	orig.partial = want.partial = partial;
	packet_seal(&orig);
	packet_seal(&want);

	p = orig;
	apply(&p, from, to);
	EXPECT(!memcmp(p.bytes, want.bytes, p.len),
	       "%u bytes%s: not what summing anew gives", len,
	       partial ? ", partial" : "");
	apply(&p, to, from);
	EXPECT(!memcmp(p.bytes, orig.bytes, p.len),
	       "%u bytes%s: there and back differs", len,
	       partial ? ", partial" : "");

	/* A packet damaged on the way must not be made whole. */
	packet_tcp(&p)->check ^= 0x0101;
	apply(&p, from, to);
	EXPECT(partial || packet_tcp(&p)->check != packet_tcp(&want)->check,
	       "%u bytes: bad checksum made good", len);
}

static void test_pairs(u32 *state)
{
	unsigned int i, len;

	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct mbc_tuple from = tuple_of(pairs[i].from);
		struct mbc_tuple to = tuple_of(pairs[i].to);

		test_begin("checksums hold when %s", pairs[i].name);
		for (len = 0; len < 64; len++) {
			check(&from, &to, len % 11, len, false, state);
			check(&from, &to, len % 11, len, true, state);
		}
	}
}

static void test_random(u32 *state)
{
	struct mbc_tuple from, to;
	unsigned int i;

	test_begin("checksums hold for 20,000 translations at random");
	for (i = 0; i < 20000; i++) {
		from = make_random_tuple(state);
		to = make_random_tuple(state);
		check(&from, &to, i % 11, i % 64, i & 1, state);
	}
}

/* Every field, every difference out of a sample, against plain arithmetic
 * modulo 65535.
 */
static void test_update(u32 *state)
{
	unsigned int i, diff, want, got;
	u32 check;

	test_begin("an update is an addition modulo 65535");
	for (i = 0; i < 200; i++) {
		diff = i < 2 ? i * 0xffff : make_random(state) & 0xffff;
		for (check = 0; check <= 0xffff; check++) {
			want = ((check ^ 0xffff) + diff) % 0xffff;
			got = mbc_csum_update(check, diff) ^ 0xffff;
			if (got % 0xffff == want)
				continue;
			test_fail(__FILE__, __LINE__, "%#x + %#x: got %#x",
				  check, diff, got);
			return;
		}
	}

	test_begin("a partial sum is an addition modulo 65535");
	for (check = 0; check <= 0xffff; check++) {
		diff = make_random(state) & 0xffff;
		got = mbc_csum_update_partial(check, diff);
		EXPECT_EQ(got % 0xffff, (check + diff) % 0xffff);
	}
}

static void test_no_difference(void)
{
	struct mbc_tuple t = tuple_of(pairs[0].from);
	struct mbc_xlate x;
	u32 check;

	test_begin("no difference leaves any field as it is, minus zero too");
	mbc_xlate_init(&x, &t, &t);
	EXPECT_EQ(x.addr_diff, 0);
	EXPECT_EQ(x.port_diff, 0);
	for (check = 0; check <= 0xffff; check++) {
		EXPECT_EQ(mbc_csum_update(check, x.addr_diff), check);
		EXPECT_EQ(mbc_csum_update_partial(check, x.addr_diff), check);
	}
}

void xlate_test(void)
{
	u32 state = 1;

	test_begin("a translation takes 16 bytes");
	EXPECT_EQ(sizeof(struct mbc_xlate), 16);
	EXPECT_EQ(sizeof(struct mbc_tuple), 16);

	test_pairs(&state);
	test_random(&state);
	test_update(&state);
	test_no_difference();
}
