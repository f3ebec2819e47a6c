// SPDX-License-Identifier: GPL-2.0-only
/*
 * SYN payloads that a stranger, or an agent gone wrong, might send, each with
 * the reason it is refused for. testdata/crafted.txt holds the same bytes for
 * tests that send them to a running module.
 */
#include "make.h"
#include "setup.h"
#include "test.h"

#include <stdlib.h>
#include <linux/string.h>

#define NOW 10		/* just behind the wrap of 2^32 */
#define FRESHNESS 60
#define NO_MAGIC __MBC_REASON_MAX	/* mbc_setup_probe() says no */

#define MAX_PAYLOAD 4096
#define FILL 0xee	/* application data behind the header */

static const u8 secrets[][MBC_KEY_LEN] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 },
	{ 0xff },	/* nobody's; used with the first one's id */
};
static const u32 key_ids[] = { 7, 8, 7 };

/* Where things are in a header with two hops. */
enum {
	AT_MAGIC = 0, AT_VERSION = 4, AT_FLAGS = 5, AT_LENGTH = 6,
	AT_KEY = 8, AT_TIME = 12, AT_ID = 16, AT_PROTO = 32, AT_FAMILY = 33,
	AT_N_HOPS = 34, AT_RESERVED = 35, AT_SADDR = 36, AT_DADDR = 40,
	AT_SPORT = 44, AT_DPORT = 46, AT_HOP = 48, AT_LAST_HOP = 52,
	AT_MAC = 56,
};

struct patch {
	u8 at, n, bytes[8];
};

struct crafted {
	const char *name;
	enum mbc_reason want;
	u8 n_hops;
	u8 key;			/* index: signs */
	struct patch before;	/* the MAC is made: it covers this */
	struct patch after;	/* ... or does not */
	u16 keep;		/* bytes of the header, 0: all */
	u16 append;		/* bytes behind it */
};

