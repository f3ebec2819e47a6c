// SPDX-License-Identifier: GPL-2.0-only
/* What is wrong with each crafted payload; see crafted.h. */
#include "crafted.h"
#include "make.h"

#define R(reason) MBC_REASON_##reason
#define P(place, ...) { .at = place, .n = sizeof((u8[]){ __VA_ARGS__ }), \
			.bytes = { __VA_ARGS__ } }
#define CUT_OF(of, bytes, why) \
	{ .name = "cut-to-" #bytes, .want = why, .family = of, .n_hops = 2, \
	  .keep = bytes }
#define CUT(bytes, why) CUT_OF(0, bytes, why)
#define CUT4(bytes) CUT_OF(AF_INET, bytes, R(HDR_TRUNCATED))
#define CUT6(bytes) CUT_OF(AF_INET6, bytes, R(HDR_TRUNCATED))
#define BEFORE_OF(of, label, why, ...) \
	{ .name = label, .want = why, .family = of, .n_hops = 2, \
	  .before = P(__VA_ARGS__) }
#define BEFORE(label, why, ...) BEFORE_OF(0, label, why, __VA_ARGS__)
#define BEFORE4(label, why, ...) BEFORE_OF(AF_INET, label, why, __VA_ARGS__)
#define BEFORE6(label, why, ...) BEFORE_OF(AF_INET6, label, why, __VA_ARGS__)
#define AFTER(label, why, ...) \
	{ .name = label, .want = why, .n_hops = 2, .after = P(__VA_ARGS__) }
#define ADDR_OF(of, label, why, place, text) \
	{ .name = label, .want = why, .family = of, .n_hops = 2, \
	  .before = { .at = place, .addr = text } }
#define ADDR4(label, place, text) \
	ADDR_OF(AF_INET, label, R(HDR_TUPLE), place, text)
#define ADDR6(label, place, text) \
	ADDR_OF(AF_INET6, label, R(HDR_TUPLE), place, text)

