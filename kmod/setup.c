// SPDX-License-Identifier: GPL-2.0-only
/*
 * The set-up header, coded and checked. Pure: the in hook decodes, the out
 * hook encodes.
 */
#include "setup.h"

#include <linux/build_bug.h>
#include <linux/in.h>
#include <linux/string.h>
#include <asm/byteorder.h>

#define SETUP_FAMILY 4	/* of the addresses: IPv4 */

/* The fixed part on the wire; then the hops, then the MAC of all before it. */
struct setup_wire {
	__be32 magic;
	u8 version;
	u8 flags;
	__be16 length;		/* all of the header, with the MAC */
	__be32 key_id;
	__be32 time;
	u8 id[MBC_ID_LEN];
	u8 proto;
	u8 family;
	u8 n_hops;
	u8 reserved;
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
};
static_assert(sizeof(struct setup_wire) == MBC_SETUP_FIXED);

static u64 setup_mac(const u8 *header, unsigned int n_hops,
		     const struct mbc_key *key)
{
	return siphash(header, mbc_setup_len(n_hops) - MBC_SETUP_MAC,
		       &key->secret);
}

bool mbc_setup_probe(const u8 *data, unsigned int len)
{
	const __be32 magic = cpu_to_be32(MBC_SETUP_MAGIC);

	return len >= sizeof(magic) && !memcmp(data, &magic, sizeof(magic));
}

unsigned int mbc_setup_encode(const struct mbc_setup *s,
			      const struct mbc_key *key, u8 *buf)
{
	const unsigned int len = mbc_setup_len(s->n_hops);
	const struct setup_wire w = {
		.magic = cpu_to_be32(MBC_SETUP_MAGIC),
		.version = MBC_SETUP_VERSION,
		.length = cpu_to_be16(len),
		.key_id = cpu_to_be32(key->id),
		.time = cpu_to_be32(s->time),
		.proto = s->super.proto,
		.family = SETUP_FAMILY,
		.n_hops = s->n_hops,
		.saddr = s->super.saddr,
		.daddr = s->super.daddr,
		.sport = s->super.sport,
		.dport = s->super.dport,
	};
	__le64 mac;

	memcpy(buf, &w, sizeof(w));
	memcpy(buf + offsetof(struct setup_wire, id), s->id, sizeof(s->id));
	memcpy(buf + MBC_SETUP_FIXED, s->hops,
	       s->n_hops * sizeof(s->hops[0]));
	mac = cpu_to_le64(setup_mac(buf, s->n_hops, key));
	memcpy(buf + len - MBC_SETUP_MAC, &mac, sizeof(mac));
	return len;
}

/* The checks that need no key. */
static enum mbc_reason check_form(const struct setup_wire *w, unsigned int len)
{
	if (w->version != MBC_SETUP_VERSION)
		return MBC_REASON_HDR_VERSION;
	if (w->flags || w->reserved)
		return MBC_REASON_HDR_FLAGS;
	if (w->family != SETUP_FAMILY || w->proto != IPPROTO_TCP)
		return MBC_REASON_HDR_PROTO;
	if (!w->n_hops || w->n_hops > MBC_MAX_HOPS)
		return MBC_REASON_HDR_HOPS;
	if (be16_to_cpu(w->length) != mbc_setup_len(w->n_hops))
		return MBC_REASON_HDR_LENGTH;
	if (len < mbc_setup_len(w->n_hops))
		return MBC_REASON_HDR_TRUNCATED;
	return MBC_REASON_NONE;
}

static enum mbc_reason check_mac(const struct setup_wire *w, const u8 *data,
				 const struct mbc_key *keys,
				 unsigned int n_keys)
{
	const u32 key_id = be32_to_cpu(w->key_id);
	unsigned int i = 0;
	__le64 mac;

	while (i < n_keys && keys[i].id != key_id)
		i++;
	if (i == n_keys)
		return MBC_REASON_HDR_KEY;

	memcpy(&mac, data + mbc_setup_len(w->n_hops) - MBC_SETUP_MAC,
	       sizeof(mac));
	/* One number, not bytes in turn: takes the same time wherever they
	 * differ.
	 */
	if (le64_to_cpu(mac) ^ setup_mac(data, w->n_hops, &keys[i]))
		return MBC_REASON_HDR_MAC;
	return MBC_REASON_NONE;
}

static bool fresh(u32 time, u32 now, u32 freshness)
{
	return now - time <= freshness || time - now <= freshness;
}

/* What an authentic sender must not have said. */
static enum mbc_reason check_content(const struct mbc_setup *s, u32 now,
				     u32 freshness)
{
	unsigned int i;

	if (!fresh(s->time, now, freshness))
		return MBC_REASON_HDR_STALE;
	if (!mbc_tuple_valid(&s->super))
		return MBC_REASON_HDR_TUPLE;
	for (i = 0; i < s->n_hops; i++) {
		if (!mbc_addr_valid(s->hops[i]))
			return MBC_REASON_HDR_TUPLE;
	}
	return MBC_REASON_NONE;
}

enum mbc_reason mbc_setup_decode(struct mbc_setup *s, const u8 *data,
				 unsigned int len, const struct mbc_key *keys,
				 unsigned int n_keys, u32 now, u32 freshness)
{
	struct setup_wire w;
	enum mbc_reason reason;

	if (len < MBC_SETUP_MIN)
		return MBC_REASON_HDR_TRUNCATED;
	memcpy(&w, data, sizeof(w));
	reason = check_form(&w, len);
	if (reason)
		return reason;
	reason = check_mac(&w, data, keys, n_keys);
	if (reason)
		return reason;

	*s = (struct mbc_setup){
		.key_id = be32_to_cpu(w.key_id),
		.time = be32_to_cpu(w.time),
		.super = {
			.saddr = w.saddr, .daddr = w.daddr,
			.sport = w.sport, .dport = w.dport,
			.proto = w.proto,
		},
		.n_hops = w.n_hops,
	};
	memcpy(s->id, w.id, sizeof(s->id));
	memcpy(s->hops, data + MBC_SETUP_FIXED, w.n_hops * sizeof(s->hops[0]));
	return check_content(s, now, freshness);
}
