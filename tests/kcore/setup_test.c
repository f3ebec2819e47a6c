// SPDX-License-Identifier: GPL-2.0-only
/*
 * The set-up header: golden bytes, there and back, keys, freshness. What it
 * refuses is in crafted.c.
 */
#include "make.h"
#include "setup.h"
#include "test.h"

#include <stdlib.h>
#include <linux/string.h>

static const u8 secret[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
};

static struct mbc_key golden_key(void)
{
	return (struct mbc_key){ .id = 7, .secret = make_key(secret) };
}

static struct mbc_setup golden_setup(void)
{
	struct mbc_setup s = {
		.key_id = 7,
		.time = 1700000000,
		.super = make_tuple(make_addr(10, 0, 0, 1), 40000,
				    make_addr(10, 0, 0, 4), 80),
		.n_hops = 2,
		.hops = { make_addr(10, 0, 0, 2), make_addr(10, 0, 0, 4) },
	};
	unsigned int i;

	for (i = 0; i < MBC_ID_LEN; i++)
		s.id[i] = 0xa0 + i;
	return s;
}

/* The fields of the golden header, in the order of its bytes. */
static const struct {
	u8 len;
	const char *name;
} fields[] = {
	{ 4, "magic, \"mbch\"" },
	{ 1, "version, 1" },
	{ 1, "flags, 0" },
	{ 2, "length, 64: all of the header" },
	{ 4, "key id, 7" },
	{ 4, "time, 1700000000" },
	{ 16, "session id" },
	{ 1, "protocol, 6: TCP" },
	{ 1, "family, 4: IPv4" },
	{ 1, "number of hops, 2" },
	{ 1, "reserved, 0" },
	{ 4, "client's address, 10.0.0.1" },
	{ 4, "server's address, 10.0.0.4" },
	{ 2, "client's port, 40000" },
	{ 2, "server's port, 80" },
	{ 4, "hop, 10.0.0.2: the receiver" },
	{ 4, "hop, 10.0.0.4: the server" },
	{ 8, "MAC, SipHash-2-4 of the 56 bytes before it, little-endian" },
};

void golden_print(FILE *out)
{
	const struct mbc_setup s = golden_setup();
	const struct mbc_key key = golden_key();
	u8 buf[MBC_SETUP_MAX];
	unsigned int i, at = 0;

	fprintf(out, "# SPDX-License-Identifier: GPL-2.0-only\n"
		"# Golden bytes of a set-up header, as 10.0.0.1 sends it to 10.0.0.2:\n"
		"# offset, bytes, field. Made by `kcore --print setup`.\n"
		"# key 7 is ");
	print_hex(out, secret, sizeof(secret));
	fputc('\n', out);
	mbc_setup_encode(&s, &key, buf);
	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		fprintf(out, "%2u ", at);
		print_hex(out, buf + at, fields[i].len);
		fprintf(out, "%*s %s\n", 32 - 2 * fields[i].len, "",
			fields[i].name);
		at += fields[i].len;
	}
}

/* Not memcmp: there is padding behind n_hops. */
static bool same(const struct mbc_setup *a, const struct mbc_setup *b)
{
	return !memcmp(a->id, b->id, sizeof(a->id)) &&
	       a->key_id == b->key_id && a->time == b->time &&
	       mbc_tuple_equal(&a->super, &b->super) &&
	       a->n_hops == b->n_hops &&
	       !memcmp(a->hops, b->hops, sizeof(a->hops));
}

static void test_golden(void)
{
	const struct mbc_setup want = golden_setup();
	const struct mbc_key key = golden_key();
	struct mbc_setup got;
	u8 buf[MBC_SETUP_MAX];

	test_begin("the bytes are those of testdata/setup.golden");
	test_file("testdata/setup.golden", golden_print);

	test_begin("the golden header decodes to its fields");
	EXPECT_EQ(mbc_setup_encode(&want, &key, buf), mbc_setup_len(2));
	EXPECT(mbc_setup_probe(buf, 4), "probe says no");
	EXPECT_EQ(mbc_setup_decode(&got, buf, mbc_setup_len(2), &key, 1,
				   want.time, 0), MBC_REASON_NONE);
	EXPECT(same(&got, &want), "fields differ");
}

