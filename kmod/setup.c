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

/* The part on the wire that is the same for both families; then addresses and
 * ports of the supersession, the hops, and the MAC of all before it.
 */
struct setup_head {
	__be32 magic;
	u8 version;
	u8 flags;
	__be16 length;		/* all of the header, with the MAC */
	__be32 key_id;
	__be32 time;
	u8 id[MBC_ID_LEN];
	u8 proto;
	u8 family;		/* 4 or 6 */
	u8 n_hops;
	u8 reserved;
};
static_assert(sizeof(struct setup_head) == MBC_SETUP_HEAD);

static u8 wire_family(u8 family)
{
	return family == AF_INET6 ? 6 : 4;
}

static u64 setup_mac(const u8 *header, unsigned int len,
		     const struct mbc_key *key)
{
	return siphash(header, len - MBC_SETUP_MAC, &key->secret);
}

bool mbc_setup_probe(const u8 *data, unsigned int len)
{
	const __be32 magic = cpu_to_be32(MBC_SETUP_MAGIC);

	return len >= sizeof(magic) && !memcmp(data, &magic, sizeof(magic));
}

static u8 *put(u8 *to, const void *from, unsigned int len)
{
	memcpy(to, from, len);
	return to + len;
}

unsigned int mbc_setup_encode(const struct mbc_setup *s,
			      const struct mbc_key *key, u8 *buf)
{
	const u8 family = s->super.family;
	const unsigned int addr_len = mbc_addr_len(family);
	const unsigned int len = mbc_setup_len(family, s->n_hops);
	struct setup_head head = {
		.magic = cpu_to_be32(MBC_SETUP_MAGIC),
		.version = MBC_SETUP_VERSION,
		.length = cpu_to_be16(len),
		.key_id = cpu_to_be32(key->id),
		.time = cpu_to_be32(s->time),
		.proto = s->super.proto,
		.family = wire_family(family),
		.n_hops = s->n_hops,
	};
	unsigned int i;
	__le64 mac;
	u8 *p;

	memcpy(head.id, s->id, sizeof(head.id));
	p = put(buf, &head, sizeof(head));
	p = put(p, &s->super.saddr, addr_len);
	p = put(p, &s->super.daddr, addr_len);
	p = put(p, &s->super.sport, sizeof(s->super.sport));
	p = put(p, &s->super.dport, sizeof(s->super.dport));
	for (i = 0; i < s->n_hops; i++)
		p = put(p, &s->hops[i], addr_len);
	mac = cpu_to_le64(setup_mac(buf, len, key));
	put(p, &mac, sizeof(mac));
	return len;
}

/* The checks that need no key. */
static enum mbc_reason check_form(const struct setup_head *h, u8 family,
				  unsigned int len)
{
	if (h->version != MBC_SETUP_VERSION)
		return MBC_REASON_HDR_VERSION;
	if (h->flags || h->reserved)
		return MBC_REASON_HDR_FLAGS;
	if (h->family != wire_family(family) || h->proto != IPPROTO_TCP)
		return MBC_REASON_HDR_PROTO;
	if (!h->n_hops || h->n_hops > MBC_MAX_HOPS)
		return MBC_REASON_HDR_HOPS;
	if (be16_to_cpu(h->length) != mbc_setup_len(family, h->n_hops))
		return MBC_REASON_HDR_LENGTH;
	if (len < mbc_setup_len(family, h->n_hops))
		return MBC_REASON_HDR_TRUNCATED;
	return MBC_REASON_NONE;
}

static enum mbc_reason check_mac(const struct setup_head *h, const u8 *data,
				 const struct mbc_key *keys,
				 unsigned int n_keys)
{
	const unsigned int len = be16_to_cpu(h->length);
	const u32 key_id = be32_to_cpu(h->key_id);
	unsigned int i = 0;
	__le64 mac;

	while (i < n_keys && keys[i].id != key_id)
		i++;
	if (i == n_keys)
		return MBC_REASON_HDR_KEY;

	memcpy(&mac, data + len - MBC_SETUP_MAC, sizeof(mac));
	/* One number, not bytes in turn: takes the same time wherever they
	 * differ.
	 */
	if (le64_to_cpu(mac) ^ setup_mac(data, len, &keys[i]))
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
		if (!mbc_addr_valid(&s->hops[i], s->super.family))
			return MBC_REASON_HDR_TUPLE;
	}
	return MBC_REASON_NONE;
}

static const u8 *take(void *to, const u8 *from, unsigned int len)
{
	memcpy(to, from, len);
	return from + len;
}

enum mbc_reason mbc_setup_decode(struct mbc_setup *s, u8 family,
				 const u8 *data, unsigned int len,
				 const struct mbc_key *keys,
				 unsigned int n_keys, u32 now, u32 freshness)
{
	const unsigned int addr_len = mbc_addr_len(family);
	struct setup_head head;
	enum mbc_reason reason;
	unsigned int i;
	const u8 *p;

	if (len < mbc_setup_len(family, 0))
		return MBC_REASON_HDR_TRUNCATED;
	p = take(&head, data, sizeof(head));
	reason = check_form(&head, family, len);
	if (reason)
		return reason;
	reason = check_mac(&head, data, keys, n_keys);
	if (reason)
		return reason;

	memset(s, 0, sizeof(*s));
	memcpy(s->id, head.id, sizeof(s->id));
	s->key_id = be32_to_cpu(head.key_id);
	s->time = be32_to_cpu(head.time);
	s->super.proto = head.proto;
	s->super.family = family;
	s->n_hops = head.n_hops;
	p = take(&s->super.saddr, p, addr_len);
	p = take(&s->super.daddr, p, addr_len);
	p = take(&s->super.sport, p, sizeof(s->super.sport));
	p = take(&s->super.dport, p, sizeof(s->super.dport));
	for (i = 0; i < s->n_hops; i++)
		p = take(&s->hops[i], p, addr_len);
	return check_content(s, now, freshness);
}
