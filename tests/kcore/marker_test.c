// SPDX-License-Identifier: GPL-2.0-only
/* The marker: golden bytes, and that nothing else is taken for it. */
#include "make.h"
#include "marker.h"
#include "test.h"

#include <linux/string.h>

static const u8 secret[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
};

static const u8 golden[MBC_MARKER_LEN] = {
	0xfd, 0x16, 0x6d, 0x62, 0x01, 0x01,
	0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
	0xe5, 0xf2, 0x04, 0xc9, 0x02, 0x8f, 0xca, 0x2d,
	0x01, 0x01,
};

static struct mbc_marker golden_marker(void)
{
	struct mbc_marker m = {
		.migration = 0x0123456789abcdef, .dir = MBC_LEFT,
	};
	unsigned int i;

	for (i = 0; i < MBC_ID_LEN; i++)
		m.session[i] = 0xa0 + i;
	return m;
}

static struct mbc_key golden_key(void)
{
	return (struct mbc_key){ .id = 7, .secret = make_key(secret) };
}

static void test_golden(void)
{
	const struct mbc_marker m = golden_marker();
	const struct mbc_key key = golden_key();
	u8 got[MBC_MARKER_LEN];
	unsigned int i;

	test_begin("marker: golden bytes");
	mbc_marker_encode(&m, &key, got);
	for (i = 0; i < sizeof(got); i++)
		EXPECT(got[i] == golden[i], "byte %u: want %#x, got %#x", i,
		       golden[i], got[i]);
	EXPECT(mbc_marker_verify(&m, got, sizeof(got), &key, 1),
	       "not taken for what it is");
}

static void test_altered(void)
{
	const struct mbc_key key = golden_key();
	struct mbc_marker m = golden_marker();
	u8 bytes[MBC_MARKER_LEN];
	unsigned int i;

	test_begin("marker: every bit counts, but for the padding");
	for (i = 0; i < 8 * (MBC_MARKER_LEN - 2); i++) {
		memcpy(bytes, golden, sizeof(bytes));
		bytes[i / 8] ^= 1 << i % 8;
		EXPECT(!mbc_marker_verify(&m, bytes, sizeof(bytes), &key, 1),
		       "bit %u changed: taken for a marker", i);
	}
	test_begin("marker: of another session, migration or direction");
	m.session[15] ^= 1;
	EXPECT(!mbc_marker_verify(&m, golden, sizeof(golden), &key, 1), "session");
	m = golden_marker();
	m.migration ^= 1ull << 63;
	EXPECT(!mbc_marker_verify(&m, golden, sizeof(golden), &key, 1),
	       "migration");
	m = golden_marker();
	m.dir = MBC_RIGHT;
	EXPECT(!mbc_marker_verify(&m, golden, sizeof(golden), &key, 1),
	       "direction");
}

static void test_keys(void)
{
	const struct mbc_marker m = golden_marker();
	struct mbc_key keys[3] = { golden_key(), golden_key(), golden_key() };

	keys[0].secret.key[0] ^= 1;
	keys[1].secret.key[1] ^= 1;
	test_begin("marker: any key at hand may have signed, and no other");
	EXPECT(mbc_marker_verify(&m, golden, sizeof(golden), keys, 3), "third");
	EXPECT(!mbc_marker_verify(&m, golden, sizeof(golden), keys, 2), "none");
	EXPECT(!mbc_marker_verify(&m, golden, sizeof(golden), keys, 0), "no key");
}

static void test_options(void)
{
	const struct mbc_marker m = golden_marker();
	const struct mbc_key key = golden_key();
	u8 options[40] = {
		1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, /* timestamps */
		253, 4, 0x6d, 0x62,		     /* another experiment */
	};
	unsigned int len;

	memcpy(options + 16, golden, sizeof(golden));
	test_begin("marker: behind other options, and only when all is there");
	for (len = 0; len <= sizeof(options); len++)
		EXPECT(mbc_marker_verify(&m, options, len, &key, 1) == (len >= 38),
		       "%u bytes of options", len);
	test_begin("marker: not behind the end of the options");
	options[12] = 0;
	EXPECT(!mbc_marker_verify(&m, options, sizeof(options), &key, 1), "found");
	test_begin("marker: not behind an option without a length");
	options[12] = 253;
	options[13] = 0;
	EXPECT(!mbc_marker_verify(&m, options, sizeof(options), &key, 1), "found");
}

void marker_test(void)
{
	test_golden();
	test_altered();
	test_keys();
	test_options();
}
