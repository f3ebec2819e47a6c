// SPDX-License-Identifier: GPL-2.0-only
/* Quoted packets, cut at every length, against packets summed in full. */
#include "make.h"
#include "packet.h"
#include "quote.h"
#include "test.h"

#include <linux/in.h>
#include <linux/string.h>
#include <asm/byteorder.h>

#define L4 48	/* of the packets below: bytes in front of TCP */

static struct mbc_tuple from_of(u8 family)
{
	return make_tuple(family, make_host(family, 1), 40000,
			  make_host(family, 4), 80);
}

static struct mbc_tuple to_of(u8 family)
{
	return make_tuple(family, make_host(family, 2), 51234,
			  make_host(family, 3), 20981);
}

/* With options of seven words, or one extension header. */
static void make(struct packet *p, const struct mbc_tuple *t)
{
	static const u8 payload[] = "some data, of odd length";

	packet_make(p, t, t->family == AF_INET ? 7 : 1, payload,
		    sizeof(payload));
	packet_seal(p);
}

static void test_cuts(u8 family)
{
	const struct mbc_tuple from = from_of(family), to = to_of(family);
	struct packet orig, want, p;
	struct mbc_quote q;
	unsigned int len;
	bool parsed;

	test_begin("%s: a quote cut anywhere is translated as far as it goes",
		   family_name(family));
	make(&orig, &from);
	make(&want, &to);
	EXPECT_EQ(orig.l4_at, L4);
	for (len = 0; len <= orig.len; len++) {
		p = orig;
		/* What is cut off must not be read: it would be seen. */
		memset(p.bytes + len, 0x5a, sizeof(p.bytes) - len);
		parsed = mbc_quote_parse(&q, family, p.bytes, len);
		EXPECT(parsed == (len >= L4 + 8), "%u bytes", len);
		if (!parsed)
			continue;
		EXPECT(mbc_tuple_equal(&q.tuple, &from), "%u bytes: tuple", len);
		EXPECT_EQ(q.l4_off, L4);
		EXPECT_EQ(q.check_off, len >= L4 + 18 ? L4 + 16 : 0);
		mbc_quote_translate(&q, p.bytes, &to);
		/* Half a checksum stays. */
		EXPECT(!memcmp(p.bytes, want.bytes, len - (len == L4 + 17)),
		       "%u bytes: not those of the packet there", len);
		EXPECT(p.bytes[len] == 0x5a && p.bytes[len + 1] == 0x5a,
		       "%u bytes: wrote behind them", len);
	}
}

static void test_udp(u8 family)
{
	static const struct {
		u8 before[2], after[2];
	} rows[] = {
		{ { 0, 0 }, { 0, 0 } },
		{ { 0x12, 0x34 }, { 0x12, 0x33 } },
		{ { 0, 1 }, { 0xff, 0xff } },
		{ { 0xff, 0xff }, { 0xff, 0xfe } },
	};
	struct mbc_tuple from = from_of(family), to;
	struct mbc_quote q;
	struct packet p;
	unsigned int i;

	test_begin("%s: a UDP checksum is none, or never 0",
		   family_name(family));
	from.proto = IPPROTO_UDP;
	to = from;
	to.dport = cpu_to_be16(81);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		make(&p, &from);
		memcpy(p.bytes + L4 + 6, rows[i].before, 2);
		EXPECT(mbc_quote_parse(&q, family, p.bytes, L4 + 8),
		       "row %u: not parsed", i);
		EXPECT_EQ(q.check_off, L4 + 6);
		mbc_quote_translate(&q, p.bytes, &to);
		EXPECT(!memcmp(p.bytes + L4 + 6, rows[i].after, 2),
		       "row %u: %02x%02x", i, p.bytes[L4 + 6],
		       p.bytes[L4 + 7]);
	}
}

struct patch {
	const char *name;
	u8 at, value;
};

