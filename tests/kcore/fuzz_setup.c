// SPDX-License-Identifier: GPL-2.0-only
/*
 * Set-up headers from the network. The input is a payload; it is decoded as it
 * is, for both families, and again with its MAC put right, so that the checks
 * behind the MAC are reached too.
 */
#include "fuzz.h"
#include "make.h"
#include "setup.h"

#include <stdlib.h>
#include <linux/string.h>

#define FRESHNESS 60
#define LENGTH_AT 6
#define KEY_AT 8
#define TIME_AT 12
#define FAMILY_AT 33
#define N_HOPS_AT 34

static const struct mbc_key keys[2] = {
	{ .id = 7, .secret = { { 1, 2 } } },
	{ .id = 8, .secret = { { 3, 4 } } },
};

static u32 get32(const u8 *p)
{
	return (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

/* What is accepted keeps every promise, and is written again as it came. */
static void check_accepted(const struct mbc_setup *s, u8 family,
			   const u8 *data, unsigned int len, u32 now)
{
	const unsigned int n = mbc_setup_len(family, s->n_hops);
	u8 again[MBC_SETUP_MAX];
	unsigned int i;

	MUST(s->n_hops && s->n_hops <= MBC_MAX_HOPS);
	MUST(n <= len);
	MUST(s->key_id == keys[0].id || s->key_id == keys[1].id);
	MUST(now - s->time <= FRESHNESS || s->time - now <= FRESHNESS);
	MUST(s->super.family == family && mbc_tuple_valid(&s->super));
	for (i = 0; i < s->n_hops; i++)
		MUST(mbc_addr_valid(&s->hops[i], family));
	MUST(mbc_setup_encode(s, &keys[s->key_id != keys[0].id], again) == n);
	MUST(!memcmp(again, data, n));
}

static enum mbc_reason decode(u8 family, const u8 *data, unsigned int len,
			      u32 now)
{
	struct mbc_setup s;
	enum mbc_reason reason;

	reason = mbc_setup_decode(&s, family, data, len, keys, ARRAY_SIZE(keys),
				  now, FRESHNESS);
	MUST(reason == MBC_REASON_NONE ||
	     (reason >= MBC_REASON_HDR_TRUNCATED &&
	      reason <= MBC_REASON_HDR_TUPLE));
	if (!reason)
		check_accepted(&s, family, data, len, now);
	return reason;
}

/* Not past the family of the packet, whatever else is right. */
static void decode_other(u8 family, const u8 *data, unsigned int len, u32 now)
{
	const enum mbc_reason reason = decode(family, data, len, now);

	MUST(reason == MBC_REASON_HDR_TRUNCATED ||
	     reason == MBC_REASON_HDR_VERSION ||
	     reason == MBC_REASON_HDR_FLAGS ||
	     reason == MBC_REASON_HDR_PROTO);
}

/* The MAC is right now: only what stands before it or behind it counts. */
static void decode_signed(u8 family, u8 *data, unsigned int len)
{
	const struct mbc_key *key;
	enum mbc_reason reason;
	unsigned int n, i;
	u64 mac;
	u32 time;

	if (len < mbc_setup_len(family, 0) || !data[N_HOPS_AT] ||
	    data[N_HOPS_AT] > MBC_MAX_HOPS)
		return;
	n = mbc_setup_len(family, data[N_HOPS_AT]);
	if (len < n)
		return;

	key = &keys[data[KEY_AT + 3] & 1];
	memset(data + KEY_AT, 0, 4);
	data[KEY_AT + 3] = key->id;
	data[LENGTH_AT] = n >> 8;
	data[LENGTH_AT + 1] = n;
	mac = siphash(data, n - MBC_SETUP_MAC, &key->secret);
	for (i = 0; i < MBC_SETUP_MAC; i++)
		data[n - MBC_SETUP_MAC + i] = mac >> 8 * i;

	time = get32(data + TIME_AT);
	reason = decode(family, data, len, time);
	MUST(reason != MBC_REASON_HDR_KEY && reason != MBC_REASON_HDR_MAC &&
	     reason != MBC_REASON_HDR_LENGTH && reason != MBC_REASON_HDR_HOPS &&
	     reason != MBC_REASON_HDR_TRUNCATED &&
	     reason != MBC_REASON_HDR_STALE);
	if (reason && reason != MBC_REASON_HDR_TUPLE)
		return;
	MUST(decode(family, data, len, time + FRESHNESS) == reason);
	MUST(decode(family, data, len, time + FRESHNESS + 1) ==
	     MBC_REASON_HDR_STALE);
	data[n - 1] ^= 0x80;
	MUST(decode(family, data, len, time) == MBC_REASON_HDR_MAC);
}

void fuzz_setup(const u8 *data, size_t len)
{
	const bool six = len > FAMILY_AT && data[FAMILY_AT] == 6;
	const u8 family = six ? AF_INET6 : AF_INET;
	const u8 other = six ? AF_INET : AF_INET6;
	u8 *copy = fuzz_copy(data, len);
	const u32 time = len < 16 ? 0 : get32(copy + TIME_AT);

	if (mbc_setup_probe(copy, len)) {
		MUST(len >= 4 && get32(copy) == MBC_SETUP_MAGIC);
		decode(family, copy, len, time);
		decode_other(other, copy, len, time);
		decode_signed(family, copy, len);
	}
	free(copy);
}
