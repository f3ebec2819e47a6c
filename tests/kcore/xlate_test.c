// SPDX-License-Identifier: GPL-2.0-only
/* Translation against packets whose checksums are summed in full. */
#include "make.h"
#include "packet.h"
#include "test.h"
#include "xlate.h"

#include <linux/in.h>
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

static const u8 protos[] = { IPPROTO_TCP, IPPROTO_UDP };

static const char *proto_name(u8 proto)
{
	return proto == IPPROTO_TCP ? "TCP" : "UDP";
}

/* @words: which of the four words of an IPv6 address are those of the pair; a
 * bit each, the others 0.
 */
static struct mbc_tuple tuple_of(u8 family, u8 proto, const u8 *b,
				 unsigned int words)
{
	struct mbc_tuple t = { .proto = proto, .family = family };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		if (!(words & 1 << i))
			continue;
		memcpy(&t.saddr.ip6[i], b, 4);
		memcpy(&t.daddr.ip6[i], b + 4, 4);
	}
	memcpy(&t.sport, b + 8, 2);
	memcpy(&t.dport, b + 10, 2);
	return t;
}

static void apply(struct packet *p, const struct mbc_tuple *from,
		  const struct mbc_tuple *to)
{
	struct translation t;

	translation_init(&t, from, to);
	packet_xlate(p, &t);
}

static void check(const struct mbc_tuple *from, const struct mbc_tuple *to,
		  unsigned int options, unsigned int len, bool partial,
		  u32 *state)
{
	u8 payload[64];
	struct packet p, orig, want;
	unsigned int i;

	for (i = 0; i < len; i++)
		payload[i] = make_random(state);
	packet_make(&orig, from, options, payload, len);
	packet_make(&want, to, options, payload, len);
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
	*packet_check(&p) ^= 0x0101;
	apply(&p, from, to);
	EXPECT(partial || *packet_check(&p) != *packet_check(&want),
	       "%u bytes: bad checksum made good", len);
}

static void test_pairs(u8 family, u8 proto, u32 *state)
{
	static const u8 masks[] = { 1, 2, 4, 8, 5, 15 };
	const unsigned int n_masks = family == AF_INET ? 1 : ARRAY_SIZE(masks);
	unsigned int i, m, len;

	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		test_begin("%s, %s: checksums hold when %s", family_name(family),
			   proto_name(proto), pairs[i].name);
		for (m = 0; m < n_masks; m++) {
			const struct mbc_tuple
				from = tuple_of(family, proto, pairs[i].from,
						masks[m]),
				to = tuple_of(family, proto, pairs[i].to,
					      masks[m]);

			for (len = 0; len < 64; len++) {
				check(&from, &to, len % 11, len, false, state);
				check(&from, &to, len % 11, len, true, state);
			}
		}
	}
}

static void test_random(u8 family, u8 proto, u32 *state)
{
	struct mbc_tuple from, to;
	unsigned int i;

	test_begin("%s, %s: checksums hold for 20,000 translations at random",
		   family_name(family), proto_name(proto));
	for (i = 0; i < 20000; i++) {
		from = make_random_tuple(family, state);
		to = make_random_tuple(family, state);
		from.proto = to.proto = proto;
		check(&from, &to, i % 11, i % 64, i & 1, state);
	}
}

/* CHECKSUM_COMPLETE: the IPv4 header sums to nothing, so what the pseudo header
 * gains the rest of the packet loses; IPv6 addresses are in the packet's sum,
 * which stays.
 */
static void test_complete(u8 family, u8 proto, u32 *state)
{
	struct mbc_tuple from, to;
	struct translation t;
	struct packet p;
	unsigned int i, want;

	test_begin("%s, %s: the sum over a whole packet %s",
		   family_name(family), proto_name(proto),
		   family == AF_INET ? "goes down by diff.addr" : "stays");
	for (i = 0; i < 1000; i++) {
		from = make_random_tuple(family, state);
		to = make_random_tuple(family, state);
		from.proto = to.proto = proto;
		packet_make(&p, &from, i % 11, (u8 *)state, sizeof(*state));
		packet_seal(&p);
		translation_init(&t, &from, &to);
		want = packet_sum(&p);
		if (family == AF_INET)
			want += 0xffff - be16_to_cpu((u16)t.x.diff.addr);
		packet_xlate(&p, &t);
		EXPECT_EQ(packet_sum(&p) % 0xffff, want % 0xffff);
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

/* RFC 768: 0 is no checksum. */
static void test_udp_without_checksum(u32 *state)
{
	struct mbc_tuple from = make_random_tuple(AF_INET, state);
	struct mbc_tuple to = make_random_tuple(AF_INET, state);
	struct packet p;

	test_begin("UDP without a checksum stays without one");
	from.proto = to.proto = IPPROTO_UDP;
	packet_make(&p, &from, 0, (u8 *)state, sizeof(*state));
	packet_seal(&p);
	*packet_check(&p) = 0;
	apply(&p, &from, &to);
	EXPECT_EQ(*packet_check(&p), 0);
}

static void test_no_difference(u8 family)
{
	struct mbc_tuple t = tuple_of(family, IPPROTO_TCP, pairs[0].from, 1);
	struct mbc_tuple back = mbc_tuple_reverse(&t);
	struct mbc_diff diff;
	u32 check;

	test_begin("%s: no difference leaves any field as it is, minus zero too",
		   family_name(family));
	mbc_diff_init(&diff, &t, &back);
	EXPECT_EQ(diff.addr, 0);
	EXPECT_EQ(diff.all, 0);
	for (check = 0; check <= 0xffff; check++) {
		EXPECT_EQ(mbc_csum_update(check, diff.addr), check);
		EXPECT_EQ(mbc_csum_update_partial(check, diff.addr), check);
	}
}

/* Two translations one after the other, and both in one. */
static void test_join(u32 *state)
{
	struct mbc_tuple a, b, c, to_b, to_c;
	struct mbc_diff first, second, both, joined;
	unsigned int i;

	test_begin("two translations joined are one");
	for (i = 0; i < 20000; i++) {
		a = make_random_tuple(AF_INET, state);
		b = make_random_tuple(AF_INET, state);
		c = i & 1 ? a : make_random_tuple(AF_INET, state);
		to_b = mbc_tuple_reverse(&b);
		to_c = mbc_tuple_reverse(&c);
		mbc_diff_init(&first, &a, &to_b);
		mbc_diff_init(&second, &b, &to_c);
		mbc_diff_init(&both, &a, &to_c);
		joined = mbc_diff_join(first, second);
		EXPECT_EQ(joined.addr, both.addr);
		EXPECT_EQ(joined.all, both.all);
	}
}

void xlate_test(void)
{
	unsigned int i, j;
	u32 state = 1;

	test_begin("what a session keeps of a translation takes 4 bytes");
	EXPECT_EQ(sizeof(struct mbc_diff), 4);
	test_join(&state);

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		for (j = 0; j < ARRAY_SIZE(protos); j++) {
			test_pairs(families[i], protos[j], &state);
			test_random(families[i], protos[j], &state);
			test_complete(families[i], protos[j], &state);
		}
		test_no_difference(families[i]);
	}
	test_udp_without_checksum(&state);
	test_update(&state);
}
