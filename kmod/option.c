// SPDX-License-Identifier: GPL-2.0-only
/* Pure: the hooks change what they are told. */
#include "option.h"

#include "tcp.h"

#define HEADER_LEN 20

#define END 0
#define NOP 1
#define MSS 2
#define MSS_LEN 4
#define STAMPS 8
#define STAMPS_LEN 10	/* TSval, TSecr */

bool mbc_option_at(const u8 *options, unsigned int len, unsigned int *i)
{
	while (*i < len && options[*i] == NOP)
		++*i;
	return *i < len && options[*i] != END && len - *i >= 2 &&
	       options[*i + 1] >= 2 && options[*i + 1] <= len - *i;
}

/* Offset of the value of the first such option, 0 if there is none to be found. */
static unsigned int find(const u8 *th, unsigned int len, u8 kind, u8 size)
{
	unsigned int i;

	for (i = HEADER_LEN; mbc_option_at(th, len, &i); i += th[i + 1])
		if (th[i] == kind && th[i + 1] == size)
			return i + 2;
	return 0;
}

unsigned int mbc_option_clamp_mss(u8 *th, unsigned int len, u16 mss, u16 *old)
{
	unsigned int at = find(th, len, MSS, MSS_LEN);
	u16 value;

	if (!at)
		return 0;
	value = th[at] << 8 | th[at + 1];
	if (value <= mss)
		return 0;

	*old = value;
	th[at] = mss >> 8;
	th[at + 1] = mss & 0xff;
	return at;
}

static u32 get(const u8 *at)
{
	return (u32)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static void put(u8 *at, u32 value)
{
	at[0] = value >> 24;
	at[1] = value >> 16 & 0xff;
	at[2] = value >> 8 & 0xff;
	at[3] = value & 0xff;
}

bool mbc_option_stamp(const u8 *th, unsigned int len, u32 *stamp)
{
	unsigned int at = find(th, len, STAMPS, STAMPS_LEN);

	if (at)
		*stamp = get(th + at);
	return at;
}

unsigned int mbc_option_raise_stamp(u8 *th, unsigned int len, u32 stamp, u32 *old)
{
	unsigned int at = find(th, len, STAMPS, STAMPS_LEN);

	if (!at || mbc_seq_reaches(get(th + at), stamp))
		return 0;
	*old = get(th + at);
	put(th + at, stamp);
	return at;
}