#define R(reason) MBC_REASON_##reason
#define P(at, ...) { at, sizeof((u8[]){ __VA_ARGS__ }), { __VA_ARGS__ } }
#define CUT(bytes, why) \
	{ .name = "cut-to-" #bytes, .want = why, .n_hops = 2, .keep = bytes }
#define BEFORE(label, why, ...) \
	{ .name = label, .want = why, .n_hops = 2, .before = P(__VA_ARGS__) }
#define AFTER(label, why, ...) \
	{ .name = label, .want = why, .n_hops = 2, .after = P(__VA_ARGS__) }

static const struct crafted rows[] = {
	{ .name = "good", .want = R(NONE), .n_hops = 2 },
	{ .name = "good-1-hop", .want = R(NONE), .n_hops = 1 },
	{ .name = "good-16-hops", .want = R(NONE), .n_hops = 16 },
	{ .name = "good-second-key", .want = R(NONE), .n_hops = 2, .key = 1 },
	{ .name = "good-one-byte-behind", .want = R(NONE), .n_hops = 2,
	  .append = 1 },
	{ .name = "good-fast-open", .want = R(NONE), .n_hops = 2,
	  .append = 1300 },

	CUT(1, NO_MAGIC), CUT(3, NO_MAGIC), CUT(4, R(HDR_TRUNCATED)),
	CUT(5, R(HDR_TRUNCATED)), CUT(6, R(HDR_TRUNCATED)),
	CUT(7, R(HDR_TRUNCATED)), CUT(8, R(HDR_TRUNCATED)),
	CUT(12, R(HDR_TRUNCATED)), CUT(16, R(HDR_TRUNCATED)),
	CUT(31, R(HDR_TRUNCATED)), CUT(32, R(HDR_TRUNCATED)),
	CUT(33, R(HDR_TRUNCATED)), CUT(34, R(HDR_TRUNCATED)),
	CUT(35, R(HDR_TRUNCATED)), CUT(36, R(HDR_TRUNCATED)),
	CUT(40, R(HDR_TRUNCATED)), CUT(44, R(HDR_TRUNCATED)),
	CUT(46, R(HDR_TRUNCATED)), CUT(48, R(HDR_TRUNCATED)),
	CUT(52, R(HDR_TRUNCATED)), CUT(55, R(HDR_TRUNCATED)),
	CUT(56, R(HDR_TRUNCATED)), CUT(60, R(HDR_TRUNCATED)),
	CUT(63, R(HDR_TRUNCATED)),
	{ .name = "no-hop-cut-to-55", .want = R(HDR_TRUNCATED), .keep = 55 },
	{ .name = "16-hops-cut-to-119", .want = R(HDR_TRUNCATED),
	  .n_hops = 16, .keep = 119 },

	{ .name = "version-2-cut-to-55", .want = R(HDR_TRUNCATED), .n_hops = 2,
	  .before = P(AT_VERSION, 2), .keep = 55 },
	{ .name = "version-2-cut-to-56", .want = R(HDR_VERSION), .n_hops = 2,
	  .before = P(AT_VERSION, 2), .keep = 56 },

	BEFORE("magic-reversed", NO_MAGIC, AT_MAGIC, 0x68, 0x63, 0x62, 0x6d),
	BEFORE("magic-last-byte", NO_MAGIC, AT_MAGIC + 3, 0x69),
	BEFORE("version-0", R(HDR_VERSION), AT_VERSION, 0),
	BEFORE("version-2", R(HDR_VERSION), AT_VERSION, 2),
	BEFORE("version-255", R(HDR_VERSION), AT_VERSION, 255),
	BEFORE("flags-1", R(HDR_FLAGS), AT_FLAGS, 1),
	BEFORE("flags-128", R(HDR_FLAGS), AT_FLAGS, 128),
	BEFORE("reserved-1", R(HDR_FLAGS), AT_RESERVED, 1),
	BEFORE("proto-0", R(HDR_PROTO), AT_PROTO, 0),
	BEFORE("proto-udp", R(HDR_PROTO), AT_PROTO, 17),
	BEFORE("family-0", R(HDR_PROTO), AT_FAMILY, 0),
	BEFORE("family-6", R(HDR_PROTO), AT_FAMILY, 6),

	{ .name = "no-hop", .want = R(HDR_HOPS), .n_hops = 0 },
	{ .name = "17-hops", .want = R(HDR_HOPS), .n_hops = 17 },
	{ .name = "255-hops", .want = R(HDR_HOPS), .n_hops = 255 },
	BEFORE("17-hops-claimed", R(HDR_HOPS), AT_N_HOPS, 17),
	{ .name = "17-hops-oversized", .want = R(HDR_HOPS), .n_hops = 17,
	  .append = 1270 },

	BEFORE("length-0", R(HDR_LENGTH), AT_LENGTH, 0, 0),
	BEFORE("length-without-mac", R(HDR_LENGTH), AT_LENGTH, 0, 56),
	BEFORE("length-one-less", R(HDR_LENGTH), AT_LENGTH, 0, 63),
	BEFORE("length-one-more", R(HDR_LENGTH), AT_LENGTH, 0, 65),
	BEFORE("length-byte-swapped", R(HDR_LENGTH), AT_LENGTH, 64, 0),
	BEFORE("length-65535", R(HDR_LENGTH), AT_LENGTH, 255, 255),
	BEFORE("one-hop-less", R(HDR_LENGTH), AT_N_HOPS, 1),
	BEFORE("one-hop-more", R(HDR_LENGTH), AT_N_HOPS, 3),
	{ .name = "length-of-oversized-payload", .want = R(HDR_LENGTH),
	  .n_hops = 2, .before = P(AT_LENGTH, 5, 0x78), .append = 1336 },
	{ .name = "hops-and-length-beyond-payload", .want = R(HDR_TRUNCATED),
	  .n_hops = 16, .keep = 64 },

	BEFORE("key-0", R(HDR_KEY), AT_KEY, 0, 0, 0, 0),
	BEFORE("key-9", R(HDR_KEY), AT_KEY, 0, 0, 0, 9),
	BEFORE("key-byte-swapped", R(HDR_KEY), AT_KEY, 7, 0, 0, 0),
	BEFORE("key-all-ones", R(HDR_KEY), AT_KEY, 255, 255, 255, 255),

	{ .name = "mac-of-wrong-secret", .want = R(HDR_MAC), .n_hops = 2,
	  .key = 2 },
	BEFORE("mac-of-other-live-key", R(HDR_MAC), AT_KEY, 0, 0, 0, 8),
	AFTER("mac-zero", R(HDR_MAC), AT_MAC, 0, 0, 0, 0, 0, 0, 0, 0),
	AFTER("mac-all-ones", R(HDR_MAC), AT_MAC, 255, 255, 255, 255, 255, 255,
	      255, 255),
	AFTER("mac-first-byte", R(HDR_MAC), AT_MAC, 0x5a),
	AFTER("mac-last-byte", R(HDR_MAC), AT_MAC + 7, 0x5a),
	AFTER("time-changed", R(HDR_MAC), AT_TIME + 3, NOW + 1),
	AFTER("id-changed", R(HDR_MAC), AT_ID, 0xa1),
	AFTER("client-changed", R(HDR_MAC), AT_SADDR + 3, 9),
	AFTER("server-changed", R(HDR_MAC), AT_DADDR + 3, 9),
	AFTER("client-port-changed", R(HDR_MAC), AT_SPORT + 1, 0x41),
	AFTER("server-port-changed", R(HDR_MAC), AT_DPORT + 1, 81),
	AFTER("hop-changed", R(HDR_MAC), AT_HOP + 3, 9),
	AFTER("last-hop-changed", R(HDR_MAC), AT_LAST_HOP + 3, 9),

	BEFORE("fresh-as-old-as-allowed", R(NONE), AT_TIME, 255, 255, 255,
	       0xce),
	BEFORE("fresh-as-far-ahead-as-allowed", R(NONE), AT_TIME, 0, 0, 0, 70),
	BEFORE("stale-61-s-old", R(HDR_STALE), AT_TIME, 255, 255, 255, 0xcd),
	BEFORE("stale-61-s-ahead", R(HDR_STALE), AT_TIME, 0, 0, 0, 71),
	BEFORE("stale-a-day-old", R(HDR_STALE), AT_TIME, 255, 254, 0xae, 0x8a),
	BEFORE("stale-a-day-ahead", R(HDR_STALE), AT_TIME, 0, 1, 0x51, 0x8a),
	BEFORE("stale-half-of-time", R(HDR_STALE), AT_TIME, 128, 0, 0, NOW),

	BEFORE("client-zero", R(HDR_TUPLE), AT_SADDR, 0, 0, 0, 0),
	BEFORE("client-loopback", R(HDR_TUPLE), AT_SADDR, 127, 0, 0, 1),
	BEFORE("client-multicast", R(HDR_TUPLE), AT_SADDR, 224, 0, 0, 1),
	BEFORE("client-broadcast", R(HDR_TUPLE), AT_SADDR, 255, 255, 255, 255),
	BEFORE("server-zero", R(HDR_TUPLE), AT_DADDR, 0, 0, 0, 0),
	BEFORE("server-loopback", R(HDR_TUPLE), AT_DADDR, 127, 0, 0, 1),
	BEFORE("server-multicast", R(HDR_TUPLE), AT_DADDR, 239, 1, 1, 1),
	BEFORE("server-broadcast", R(HDR_TUPLE), AT_DADDR, 255, 255, 255, 255),
	BEFORE("client-port-0", R(HDR_TUPLE), AT_SPORT, 0, 0),
	BEFORE("server-port-0", R(HDR_TUPLE), AT_DPORT, 0, 0),
	BEFORE("hop-zero", R(HDR_TUPLE), AT_HOP, 0, 0, 0, 0),
	BEFORE("hop-loopback", R(HDR_TUPLE), AT_HOP, 127, 0, 0, 1),
	BEFORE("last-hop-multicast", R(HDR_TUPLE), AT_LAST_HOP, 224, 0, 0, 1),
	BEFORE("last-hop-broadcast", R(HDR_TUPLE), AT_LAST_HOP, 255, 255, 255,
	       255),
};

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

static void apply(const struct patch *p, u8 *buf)
{
	memcpy(buf + p->at, p->bytes, p->n);
}

/* Writes the payload of a row and returns its length. */
static unsigned int craft(const struct crafted *row, u8 *buf)
{
	const struct mbc_key key = {
		.id = key_ids[row->key],
		.secret = make_key(secrets[row->key]),
	};
	struct mbc_setup s = {
		.time = NOW,
		.super = make_tuple(make_addr(10, 0, 0, 1), 40000,
				    make_addr(10, 0, 0, 4), 80),
	};
	unsigned int len = mbc_setup_len(row->n_hops), i;
	u8 *p;
	u64 mac;

	memset(s.id, 0xa0, sizeof(s.id));
	mbc_setup_encode(&s, &key, buf);

	/* By hand: mbc_setup_encode() writes no more than MBC_MAX_HOPS. */
	buf[AT_LENGTH] = len >> 8;
	buf[AT_LENGTH + 1] = len;
	buf[AT_N_HOPS] = row->n_hops;
	for (p = buf + AT_HOP, i = row->n_hops; i; p += 4, i--) {
		const u8 hop[4] = { 10, 0, i > 2, i > 2 ? i : 5 - i };

		memcpy(p, hop, 4);
	}
	apply(&row->before, buf);
	mac = siphash(buf, p - buf, &key.secret);
	for (i = 0; i < MBC_SETUP_MAC; i++)
		*p++ = mac >> 8 * i;
	apply(&row->after, buf);

	if (row->keep)
		return row->keep;
	memset(buf + len, FILL, row->append);
	return len + row->append;
}

static enum mbc_reason judge(const u8 *data, unsigned int len)
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
	return mbc_setup_decode(&s, data, len, keys, ARRAY_SIZE(keys), NOW,
				FRESHNESS);
}

