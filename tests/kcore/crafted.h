/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of crafted SYN payloads: what is wrong with each, and the reason
 * it is refused for. crafted.c makes the bytes.
 */
#ifndef KCORE_CRAFTED_H
#define KCORE_CRAFTED_H

#include "setup.h"

#define CRAFTED_NOW 10		/* just behind the wrap of 2^32 */
#define CRAFTED_FRESHNESS 60
#define NO_MAGIC __MBC_REASON_MAX	/* mbc_setup_probe() says no */

/*
 * Where things are in a header with two hops. Behind the head that goes by the
 * family: these stand for their fields, with room for 31 bytes more.
 */
enum {
	AT_MAGIC = 0, AT_VERSION = 4, AT_FLAGS = 5, AT_LENGTH = 6,
	AT_KEY = 8, AT_TIME = 12, AT_ID = 16, AT_PROTO = 32, AT_FAMILY = 33,
	AT_N_HOPS = 34, AT_RESERVED = 35,
	AT_SADDR = 64, AT_DADDR = 96, AT_SPORT = 128, AT_DPORT = 160,
	AT_HOP = 192, AT_LAST_HOP = 224, AT_MAC = 256,
};

/** struct patch - bytes to write into a header, or an address in text */
struct patch {
	u16 at;
	u8 n, bytes[8];
	const char *addr;
};

/** struct crafted - a payload; all but a name and a reason may be left out */
struct crafted {
	const char *name;
	enum mbc_reason want;
	u8 family;		/* of the packet; 0: one of each */
	u8 header;		/* family of the header; 0: the same */
	u8 n_hops;
	u8 key;			/* index: signs */
	struct patch before;	/* the MAC is made: it covers this */
	struct patch after;	/* ... or does not */
	u16 keep;		/* bytes of the header, 0: all */
	u16 append;		/* bytes behind it */
};

extern const struct crafted crafted_rows[];
extern const unsigned int crafted_n_rows;

#endif /* KCORE_CRAFTED_H */
