/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The marker that a host sends behind the last packet over a path that a session
 * leaves, UPDATE-FIN in the paper (section 5.2): a TCP option in a segment
 * without data, so that whoever does not know it sees one more acknowledgement.
 * docs/PROTOCOL.md has the layout. Pure: no skb, lock or allocation.
 */
#ifndef MBC_MARKER_H
#define MBC_MARKER_H

#include "setup.h"
#include "tcp.h"

#define MBC_MARKER_LEN 28	/* bytes of options, padding included */
#define MBC_MARKER_KIND 253	/* for experiments, RFC 4727 */
#define MBC_MARKER_EXID 0x6d62u	/* "mb", RFC 6994 */
#define MBC_MARKER_VERSION 1

/**
 * struct mbc_marker - what one says
 * @session: id of the session
 * @migration: id of the migration, any 64 bits
 * @dir: enum mbc_dir: behind the packets that travel this way
 * @known: there is an @end
 * @end: sequence number behind the last byte of what its sender has sent before it
 *	over the subsession, host byte order
 */
struct mbc_marker {
	u8 session[MBC_ID_LEN];
	u64 migration;
	u8 dir;
	bool known;
	u32 end;
};

/** enum mbc_marker_kind - what TCP options hold */
enum mbc_marker_kind {
	MBC_MARKER_NONE,
	MBC_MARKER_STRANGE,	/* a marker of something else, or forged */
	MBC_MARKER_OURS,
};

/**
 * mbc_marker_encode() - write the option
 * @key: signs
 * @buf: where to, MBC_MARKER_LEN bytes
 */
void mbc_marker_encode(const struct mbc_marker *m, const struct mbc_key *key,
		       u8 *buf);

/**
 * mbc_marker_read() - is there a marker of @m's session, migration and direction?
 * @m: @known and @end are set if it is ours
 * @options: TCP options, @len bytes; nothing else is read
 * @len: 0 to 40
 * @keys: one of these has signed, compared in constant time
 * @n_keys: how many, may be 0
 */
enum mbc_marker_kind mbc_marker_read(struct mbc_marker *m, const u8 *options,
				     unsigned int len,
				     const struct mbc_key *keys,
				     unsigned int n_keys);

#endif /* MBC_MARKER_H */