static void test_refused(u8 family, const struct patch *rows, unsigned int n)
{
	const struct mbc_tuple from = from_of(family);
	struct mbc_quote q;
	struct packet p;
	unsigned int i;

	for (i = 0; i < n; i++) {
		test_begin("%s: no quote of ours: %s", family_name(family),
			   rows[i].name);
		make(&p, &from);
		p.bytes[rows[i].at] = rows[i].value;
		EXPECT(!mbc_quote_parse(&q, family, p.bytes, p.len), "parsed");
	}
}

static const struct patch refused4[] = {
	{ "version 6", 0, 0x6c },
	{ "version 0", 0, 0x0c },
	{ "a header of 16 bytes", 0, 0x44 },
	{ "a later fragment", 7, 1 },
	{ "the last of many fragments", 6, 0x1f },
	{ "ICMP", 9, IPPROTO_ICMP },
	{ "SCTP", 9, 132 },
};

/* The extension header is at 40, hop-by-hop options. */
static const struct patch refused6[] = {
	{ "version 4", 0, 0x40 },
	{ "ICMPv6", 6, 58 },
	{ "no next header", 6, 59 },
	{ "ESP", 6, 50 },
	{ "mobility", 6, 135 },
	{ "ICMPv6 behind an extension header", 40, 58 },
	{ "an extension header as long as can be", 41, 255 },
	{ "an extension header that ends with the quote", 41, 7 },
};

/* Chains of IPv6 extension headers in front of TCP. */
static const struct {
	const char *name;
	u8 n;			/* bytes */
	u8 first;
	bool good;
	u8 bytes[80];
} chains[] = {
	{ "none", 0, 6, true, { 0 } },
	{ "a first fragment", 8, 44, true, { 6, 0, 0, 1 } },
	{ "an atomic fragment", 8, 44, true, { 6, 9, 0, 0 } },
	{ "a later fragment", 8, 44, false, { 6, 0, 0, 8 } },
	{ "routing and destination options", 24, 43, true,
	  { [0] = 60, [1] = 1, [16] = 6 } },
	{ "authentication of 12 bytes", 12, 51, true, { 6, 1 } },
	{ "eight", 64, 0, true,
	  { [0] = 60, [8] = 60, [16] = 60, [24] = 60, [32] = 60, [40] = 60,
	    [48] = 60, [56] = 6 } },
	{ "nine", 72, 0, false,
	  { [0] = 60, [8] = 60, [16] = 60, [24] = 60, [32] = 60, [40] = 60,
	    [48] = 60, [56] = 60, [64] = 6 } },
};

static void test_chains(void)
{
	const struct mbc_tuple from = from_of(AF_INET6), to = to_of(AF_INET6);
	struct packet plain, want;
	struct mbc_quote q;
	u8 buf[256] = { 0 };
	unsigned int i, n;

	packet_make(&plain, &from, 0, buf, 0);
	packet_make(&want, &to, 0, buf, 0);
	packet_seal(&plain);
	packet_seal(&want);
	for (i = 0; i < ARRAY_SIZE(chains); i++) {
		test_begin("IPv6: extension headers: %s", chains[i].name);
		n = chains[i].n;
		memcpy(buf, plain.bytes, 40);
		buf[6] = chains[i].first;
		memcpy(buf + 40, chains[i].bytes, n);
		memcpy(buf + 40 + n, plain.bytes + 40, 20);
		EXPECT(mbc_quote_parse(&q, AF_INET6, buf, 60 + n) ==
		       chains[i].good, "want %d", chains[i].good);
		if (!chains[i].good)
			continue;
		mbc_quote_translate(&q, buf, &to);
		EXPECT_EQ(q.l4_off, 40 + n);
		EXPECT(!memcmp(buf + 8, want.bytes + 8, 32), "addresses");
		EXPECT(!memcmp(buf + 40, chains[i].bytes, n), "headers");
		EXPECT(!memcmp(buf + 40 + n, want.bytes + 40, 20), "TCP");
	}
}

void quote_test(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		test_cuts(families[i]);
		test_udp(families[i]);
	}
	test_refused(AF_INET, refused4, ARRAY_SIZE(refused4));
	test_refused(AF_INET6, refused6, ARRAY_SIZE(refused6));
	test_chains();
}