const struct crafted crafted_rows[] = {
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
	CUT4(40), CUT4(44), CUT4(46), CUT4(48), CUT4(52), CUT4(55), CUT4(56),
	CUT4(60), CUT4(63),
	/* In every address, and between them. */
	CUT6(44), CUT6(52), CUT6(60), CUT6(64), CUT6(68), CUT6(70), CUT6(72),
	CUT6(79), CUT6(80), CUT6(88), CUT6(96), CUT6(103), CUT6(104),
	CUT6(111),
	{ .name = "no-hop-cut-to-55", .want = R(HDR_TRUNCATED),
	  .family = AF_INET, .keep = 55 },
	{ .name = "no-hop-cut-to-79", .want = R(HDR_TRUNCATED),
	  .family = AF_INET6, .keep = 79 },
	{ .name = "16-hops-cut-to-119", .want = R(HDR_TRUNCATED),
	  .family = AF_INET, .n_hops = 16, .keep = 119 },
	{ .name = "16-hops-cut-to-335", .want = R(HDR_TRUNCATED),
	  .family = AF_INET6, .n_hops = 16, .keep = 335 },

	{ .name = "version-2-cut-to-55", .want = R(HDR_TRUNCATED),
	  .family = AF_INET, .n_hops = 2, .before = P(AT_VERSION, 2),
	  .keep = 55 },
	{ .name = "version-2-cut-to-56", .want = R(HDR_VERSION),
	  .family = AF_INET, .n_hops = 2, .before = P(AT_VERSION, 2),
	  .keep = 56 },
	{ .name = "version-2-cut-to-79", .want = R(HDR_TRUNCATED),
	  .family = AF_INET6, .n_hops = 2, .before = P(AT_VERSION, 2),
	  .keep = 79 },
	{ .name = "version-2-cut-to-80", .want = R(HDR_VERSION),
	  .family = AF_INET6, .n_hops = 2, .before = P(AT_VERSION, 2),
	  .keep = 80 },

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
	BEFORE4("family-6", R(HDR_PROTO), AT_FAMILY, 6),
	BEFORE6("family-4", R(HDR_PROTO), AT_FAMILY, 4),
	BEFORE("family-10", R(HDR_PROTO), AT_FAMILY, AF_INET6),
	/* All is right but for the packet that it is in. */
	{ .name = "ipv6-header", .want = R(HDR_PROTO), .family = AF_INET,
	  .header = AF_INET6, .n_hops = 2 },
	{ .name = "ipv4-header", .want = R(HDR_PROTO), .family = AF_INET6,
	  .header = AF_INET, .n_hops = 16 },
	{ .name = "ipv4-header-below-80", .want = R(HDR_TRUNCATED),
	  .family = AF_INET6, .header = AF_INET, .n_hops = 2 },

	{ .name = "no-hop", .want = R(HDR_HOPS), .n_hops = 0 },
	{ .name = "17-hops", .want = R(HDR_HOPS), .n_hops = 17 },
	{ .name = "255-hops", .want = R(HDR_HOPS), .family = AF_INET,
	  .n_hops = 255 },
	BEFORE("17-hops-claimed", R(HDR_HOPS), AT_N_HOPS, 17),
	BEFORE6("255-hops-claimed", R(HDR_HOPS), AT_N_HOPS, 255),
	{ .name = "17-hops-oversized", .want = R(HDR_HOPS), .family = AF_INET,
	  .n_hops = 17, .append = 1270 },
	{ .name = "17-hops-oversized", .want = R(HDR_HOPS), .family = AF_INET6,
	  .n_hops = 17, .append = 1042 },

	BEFORE("length-0", R(HDR_LENGTH), AT_LENGTH, 0, 0),
	BEFORE4("length-without-mac", R(HDR_LENGTH), AT_LENGTH, 0, 56),
	BEFORE4("length-one-less", R(HDR_LENGTH), AT_LENGTH, 0, 63),
	BEFORE4("length-one-more", R(HDR_LENGTH), AT_LENGTH, 0, 65),
	BEFORE4("length-byte-swapped", R(HDR_LENGTH), AT_LENGTH, 64, 0),
	BEFORE6("length-without-mac", R(HDR_LENGTH), AT_LENGTH, 0, 104),
	BEFORE6("length-one-less", R(HDR_LENGTH), AT_LENGTH, 0, 111),
	BEFORE6("length-one-more", R(HDR_LENGTH), AT_LENGTH, 0, 113),
	BEFORE6("length-byte-swapped", R(HDR_LENGTH), AT_LENGTH, 112, 0),
	BEFORE6("length-of-ipv4", R(HDR_LENGTH), AT_LENGTH, 0, 64),
	BEFORE("length-65535", R(HDR_LENGTH), AT_LENGTH, 255, 255),
	BEFORE("one-hop-less", R(HDR_LENGTH), AT_N_HOPS, 1),
	BEFORE("one-hop-more", R(HDR_LENGTH), AT_N_HOPS, 3),
	{ .name = "length-of-oversized-payload", .want = R(HDR_LENGTH),
	  .family = AF_INET, .n_hops = 2, .before = P(AT_LENGTH, 5, 0x78),
	  .append = 1336 },
	{ .name = "length-of-oversized-payload", .want = R(HDR_LENGTH),
	  .family = AF_INET6, .n_hops = 2, .before = P(AT_LENGTH, 5, 0x78),
	  .append = 1288 },
	{ .name = "hops-and-length-beyond-payload", .want = R(HDR_TRUNCATED),
	  .family = AF_INET, .n_hops = 16, .keep = 64 },
	{ .name = "hops-and-length-beyond-payload", .want = R(HDR_TRUNCATED),
	  .family = AF_INET6, .n_hops = 16, .keep = 112 },

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
	AFTER("time-changed", R(HDR_MAC), AT_TIME + 3, CRAFTED_NOW + 1),
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
	BEFORE("stale-half-of-time", R(HDR_STALE), AT_TIME, 128, 0, 0, CRAFTED_NOW),

	ADDR4("client-zero", AT_SADDR, "0.0.0.0"),
	ADDR4("client-loopback", AT_SADDR, "127.0.0.1"),
	ADDR4("client-multicast", AT_SADDR, "224.0.0.1"),
	ADDR4("client-broadcast", AT_SADDR, "255.255.255.255"),
	ADDR4("server-zero", AT_DADDR, "0.0.0.0"),
	ADDR4("server-loopback", AT_DADDR, "127.0.0.1"),
	ADDR4("server-multicast", AT_DADDR, "239.1.1.1"),
	ADDR4("server-broadcast", AT_DADDR, "255.255.255.255"),
	ADDR6("client-zero", AT_SADDR, "::"),
	ADDR6("client-loopback", AT_SADDR, "::1"),
	ADDR6("client-mapped", AT_SADDR, "::ffff:10.0.0.1"),
	ADDR6("client-link-local", AT_SADDR, "fe80::1"),
	ADDR6("client-multicast", AT_SADDR, "ff02::1"),
	ADDR6("server-zero", AT_DADDR, "::"),
	ADDR6("server-loopback", AT_DADDR, "::1"),
	ADDR6("server-mapped", AT_DADDR, "::ffff:10.0.0.4"),
	ADDR6("server-link-local", AT_DADDR, "febf:ffff::1"),
	ADDR6("server-multicast", AT_DADDR, "ff0e::1"),
	BEFORE("client-port-0", R(HDR_TUPLE), AT_SPORT, 0, 0),
	BEFORE("server-port-0", R(HDR_TUPLE), AT_DPORT, 0, 0),
	ADDR4("hop-zero", AT_HOP, "0.0.0.0"),
	ADDR4("hop-loopback", AT_HOP, "127.0.0.1"),
	ADDR4("last-hop-multicast", AT_LAST_HOP, "224.0.0.1"),
	ADDR4("last-hop-broadcast", AT_LAST_HOP, "255.255.255.255"),
	ADDR6("hop-zero", AT_HOP, "::"),
	ADDR6("hop-loopback", AT_HOP, "::1"),
	ADDR6("hop-mapped", AT_HOP, "::ffff:10.0.0.3"),
	ADDR6("hop-link-local", AT_HOP, "fe80::3"),
	ADDR6("last-hop-mapped", AT_LAST_HOP, "::ffff:10.0.0.4"),
	ADDR6("last-hop-link-local", AT_LAST_HOP, "fe80::4"),
	ADDR6("last-hop-multicast", AT_LAST_HOP, "ff02::1"),
	ADDR_OF(AF_INET6, "good-global-client", R(NONE), AT_SADDR,
		"2001:db8::1"),
};

const unsigned int crafted_n_rows = ARRAY_SIZE(crafted_rows);
