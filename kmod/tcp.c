// SPDX-License-Identifier: GPL-2.0-only
/*
 * Progress of a TCP session. Pure: the session table calls mbc_tcp_step() under
 * the session's lock.
 *
 *	NONE         SYN                               -> SYN
 *	NONE, SYN    SYN-ACK to the left               -> ESTABLISHED
 *	NONE         segment of a stream               -> ESTABLISHED
 *	SYN          segment of a stream to the right  -> ESTABLISHED
 *	ESTABLISHED  FIN                               -> CLOSING
 *	CLOSING      the last of two FINs acknowledged -> CLOSED
 *	CLOSING      FIN shown to be a stranger's      -> ESTABLISHED
 *	CLOSED       the same                          -> CLOSING
 *	not CLOSED   RST                               -> RESET
 *	RESET        sign of life                      -> where RST came
 *
 * A "segment of a stream" has ACK and neither SYN nor RST. A "sign of life" is
 * whatever can only have been sent by somebody who is not done: a segment the
 * other way than the RST went, or one that reaches beyond it. What the sender
 * of the RST had sent before, and the network delivers after it, is none.
 */
#include "tcp.h"

#define BOTH (1 << MBC_RIGHT | 1 << MBC_LEFT)

/* Sequence number after the last one that the segment takes up. */
static u32 segment_end(const struct mbc_segment *seg)
{
	return seg->seq + seg->len + !!(seg->flags & MBC_TCP_SYN_FLAG) +
	       !!(seg->flags & MBC_TCP_FIN);
}

static bool shows_life(const struct mbc_tcp *tcp, enum mbc_dir dir,
		       const struct mbc_segment *seg)
{
	/* Before there is a stream RST has no sequence number to go by. */
	return dir != tcp->rst_dir ||
	       tcp->before_reset == MBC_TCP_NONE ||
	       tcp->before_reset == MBC_TCP_SYN ||
	       !mbc_seq_reaches(tcp->rst_seq, segment_end(seg));
}

static void note_rst(struct mbc_tcp *tcp, enum mbc_dir dir, u32 seq)
{
	if (tcp->state == MBC_TCP_CLOSED)
		return;
	if (tcp->state != MBC_TCP_RESET)
		tcp->before_reset = tcp->state;
	tcp->state = MBC_TCP_RESET;
	tcp->rst_dir = dir;
	tcp->rst_seq = seq;
}

static void note_syn(struct mbc_tcp *tcp, enum mbc_dir dir, u8 flags)
{
	if (tcp->state != MBC_TCP_NONE && tcp->state != MBC_TCP_SYN)
		return;

	if (dir == MBC_LEFT && flags & MBC_TCP_ACK)
		tcp->state = MBC_TCP_ESTABLISHED;
	else
		tcp->state = MBC_TCP_SYN;
}

static void note_fin(struct mbc_tcp *tcp, enum mbc_dir dir,
		     const struct mbc_segment *seg)
{
	u32 end = seg->seq + seg->len;
	u8 bit = 1 << dir;

	if (seg->flags & MBC_TCP_FIN) {
		end++;
		if (tcp->fin_seen & bit && tcp->fin_end[dir] == end)
			return;
		tcp->fin_seen |= bit;
		tcp->fin_acked &= ~bit;
		tcp->fin_end[dir] = end;
	} else if (tcp->fin_seen & bit && !mbc_seq_reaches(tcp->fin_end[dir], end)) {
		tcp->fin_seen &= ~bit;
		tcp->fin_acked &= ~bit;
	}
}

static void note_ack(struct mbc_tcp *tcp, enum mbc_dir dir, u32 ack)
{
	enum mbc_dir other = dir == MBC_RIGHT ? MBC_LEFT : MBC_RIGHT;
	u8 bit = 1 << other;

	if (tcp->fin_seen & bit && mbc_seq_reaches(ack, tcp->fin_end[other]))
		tcp->fin_acked |= bit;
}

static void note_stream(struct mbc_tcp *tcp, enum mbc_dir dir,
			const struct mbc_segment *seg)
{
	if (tcp->state == MBC_TCP_SYN && dir == MBC_LEFT)
		return;

	note_fin(tcp, dir, seg);
	note_ack(tcp, dir, seg->ack);

	if (!tcp->fin_seen)
		tcp->state = MBC_TCP_ESTABLISHED;
	else if (tcp->fin_acked == BOTH)
		tcp->state = MBC_TCP_CLOSED;
	else
		tcp->state = MBC_TCP_CLOSING;
}

bool mbc_tcp_step(struct mbc_tcp *tcp, enum mbc_dir dir,
		  const struct mbc_segment *seg)
{
	const u8 old = tcp->state;
	const bool stays_reset = old == MBC_TCP_RESET &&
				 !shows_life(tcp, dir, seg);

	if (seg->flags & MBC_TCP_RST) {
		note_rst(tcp, dir, seg->seq);
		return tcp->state != old;
	}

	if (old == MBC_TCP_RESET)
		tcp->state = tcp->before_reset;

	/* No end host takes a segment with neither SYN nor ACK. */
	if (seg->flags & MBC_TCP_SYN_FLAG)
		note_syn(tcp, dir, seg->flags);
	else if (seg->flags & MBC_TCP_ACK)
		note_stream(tcp, dir, seg);

	if (stays_reset) {
		tcp->before_reset = tcp->state;
		tcp->state = MBC_TCP_RESET;
	}
	return tcp->state != old;
}
