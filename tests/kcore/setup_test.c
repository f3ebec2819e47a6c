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

static struct mbc_setup golden_setup(u8 family)
{
	struct mbc_setup s = {
		.key_id = 7,
		.time = 1700000000,
		.super = make_tuple(family, make_host(family, 1), 40000,
				    make_host(family, 4), 80),
		.n_hops = 2,
		.hops = { make_host(family, 2), make_host(family, 4) },
	};
	unsigned int i;

	for (i = 0; i < MBC_ID_LEN; i++)
		s.id[i] = 0xa0 + i;
	return s;
}

/* The fields of a golden header, in the order of its bytes. */
static const struct {
	u8 len;			/* 0: that of an address */
	const char *name;
	const char *name6;	/* NULL: the same for IPv6 */
} fields[] = {
	{ 4, "magic, \"mbch\"", NULL },
	{ 1, "version, 1", NULL },
	{ 1, "flags, 0", NULL },
	{ 2, "length, 64: all of the header",
	  "length, 112: all of the header" },
	{ 4, "key id, 7", NULL },
	{ 4, "time, 1700000000", NULL },
	{ 16, "session id", NULL },
	{ 1, "protocol, 6: TCP", NULL },
	{ 1, "family, 4: IPv4", "family, 6: IPv6" },
	{ 1, "number of hops, 2", NULL },
	{ 1, "reserved, 0", NULL },
	{ 0, "client's address, 10.0.0.1", "client's address, fd00::1" },
	{ 0, "server's address, 10.0.0.4", "server's address, fd00::4" },
	{ 2, "client's port, 40000", NULL },
	{ 2, "server's port, 80", NULL },
	{ 0, "hop, 10.0.0.2: the receiver", "hop, fd00::2: the receiver" },
	{ 0, "hop, 10.0.0.4: the server", "hop, fd00::4: the server" },
	{ 8, "MAC, SipHash-2-4 of the 56 bytes before it, little-endian",
	  "MAC, SipHash-2-4 of the 104 bytes before it, little-endian" },
};

static void print_fields(FILE *out, u8 family)
{
	const struct mbc_setup s = golden_setup(family);
	const struct mbc_key key = golden_key();
	const bool six = family == AF_INET6;
	u8 buf[MBC_SETUP_MAX];
	unsigned int i, n, at = 0;

	mbc_setup_encode(&s, &key, buf);
	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		n = fields[i].len ? fields[i].len : mbc_addr_len(family);
		fprintf(out, "%*u ", six ? 3 : 2, at);
		print_hex(out, buf + at, n);
		fprintf(out, "%*s %s\n", 32 - 2 * n, "",
			six && fields[i].name6 ? fields[i].name6 :
						 fields[i].name);
		at += n;
	}
}

void golden_print(FILE *out)
{
	fprintf(out, "# SPDX-License-Identifier: GPL-2.0-only\n"
		"# Golden bytes of a set-up header, as 10.0.0.1 sends it to 10.0.0.2:\n"
		"# offset, bytes, field. Made by `kcore --print setup`.\n"
		"# key 7 is ");
	print_hex(out, secret, sizeof(secret));
	fputc('\n', out);
	print_fields(out, AF_INET);
	fputs("#\n# And as fd00::1 sends it to fd00::2:\n", out);
	print_fields(out, AF_INET6);
}

/* Not memcmp: there is padding behind n_hops. */
static bool same(const struct mbc_setup *a, const struct mbc_setup *b)
{
	return !memcmp(a->id, b->id, sizeof(a->id)) &&
	       a->key_id == b->key_id && a->time == b->time &&
	       !memcmp(&a->super, &b->super, sizeof(a->super)) &&
	       a->n_hops == b->n_hops &&
	       !memcmp(a->hops, b->hops, sizeof(a->hops));
}

static void test_golden(u8 family)
{
	const struct mbc_setup want = golden_setup(family);
	const unsigned int len = mbc_setup_len(family, 2);
	const struct mbc_key key = golden_key();
	struct mbc_setup got;
	u8 buf[MBC_SETUP_MAX];

	test_begin("%s: the golden header decodes to its fields",
		   family_name(family));
	EXPECT_EQ(mbc_setup_encode(&want, &key, buf), len);
	EXPECT(mbc_setup_probe(buf, 4), "probe says no");
	EXPECT_EQ(mbc_setup_decode(&got, family, buf, len, &key, 1, want.time,
				   0), MBC_REASON_NONE);
	EXPECT(same(&got, &want), "fields differ");
}