static const char header[] =
"# SPDX-License-Identifier: GPL-2.0-only\n"
"# SYN payloads and the enum mbc_reason that mbc_setup_decode() gives for each;\n"
"# NO_MAGIC: not even a candidate, no counter moves; NONE: accepted.\n"
"# Columns: reason, name, payload. Made by `kcore --print crafted`.\n"
"#\n"
"# They are for the host 10.0.0.2 at the time below, with a freshness of so many\n"
"# seconds. To send them at another time T, add T - now to bytes 12 to 15 of the\n"
"# rows with NONE, HDR_STALE and HDR_TUPLE, modulo 2^32, and sign again: the last\n"
"# 8 bytes of the header, whose length is in bytes 6 and 7, are SipHash-2-4 of\n"
"# those before them, little-endian, with the key named in bytes 8 to 11. The\n"
"# other rows are refused before anyone looks at the time. All of them have the\n"
"# same session id. The hook goes on to judge those with NONE: one that names no\n"
"# hop is the server's alone.\n";

void crafted_print(FILE *out)
{
	u8 buf[MAX_PAYLOAD];
	unsigned int i;

	fprintf(out, "%snow %u\nfreshness %u\n", header, NOW, FRESHNESS);
	for (i = 0; i < 2; i++) {
		fprintf(out, "key %u ", key_ids[i]);
		print_hex(out, secrets[i], MBC_KEY_LEN);
		fputc('\n', out);
	}
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		fprintf(out, "%s %s ", reason_name(rows[i].want),
			rows[i].name);
		print_hex(out, buf, craft(&rows[i], buf));
		fputc('\n', out);
	}
}

void crafted_test(void)
{
	u8 buf[MAX_PAYLOAD], *exact;
	unsigned int i, len;
	enum mbc_reason got;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct crafted *row = &rows[i];

		test_begin("%s gives %s", row->name, reason_name(row->want));
		len = craft(row, buf);
		exact = malloc(len);	/* ASan guards its end */
		memcpy(exact, buf, len);
		got = judge(exact, len);
		EXPECT(got == row->want, "got %s", reason_name(got));
		free(exact);
	}

	test_begin("the bytes are those of testdata/crafted.txt");
	test_file("testdata/crafted.txt", crafted_print);
}
