/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How far a TCP session has come, as a host on its path can tell. Pure: no skb,
 * lock or allocation.
 */
#ifndef MBC_TCP_H
#define MBC_TCP_H

#include <linux/compiler.h>
#include <linux/types.h>
#include "uapi/mbchain.h"

/** enum mbc_dir - which way a packet travels */
enum mbc_dir {
	MBC_RIGHT,	/* client to server */
	MBC_LEFT,	/* server to client */
};

/* TCP flags as in byte 13 of the header */
#define MBC_TCP_FIN 0x01
#define MBC_TCP_SYN_FLAG 0x02
#define MBC_TCP_RST 0x04
#define MBC_TCP_ACK 0x10

/**
 * struct mbc_tcp - one session's progress
 * @state: enum mbc_tcp_state
 * @fin_seen: bit per enum mbc_dir: a FIN has passed this way
 * @fin_acked: bit per enum mbc_dir: the FIN that passed this way is
 *	acknowledged
 * @before_reset: in RESET: state to return to when there is a sign of life
 * @rst_dir: in RESET: enum mbc_dir of the newest RST
 * @fin_end: sequence number after the FIN, host byte order, per direction;
 *	valid where @fin_seen says so
 * @rst_seq: in RESET: sequence number of the newest RST, host byte order
 */
struct mbc_tcp {
	u8 state;
	u8 fin_seen;
	u8 fin_acked;
	u8 before_reset;
	u8 rst_dir;
	u32 fin_end[2];
	u32 rst_seq;
};

/**
 * struct mbc_segment - what one TCP segment says
 * @seq: its sequence number, host byte order
 * @ack: its acknowledgement number, host byte order; valid with MBC_TCP_ACK
 * @len: bytes of data in it; for a GSO packet all of them
 * @flags: MBC_TCP_*
 */
struct mbc_segment {
	u32 seq;
	u32 ack;
	u32 len;
	u8 flags;
};

/** mbc_seq_reaches() - is sequence number @a at or behind @b? Serial arithmetic */
static inline bool mbc_seq_reaches(u32 a, u32 b)
{
	return (s32)(a - b) >= 0;
}

/**
 * mbc_tcp_step() - take note of one segment
 * @tcp: zeroed for a new session
 * @dir: which way it travels
 * @seg: the segment
 *
 * ESTABLISHED comes with a SYN-ACK to the left; for a session met in its
 * middle, with the first segment of a stream in either direction. After a SYN
 * only the client's next segment also counts: one from the server may be the
 * answer of an older connection (RFC 9293, section 3.10.7.4).
 *
 * A session is CLOSED once both FINs are seen and both acknowledged. A FIN
 * beside a SYN does not count. The last FIN seen is the one that counts, and a
 * segment that reaches beyond it shows that it was a stranger's: it is
 * forgotten, and the session is as open as it was.
 *
 * RST leads to RESET from every state but CLOSED, and a sign of life leads back,
 * for the end host may have judged that RST invalid (RFC 5961). Segments that
 * the sender of the RST had sent before it may come later, and do not: they
 * reach no further than its sequence number. A new SYN never leads out of a
 * state here, RESET apart: the caller decides whether it opens a new session.
 *
 * Sequence numbers of both directions must be those of one place on the path:
 * an NF between two places may change them.
 *
 * Return: true if @tcp->state changed.
 */
bool mbc_tcp_step(struct mbc_tcp *tcp, enum mbc_dir dir,
		  const struct mbc_segment *seg);

/**
 * mbc_tcp_interesting() - can this segment change any state at all?
 * @tcp: the session
 * @flags: MBC_TCP_*
 *
 * Cheap test for the packet path, so that data and ACKs of an established
 * session need neither the lock nor mbc_tcp_step().
 *
 * Return: false if mbc_tcp_step() would leave @tcp as it is.
 */
static inline bool mbc_tcp_interesting(const struct mbc_tcp *tcp, u8 flags)
{
	return READ_ONCE(tcp->state) != MBC_TCP_ESTABLISHED ||
	       flags & (MBC_TCP_FIN | MBC_TCP_SYN_FLAG | MBC_TCP_RST);
}

#endif /* MBC_TCP_H */