static void test_lengths(void)
{
	static const struct {
		u8 family;
		unsigned int n_hops, want;
	} rows[] = {
		{ AF_INET, 0, 56 }, { AF_INET, 1, 60 }, { AF_INET, 16, 120 },
		{ AF_INET6, 0, 80 }, { AF_INET6, 1, 96 }, { AF_INET6, 16, 336 },
	};
	unsigned int i;

	test_begin("a header's length goes by family and number of hops");
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT_EQ(mbc_setup_len(rows[i].family, rows[i].n_hops),
			  rows[i].want);
	EXPECT_EQ(MBC_SETUP_MAX, 336);
}

static void test_round_trip(u8 family)
{
	const struct mbc_key key = golden_key();
	struct mbc_setup s, got;
	unsigned int n, i, len;
	u32 state = 3;

	for (n = 1; n <= MBC_MAX_HOPS; n++) {
		test_begin("%s: a header with %u hops comes back as it went",
			   family_name(family), n);
		s = golden_setup(family);
		s.n_hops = n;
		memset(s.hops, 0, sizeof(s.hops));
		for (i = 0; i < n; i++)
			s.hops[i] = make_random_tuple(family, &state).saddr;
		s.super = make_random_tuple(family, &state);
		s.time = make_random(&state);

		len = mbc_setup_len(family, n);
		u8 *buf = malloc(len);	/* ASan guards its end */

		EXPECT_EQ(mbc_setup_encode(&s, &key, buf), len);
		memset(&got, 0xff, sizeof(got));
		EXPECT_EQ(mbc_setup_decode(&got, family, buf, len, &key, 1,
					   s.time, 0), MBC_REASON_NONE);
		EXPECT(same(&got, &s), "fields differ");
		free(buf);
	}
}

/* Whatever single bit changes on the way, the header is refused. */
static void test_every_bit(u8 family)
{
	const struct mbc_setup s = golden_setup(family);
	const struct mbc_key key = golden_key();
	struct mbc_setup got;
	u8 buf[MBC_SETUP_MAX];
	const unsigned int len = mbc_setup_encode(&s, &key, buf);
	unsigned int bit;
	enum mbc_reason reason;

	test_begin("%s: no bit can change unnoticed", family_name(family));
	for (bit = 32; bit < 8 * len; bit++) {
		buf[bit / 8] ^= 1 << bit % 8;
		reason = mbc_setup_decode(&got, family, buf, len, &key, 1,
					  s.time, 60);
		EXPECT(reason >= MBC_REASON_HDR_TRUNCATED &&
		       reason <= MBC_REASON_HDR_MAC,
		       "bit %u: reason %u", bit, reason);
		buf[bit / 8] ^= 1 << bit % 8;
	}
}

static void test_keys(void)
{
	struct mbc_setup s = golden_setup(AF_INET), got;
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
		EXPECT_EQ(mbc_setup_decode(&got, AF_INET, buf, len, keys,
					   MBC_MAX_KEYS, s.time, 0),
			  MBC_REASON_NONE);
		EXPECT_EQ(got.key_id, 100 + i);
	}

	test_begin("a key that is gone verifies nothing");
	EXPECT_EQ(mbc_setup_decode(&got, AF_INET, buf, len, keys,
				   MBC_MAX_KEYS - 1, s.time, 0),
		  MBC_REASON_HDR_KEY);

	test_begin("without keys nothing verifies");
	EXPECT_EQ(mbc_setup_decode(&got, AF_INET, buf, len, NULL, 0, s.time,
				   0), MBC_REASON_HDR_KEY);
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
	struct mbc_setup s = golden_setup(AF_INET), got;
	u8 buf[MBC_SETUP_MAX];
	unsigned int i, len;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		test_begin("%s is %s", rows[i].name,
			   rows[i].want ? "fresh" : "stale");
		s.time = rows[i].time;
		len = mbc_setup_encode(&s, &key, buf);
		EXPECT_EQ(mbc_setup_decode(&got, AF_INET, buf, len, &key, 1,
					   rows[i].now, rows[i].freshness),
			  rows[i].want ? MBC_REASON_NONE :
			  MBC_REASON_HDR_STALE);
	}
}

void setup_test(void)
{
	unsigned int i;

	test_begin("the bytes are those of testdata/setup.golden");
	test_file("testdata/setup.golden", golden_print);

	test_lengths();
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		test_golden(families[i]);
		test_round_trip(families[i]);
		test_every_bit(families[i]);
	}
	test_keys();
	test_freshness();
}
