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
	0xfd, 0x1a, 0x6d, 0x62, 0x01, 0x03,
	0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
	0xfe, 0xdc, 0xba, 0x98,
	0x4f, 0xaf, 0x36, 0x67, 0x35, 0x5c, 0x0c, 0x8d,
	0x01, 0x01,
};

static struct mbc_marker golden_marker(void)
{
	struct mbc_marker m = {
		.migration = 0x0123456789abcdef, .dir = MBC_LEFT,
		.known = true, .end = 0xfedcba98,
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

/* What a host takes these options for that expects @m. */
static enum mbc_marker_kind read_as(struct mbc_marker m, const u8 *options,
				    unsigned int len)
{
	const struct mbc_key key = golden_key();

	return mbc_marker_read(&m, options, len, &key, 1);
}

static void test_golden(void)
{
	const struct mbc_key key = golden_key();
	struct mbc_marker m = golden_marker();
	u8 got[MBC_MARKER_LEN];
	unsigned int i;

	test_begin("marker: golden bytes");
	mbc_marker_encode(&m, &key, got);
	for (i = 0; i < sizeof(got); i++)
		EXPECT(got[i] == golden[i], "byte %u: want %#x, got %#x", i,
		       golden[i], got[i]);
	m.known = false;
	m.end = 0;
	EXPECT(mbc_marker_read(&m, got, sizeof(got), &key, 1) == MBC_MARKER_OURS,
	       "not taken for what it is");
	EXPECT(m.known && m.end == 0xfedcba98, "end: %d, %#x", m.known, m.end);
}

static void test_unknown_end(void)
{
	const struct mbc_key key = golden_key();
	struct mbc_marker m = golden_marker();
	u8 bytes[MBC_MARKER_LEN];

	test_begin("marker: behind nothing that its sender knows of");
	m.known = false;
	mbc_marker_encode(&m, &key, bytes);
	m.known = true;
	EXPECT(mbc_marker_read(&m, bytes, sizeof(bytes), &key, 1) ==
	       MBC_MARKER_OURS, "not taken for what it is");
	EXPECT(!m.known && !m.end, "end: %d, %#x", m.known, m.end);
}

static void test_altered(void)
{
	struct mbc_marker m = golden_marker();
	u8 bytes[MBC_MARKER_LEN];
	unsigned int i;

	test_begin("marker: every bit counts, but for the padding");
	for (i = 0; i < 8 * (MBC_MARKER_LEN - 2); i++) {
		enum mbc_marker_kind want = i < 32 ? MBC_MARKER_NONE :
						     MBC_MARKER_STRANGE;

		memcpy(bytes, golden, sizeof(bytes));
		bytes[i / 8] ^= 1 << i % 8;
		EXPECT(read_as(m, bytes, sizeof(bytes)) == want,
		       "bit %u changed: want %d, got %d", i, want,
		       read_as(m, bytes, sizeof(bytes)));
	}
	test_begin("marker: of another session, migration or direction");
	m.session[15] ^= 1;
	EXPECT(read_as(m, golden, sizeof(golden)) == MBC_MARKER_STRANGE,
	       "session");
	m = golden_marker();
	m.migration ^= 1ull << 63;
	EXPECT(read_as(m, golden, sizeof(golden)) == MBC_MARKER_STRANGE,
	       "migration");
	m = golden_marker();
	m.dir = MBC_RIGHT;
	EXPECT(read_as(m, golden, sizeof(golden)) == MBC_MARKER_STRANGE,
	       "direction");
}

static void test_keys(void)
{
	struct mbc_key keys[3] = { golden_key(), golden_key(), golden_key() };
	const enum mbc_marker_kind want[] = {
		MBC_MARKER_STRANGE, MBC_MARKER_STRANGE, MBC_MARKER_STRANGE,
		MBC_MARKER_OURS,
	};
	struct mbc_marker m = golden_marker();
	unsigned int n;

	keys[0].secret.key[0] ^= 1;
	keys[1].secret.key[1] ^= 1;
	test_begin("marker: any key at hand may have signed, and no other");
	for (n = 0; n <= 3; n++)
		EXPECT(mbc_marker_read(&m, golden, sizeof(golden), keys, n) ==
		       want[n], "%u keys", n);
}

static void test_options(void)
{
	const struct mbc_marker m = golden_marker();
	u8 options[40] = {
		1, 1, 1, 1, 8, 4, 1, 2,		/* some option */
		253, 4, 0x6d, 0x62,		/* another experiment */
	};
	unsigned int len;

	memcpy(options + 12, golden, sizeof(golden));
	test_begin("marker: behind other options, and only when all is there");
	for (len = 0; len <= sizeof(options); len++)
		EXPECT((read_as(m, options, len) == MBC_MARKER_OURS) ==
		       (len >= 38), "%u bytes of options", len);
	test_begin("marker: not behind the end of the options");
	options[8] = 0;
	EXPECT(read_as(m, options, sizeof(options)) == MBC_MARKER_NONE, "found");
	test_begin("marker: not behind an option without a length");
	options[8] = 253;
	options[9] = 0;
	EXPECT(read_as(m, options, sizeof(options)) == MBC_MARKER_NONE, "found");
}

void marker_test(void)
{
	test_golden();
	test_unknown_end();
	test_altered();
	test_keys();
	test_options();
}
