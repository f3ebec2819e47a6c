// SPDX-License-Identifier: GPL-2.0-only
#include "marker.h"

#include <linux/build_bug.h>
#include <linux/string.h>
#include <asm/byteorder.h>
#include "option.h"

struct option {
	u8 kind;
	u8 len;			/* without @pad */
	__be16 exid;
	u8 version;
	u8 dir;			/* enum mbc_dir, and KNOWN */
	u8 migration[8];	/* big-endian */
	u8 end[4];		/* big-endian */
	u8 mac[8];		/* little-endian */
	u8 pad[2];		/* no operation, twice */
};
static_assert(sizeof(struct option) == MBC_MARKER_LEN);

#define OPTION_LEN (MBC_MARKER_LEN - 2)
#define KNOWN 2
#define NOP 1

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
	const __be32 end = cpu_to_be32(m->known ? m->end : 0);
	struct option o = {
		.kind = MBC_MARKER_KIND,
		.len = OPTION_LEN,
		.exid = cpu_to_be16(MBC_MARKER_EXID),
		.version = MBC_MARKER_VERSION,
		.dir = m->dir | (m->known ? KNOWN : 0),
		.pad = { NOP, NOP },
	};

	memcpy(o.migration, &migration, sizeof(migration));
	memcpy(o.end, &end, sizeof(end));
	sign(&o, m, key);
	memcpy(buf, &o, sizeof(o));
}

/* The option that might be one, or NULL. */
static const u8 *find(const u8 *options, unsigned int len)
{
	unsigned int i;

	for (i = 0; mbc_option_at(options, len, &i); i += options[i + 1])
		if (options[i] == MBC_MARKER_KIND &&
		    options[i + 1] == OPTION_LEN &&
		    options[i + 2] == MBC_MARKER_EXID >> 8 &&
		    options[i + 3] == (MBC_MARKER_EXID & 0xff))
			return options + i;
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

/* What it says beside what is expected. */
static void take(struct mbc_marker *m, const struct option *o)
{
	__be32 end;

	memcpy(&end, o->end, sizeof(end));
	m->known = o->dir & KNOWN;
	m->end = be32_to_cpu(end);
}

enum mbc_marker_kind mbc_marker_read(struct mbc_marker *m, const u8 *options,
				     unsigned int len,
				     const struct mbc_key *keys,
				     unsigned int n_keys)
{
	const u8 *at = find(options, len);
	struct option got = {}, want;
	struct mbc_marker claimed;
	unsigned int i;

	if (!at)
		return MBC_MARKER_NONE;
	memcpy(&got, at, OPTION_LEN);
	claimed = *m;
	take(&claimed, &got);
	for (i = 0; i < n_keys; i++) {
		mbc_marker_encode(&claimed, &keys[i], (u8 *)&want);
		if (equal(&got, &want)) {
			*m = claimed;
			return MBC_MARKER_OURS;
		}
	}
	return MBC_MARKER_STRANGE;
}
