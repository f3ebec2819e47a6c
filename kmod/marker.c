// SPDX-License-Identifier: GPL-2.0-only
#include "marker.h"

#include <linux/build_bug.h>
#include <linux/string.h>
#include <asm/byteorder.h>

struct option {
	u8 kind;
	u8 len;			/* without @pad */
	__be16 exid;
	u8 version;
	u8 dir;
	u8 migration[8];	/* big-endian */
	u8 mac[8];		/* little-endian */
	u8 pad[2];		/* no operation, twice */
};
static_assert(sizeof(struct option) == MBC_MARKER_LEN);

#define OPTION_LEN (MBC_MARKER_LEN - 2)
#define NOP 1
#define END 0

/* The session's id does not travel: who receives the marker knows it. */
static void sign(struct option *o, const struct mbc_marker *m,
		 const struct mbc_key *key)
{
	u8 text[MBC_ID_LEN + offsetof(struct option, mac)];
	__le64 mac;

	memcpy(text, m->session, MBC_ID_LEN);
	memcpy(text + MBC_ID_LEN, o, offsetof(struct option, mac));
	mac = cpu_to_le64(siphash(text, sizeof(text), &key->secret));
	memcpy(o->mac, &mac, sizeof(mac));
}

void mbc_marker_encode(const struct mbc_marker *m, const struct mbc_key *key,
		       u8 *buf)
{
	const __be64 migration = cpu_to_be64(m->migration);
	struct option o = {
		.kind = MBC_MARKER_KIND,
		.len = OPTION_LEN,
		.exid = cpu_to_be16(MBC_MARKER_EXID),
		.version = MBC_MARKER_VERSION,
		.dir = m->dir,
		.pad = { NOP, NOP },
	};

	memcpy(o.migration, &migration, sizeof(migration));
	sign(&o, m, key);
	memcpy(buf, &o, sizeof(o));
}

/* The option that might be one, or NULL. */
static const u8 *find(const u8 *options, unsigned int len)
{
	unsigned int i = 0;

	while (i < len && options[i] != END) {
		if (options[i] == NOP) {
			i++;
			continue;
		}
		if (i + 1 >= len || options[i + 1] < 2 ||
		    options[i + 1] > len - i)
			return NULL;
		if (options[i] == MBC_MARKER_KIND &&
		    options[i + 1] == OPTION_LEN)
			return options + i;
		i += options[i + 1];
	}
	return NULL;
}

/* The MACs are compared as numbers, which takes as long wherever they differ. */
static bool equal(const struct option *a, const struct option *b)
{
	u64 x, y;

	memcpy(&x, a->mac, sizeof(x));
	memcpy(&y, b->mac, sizeof(y));
	return x == y && !memcmp(a, b, offsetof(struct option, mac));
}

bool mbc_marker_verify(const struct mbc_marker *m, const u8 *options,
		       unsigned int len, const struct mbc_key *keys,
		       unsigned int n_keys)
{
	const u8 *at = find(options, len);
	struct option got = {}, want;
	unsigned int i;

	if (!at)
		return false;
	memcpy(&got, at, OPTION_LEN);
	for (i = 0; i < n_keys; i++) {
		mbc_marker_encode(m, &keys[i], (u8 *)&want);
		if (equal(&got, &want))
			return true;
	}
	return false;
}
