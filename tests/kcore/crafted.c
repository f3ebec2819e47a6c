// SPDX-License-Identifier: GPL-2.0-only
/*
 * SYN payloads that a stranger, or an agent gone wrong, might send, each with
 * the reason it is refused for. testdata/crafted.txt and, for IPv6,
 * crafted6.txt hold the same bytes for tests that send them to a running
 * module.
 */
#include "crafted.h"
#include "make.h"
#include "test.h"

#include <stdlib.h>
#include <linux/string.h>

#define MAX_PAYLOAD 4096
#define FILL 0xee	/* application data behind the header */

static const u8 secrets[][MBC_KEY_LEN] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 },
	{ 0xff },	/* nobody's; used with the first one's id */
};
static const u32 key_ids[] = { 7, 8, 7 };

static const char *reason_name(enum mbc_reason reason)
{
	switch ((unsigned int)reason) {
#define NAME(reason) case MBC_REASON_##reason: return #reason
	NAME(NONE); NAME(HDR_TRUNCATED); NAME(HDR_VERSION); NAME(HDR_LENGTH);
	NAME(HDR_FLAGS); NAME(HDR_PROTO); NAME(HDR_HOPS); NAME(HDR_KEY);
	NAME(HDR_MAC); NAME(HDR_STALE); NAME(HDR_TUPLE);
#undef NAME
	case NO_MAGIC: return "NO_MAGIC";
	}
	return "?";
}

/* The offset that a place of crafted.h stands for. */
static unsigned int offset(u8 family, unsigned int at)
{
	const unsigned int n = mbc_addr_len(family);
	const unsigned int fields[] = {
		36, 36 + n, 36 + 2 * n, 38 + 2 * n,
		40 + 2 * n, 40 + 3 * n, 40 + 4 * n,
	};

	return at < AT_SADDR ? at : fields[at / 32 - 2] + at % 32;
}

static void apply(const struct patch *p, u8 family, u8 *buf)
{
	const unsigned int at = offset(family, p->at);
	union mbc_addr addr;

	memcpy(buf + at, p->bytes, p->n);
	if (p->addr) {
		addr = make_addr(p->addr);
		memcpy(buf + at, &addr, mbc_addr_len(family));
	}
}

static bool concerns(const struct crafted *row, u8 family)
{
	return !row->family || row->family == family;
}

/* Writes the payload of a row and returns its length. */
static unsigned int craft(const struct crafted *row, u8 family, u8 *buf)
{
	const struct mbc_key key = {
		.id = key_ids[row->key],
		.secret = make_key(secrets[row->key]),
	};
	const u8 f = row->header ? row->header : family;
	struct mbc_setup s = {
		.time = CRAFTED_NOW,
		.super = make_tuple(f, make_host(f, 1), 40000, make_host(f, 4),
				    80),
	};
	const unsigned int len = mbc_setup_len(f, row->n_hops);
	unsigned int i;
	u8 *p;
	u64 mac;

	memset(s.id, 0xa0, sizeof(s.id));
	mbc_setup_encode(&s, &key, buf);

	/* By hand: mbc_setup_encode() writes no more than MBC_MAX_HOPS. */
	buf[AT_LENGTH] = len >> 8;
	buf[AT_LENGTH + 1] = len;
	buf[AT_N_HOPS] = row->n_hops;
	p = buf + offset(f, AT_HOP);
	for (i = row->n_hops; i; p += mbc_addr_len(f), i--) {
		const union mbc_addr hop =
			make_host(f, i > 2 ? 0x100 + i : 5 - i);

		memcpy(p, &hop, mbc_addr_len(f));
	}
	apply(&row->before, f, buf);
	mac = siphash(buf, p - buf, &key.secret);
	for (i = 0; i < MBC_SETUP_MAC; i++)
		*p++ = mac >> 8 * i;
	apply(&row->after, f, buf);

	if (row->keep)
		return row->keep;
	memset(buf + len, FILL, row->append);
	return len + row->append;
}

static enum mbc_reason judge(u8 family, const u8 *data, unsigned int len)
{
	struct mbc_key keys[2];
	struct mbc_setup s;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		keys[i] = (struct mbc_key){
			.id = key_ids[i], .secret = make_key(secrets[i]),
		};
	if (!mbc_setup_probe(data, len))
		return NO_MAGIC;
	return mbc_setup_decode(&s, family, data, len, keys, ARRAY_SIZE(keys),
				CRAFTED_NOW, CRAFTED_FRESHNESS);
}

static const char header[] =
"# SPDX-License-Identifier: GPL-2.0-only\n"
"# Payloads of %s SYNs and the enum mbc_reason that mbc_setup_decode() gives\n"
"# for each; NO_MAGIC: not even a candidate, no counter moves; NONE: accepted.\n"
"# Columns: reason, name, payload. Made by `kcore --print %s`.\n"
"#\n"
"# They are for the time below, with a freshness of so many seconds. To send\n"
"# them at another time T, add T - now to bytes 12 to 15 of the rows with NONE,\n"
"# HDR_STALE and HDR_TUPLE, modulo 2^32, and sign again: the last 8 bytes of the\n"
"# header, whose length is in bytes 6 and 7, are SipHash-2-4 of those before\n"
"# them, little-endian, with the key named in bytes 8 to 11. The other rows are\n"
"# refused before anyone looks at the time. All of them have the same session\n"
"# id. The hook goes on to judge those with NONE: a header is for its first hop\n"
"# alone.\n";

static void print_rows(FILE *out, u8 family, const char *name)
{
	u8 buf[MAX_PAYLOAD];
	unsigned int i;

	fprintf(out, header, family_name(family), name);
	fprintf(out, "now %u\nfreshness %u\n", CRAFTED_NOW, CRAFTED_FRESHNESS);
	for (i = 0; i < 2; i++) {
		fprintf(out, "key %u ", key_ids[i]);
		print_hex(out, secrets[i], MBC_KEY_LEN);
		fputc('\n', out);
	}
	for (i = 0; i < crafted_n_rows; i++) {
		const struct crafted *row = &crafted_rows[i];

		if (!concerns(row, family))
			continue;
		fprintf(out, "%s %s ", reason_name(row->want), row->name);
		print_hex(out, buf, craft(row, family, buf));
		fputc('\n', out);
	}
}

void crafted_print(FILE *out)
{
	print_rows(out, AF_INET, "crafted");
}

void crafted6_print(FILE *out)
{
	print_rows(out, AF_INET6, "crafted6");
}

static void test_row(const struct crafted *row, u8 family)
{
	u8 buf[MAX_PAYLOAD], *exact;
	enum mbc_reason got;
	unsigned int len;

	test_begin("%s: %s gives %s", family_name(family), row->name,
		   reason_name(row->want));
	len = craft(row, family, buf);
	exact = malloc(len);	/* ASan guards its end */
	memcpy(exact, buf, len);
	got = judge(family, exact, len);
	EXPECT(got == row->want, "got %s", reason_name(got));
	free(exact);
}

void crafted_test(void)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		for (j = 0; j < crafted_n_rows; j++) {
			if (concerns(&crafted_rows[j], families[i]))
				test_row(&crafted_rows[j], families[i]);
		}
	}

	test_begin("the bytes are those of testdata/crafted.txt");
	test_file("testdata/crafted.txt", crafted_print);
	test_begin("the bytes are those of testdata/crafted6.txt");
	test_file("testdata/crafted6.txt", crafted6_print);
}