static void test_round_trip(void)
{
	const struct mbc_key key = golden_key();
	struct mbc_setup s, got;
	unsigned int n, i, len;
	u32 state = 3;

	for (n = 1; n <= MBC_MAX_HOPS; n++) {
		test_begin("a header with %u hops comes back as it went", n);
		s = golden_setup();
		s.n_hops = n;
		for (i = 0; i < MBC_MAX_HOPS; i++)
			s.hops[i] = i < n ? make_random_tuple(&state).saddr : 0;
		s.super = make_random_tuple(&state);
		s.time = make_random(&state);

		len = mbc_setup_len(n);
		u8 *buf = malloc(len);	/* ASan guards its end */

		EXPECT_EQ(mbc_setup_encode(&s, &key, buf), len);
		EXPECT_EQ(mbc_setup_decode(&got, buf, len, &key, 1, s.time, 0),
			  MBC_REASON_NONE);
		EXPECT(same(&got, &s), "fields differ");
		free(buf);
	}
}

/* Whatever single bit changes on the way, the header is refused. */
static void test_every_bit(void)
{
	const struct mbc_setup s = golden_setup();
	const struct mbc_key key = golden_key();
	struct mbc_setup got;
	u8 buf[MBC_SETUP_MAX];
	const unsigned int len = mbc_setup_encode(&s, &key, buf);
	unsigned int bit;
	enum mbc_reason reason;

	test_begin("no bit can change unnoticed");
	for (bit = 32; bit < 8 * len; bit++) {
		buf[bit / 8] ^= 1 << bit % 8;
		reason = mbc_setup_decode(&got, buf, len, &key, 1, s.time, 60);
		EXPECT(reason >= MBC_REASON_HDR_TRUNCATED &&
		       reason <= MBC_REASON_HDR_MAC,
		       "bit %u: reason %u", bit, reason);
		buf[bit / 8] ^= 1 << bit % 8;
	}
}

static void test_keys(void)
{
	struct mbc_setup s = golden_setup(), got;
	struct mbc_key keys[MBC_MAX_KEYS];
	u8 buf[MBC_SETUP_MAX];
	unsigned int i, len;

	for (i = 0; i < MBC_MAX_KEYS; i++) {
		keys[i] = golden_key();
		keys[i].id = 100 + i;
		keys[i].secret.key[1] += i;
	}

	test_begin("every key of a rotation verifies what it signed");
	for (i = 0; i < MBC_MAX_KEYS; i++) {
		len = mbc_setup_encode(&s, &keys[i], buf);
		EXPECT_EQ(mbc_setup_decode(&got, buf, len, keys, MBC_MAX_KEYS,
					   s.time, 0), MBC_REASON_NONE);
		EXPECT_EQ(got.key_id, 100 + i);
	}

	test_begin("a key that is gone verifies nothing");
	EXPECT_EQ(mbc_setup_decode(&got, buf, len, keys, MBC_MAX_KEYS - 1,
				   s.time, 0), MBC_REASON_HDR_KEY);

	test_begin("without keys nothing verifies");
	EXPECT_EQ(mbc_setup_decode(&got, buf, len, NULL, 0, s.time, 0),
		  MBC_REASON_HDR_KEY);
}

static void test_freshness(void)
{
	static const struct {
		const char *name;
		u32 time, now, freshness;
		bool want;
	} rows[] = {
		{ "the same second", 5, 5, 0, true },
		{ "one second old, none allowed", 4, 5, 0, false },
		{ "one second ahead, none allowed", 6, 5, 0, false },
		{ "as old as allowed", 1000, 1060, 60, true },
		{ "older than allowed", 1000, 1061, 60, false },
		{ "as far ahead as allowed", 1060, 1000, 60, true },
		{ "farther ahead than allowed", 1061, 1000, 60, false },
		{ "old across the wrap", 0xffffffff, 59, 60, true },
		{ "too old across the wrap", 0xffffffff, 60, 60, false },
		{ "ahead across the wrap", 59, 0xffffffff, 60, true },
		{ "too far ahead across the wrap", 60, 0xffffffff, 60, false },
		{ "half of time away", 0x80000000, 0, 3600, false },
	};
	const struct mbc_key key = golden_key();
	struct mbc_setup s = golden_setup(), got;
	u8 buf[MBC_SETUP_MAX];
	unsigned int i, len;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		test_begin("%s is %s", rows[i].name,
			   rows[i].want ? "fresh" : "stale");
		s.time = rows[i].time;
		len = mbc_setup_encode(&s, &key, buf);
		EXPECT_EQ(mbc_setup_decode(&got, buf, len, &key, 1, rows[i].now,
					   rows[i].freshness),
			  rows[i].want ? MBC_REASON_NONE :
			  MBC_REASON_HDR_STALE);
	}
}

void setup_test(void)
{
	test_golden();
	test_round_trip();
	test_every_bit();
	test_keys();
	test_freshness();
}
