// SPDX-License-Identifier: GPL-2.0-only
/* The MSS clamp: option lists whole, strange and broken. */
#include "make.h"
#include "option.h"
#include "test.h"
#include "xlate.h"

#include <stdlib.h>
#include <linux/string.h>
#include <asm/byteorder.h>

#define HEADER 20

static const struct {
	const char *name;
	u8 n, options[40];
	u8 want_at;	/* offset from the header, 0: left alone */
} lists[] = {
	{ "no options", 0, { 0 }, 0 },
	{ "MSS alone", 4, { 2, 4, 0x05, 0xb4 }, 22 },
	{ "MSS as Linux sends it", 20,
	  { 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7 },
	  22 },
	{ "MSS last of forty bytes", 40,
	  { 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 34, 18, [28] = 1, 1, 3, 3, 7, 4, 2,
	    1, [36] = 2, 4, 0x05, 0xb4 }, 58 },
	{ "MSS at an odd offset", 8, { 1, 2, 4, 0x05, 0xb4, 1, 1, 0 }, 23 },
	{ "MSS of 65535", 4, { 2, 4, 0xff, 0xff }, 22 },
	{ "MSS one above the limit", 4, { 2, 4, 0x05, 0x79 }, 22 },
	{ "MSS at the limit", 4, { 2, 4, 0x05, 0x78 }, 0 },
	{ "MSS below the limit", 4, { 2, 4, 0x02, 0x18 }, 0 },
	{ "MSS of 0", 4, { 2, 4, 0, 0 }, 0 },
	{ "MSS behind the end of the list", 8, { 0, 1, 1, 1, 2, 4, 5, 0xb4 },
	  0 },
	{ "MSS behind an end that looks like an option", 8,
	  { 0, 2, 2, 4, 5, 0xb4, 0, 0 }, 0 },
	{ "MSS option of wrong length 3", 4, { 2, 3, 0x05, 0xb4 }, 0 },
	{ "MSS option of wrong length 6", 8, { 2, 6, 5, 0xb4, 5, 0xb4, 1, 1 },
	  0 },
	{ "MSS kind as the last byte", 4, { 1, 1, 1, 2 }, 0 },
	{ "MSS cut after its length", 4, { 1, 1, 2, 4 }, 0 },
	{ "MSS cut in its value", 4, { 1, 2, 4, 0x05 }, 0 },
	{ "a kind without its length at the end", 4, { 1, 1, 1, 8 }, 0 },
	{ "MSS behind an option of length 0", 8, { 8, 0, 1, 1, 2, 4, 5, 0xb4 },
	  0 },
	{ "MSS behind an option of length 1", 8, { 8, 1, 1, 1, 2, 4, 5, 0xb4 },
	  0 },
	{ "MSS behind an option longer than the list", 8,
	  { 8, 200, 1, 1, 2, 4, 5, 0xb4 }, 0 },
	{ "MSS before a broken option", 8, { 2, 4, 5, 0xb4, 8, 0, 1, 1 }, 22 },
	{ "an MSS inside another option", 8, { 99, 8, 1, 1, 2, 4, 5, 0xb4 },
	  0 },
	{ "the second of two MSS options", 8, { 2, 4, 1, 0, 2, 4, 5, 0xb4 },
	  0 },
};

static void run(const u8 *options, unsigned int n, unsigned int want_at)
{
	const unsigned int len = HEADER + n;
	const u16 mss = 0x0578;
	u8 *th = make_header(options, n), before[60];
	u16 old = 0xdead;
	unsigned int at;

	memcpy(before, th, len);

	at = mbc_option_clamp_mss(th, len, mss, &old);
	EXPECT_EQ(at, want_at);
	if (at) {
		EXPECT_EQ(old, before[at] << 8 | before[at + 1]);
		EXPECT_EQ(th[at] << 8 | th[at + 1], mss);
		memcpy(th + at, before + at, 2);
	} else {
		EXPECT_EQ(old, 0xdead);
	}
	EXPECT(!memcmp(th, before, len), "other bytes changed");
	free(th);
}

void mss_test(void)
{
	unsigned int i, n;
	u8 noise[40];
	u32 state = 9;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		test_begin("%s is %s", lists[i].name,
			   lists[i].want_at ? "clamped" : "left alone");
		run(lists[i].options, lists[i].n, lists[i].want_at);
	}

	test_begin("no list of noise makes it leave the header");
	for (i = 0; i < 100000; i++) {
		u8 *th;
		u16 old;

		for (n = 0; n < sizeof(noise); n++)
			noise[n] = make_random(&state) % 11;
		th = make_header(noise, i % 41);
		mbc_option_clamp_mss(th, HEADER + i % 41, 2, &old);
		free(th);
	}
}
