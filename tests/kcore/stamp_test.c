// SPDX-License-Identifier: GPL-2.0-only
/* Timestamps of what has waited: option lists whole, strange and broken. */
#include "make.h"
#include "option.h"
#include "test.h"

#include <stdlib.h>
#include <linux/string.h>
#include <asm/byteorder.h>

#define HEADER 20

static const struct {
	const char *name;
	u8 n, options[40];
	u8 want_at;	/* offset from the header, 0: there is none */
} lists[] = {
	{ "no options", 0, { 0 }, 0 },
	{ "as Linux sends it", 12, { 1, 1, 8, 10, 0, 0, 1, 0, 9, 9, 9, 9 }, 24 },
	{ "alone", 12, { 8, 10, 0, 0, 1, 0, 9, 9, 9, 9, 0, 0 }, 22 },
	{ "at an odd offset", 12, { 1, 8, 10, 0, 0, 1, 0, 9, 9, 9, 9, 1 }, 23 },
	{ "behind SACK", 24, { 1, 1, 5, 10, [12] = 1, 1, 8, 10, 0, 0, 1, 0 }, 36 },
	{ "last of forty bytes", 40, { 34, 30, [30] = 8, 10, 0, 0, 1, 0 }, 52 },
	{ "the first of two", 20, { 8, 10, 0, 0, 1, 0, [10] = 8, 10, 0, 0, 2, 0 }, 22 },
	{ "behind the end of the list", 12, { 0, 1, 8, 10, 0, 0, 1, 0 }, 0 },
	{ "of a wrong length", 12, { 1, 1, 8, 9, 0, 0, 1, 0, 9, 9, 9, 1 }, 0 },
	{ "cut in its value", 8, { 1, 1, 8, 10, 0, 0, 1, 0 }, 0 },
	{ "the kind as the last byte", 4, { 1, 1, 1, 8 }, 0 },
	{ "behind an option of length 0", 16, { 5, 0, 1, 1, 8, 10, 0, 0, 1, 0 }, 0 },
	{ "behind an option longer than the list", 16,
	  { 5, 200, 1, 1, 8, 10, 0, 0, 1, 0 }, 0 },
	{ "inside another option", 16, { 99, 16, 1, 1, 8, 10, 0, 0, 1, 0 }, 0 },
};

/* All of them have it at 256. */
static const struct {
	u32 stamp;
	bool raises;
} stamps[] = {
	{ 255, false }, { 256, false }, { 257, true }, { 0x12345678, true },
	{ 0x800000ff, true }, { 0x80000100, true }, { 0x80000101, false }, { 0xffffffff, false },
};

static u32 value(const u8 *at)
{
	return (u32)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static void run(const u8 *options, unsigned int n, unsigned int want_at,
		u32 stamp, bool raises)
{
	const unsigned int len = HEADER + n;
	u8 *th = make_header(options, n), before[60];
	u32 old = 0xdead;
	unsigned int at;

	memcpy(before, th, len);
	at = mbc_option_raise_stamp(th, len, stamp, &old);
	EXPECT_EQ(at, raises ? want_at : 0);
	if (at) {
		EXPECT_EQ(old, 256);
		EXPECT_EQ(value(th + at), stamp);
		memcpy(th + at, before + at, 4);
	} else {
		EXPECT_EQ(old, 0xdead);
	}
	EXPECT(!memcmp(th, before, len), "other bytes changed");
	EXPECT(mbc_option_stamp(th, len, &old) == (want_at != 0), "found or not");
	if (want_at)
		EXPECT_EQ(old, 256);
	free(th);
}

void stamp_test(void)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		test_begin("a timestamp, %s, is %s", lists[i].name,
			   lists[i].want_at ? "raised" : "not there");
		for (j = 0; j < ARRAY_SIZE(stamps); j++)
			run(lists[i].options, lists[i].n, lists[i].want_at,
			    stamps[j].stamp, lists[i].want_at && stamps[j].raises);
	}
}
