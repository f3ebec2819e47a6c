// SPDX-License-Identifier: GPL-2.0-only
/*
 * Progress of sessions. The input is segments of six bytes: direction and
 * flags, sequence number, acknowledgement number (small, signed), length.
 */
#include "fuzz.h"
#include "tcp.h"

#include <linux/string.h>

#define BOTH 3

/* The state, had there been no RST. */
static u8 calm_state(const struct mbc_tcp *tcp)
{
	return tcp->state == MBC_TCP_RESET ? tcp->before_reset : tcp->state;
}

static void check_state(const struct mbc_tcp *tcp)
{
	const u8 state = calm_state(tcp);

	MUST(state < MBC_TCP_RESET);
	MUST(!(tcp->fin_acked & ~tcp->fin_seen));
	MUST(!(tcp->fin_seen & ~BOTH));
	MUST((state == MBC_TCP_CLOSED) == (tcp->fin_acked == BOTH));
	MUST((state == MBC_TCP_CLOSING) ==
	     (tcp->fin_seen && tcp->fin_acked != BOTH));
}

static void check_step(struct mbc_tcp *tcp, enum mbc_dir dir,
		       const struct mbc_segment *seg)
{
	const struct mbc_tcp before = *tcp;
	const bool interesting = mbc_tcp_interesting(tcp, seg->flags);
	const bool changed = mbc_tcp_step(tcp, dir, seg);

	check_state(tcp);
	MUST(changed == (tcp->state != before.state));
	MUST(interesting || !memcmp(tcp, &before, sizeof(before)));
	if (seg->flags & MBC_TCP_RST)
		MUST(tcp->fin_seen == before.fin_seen &&
		     tcp->fin_acked == before.fin_acked);
	else if (before.state != MBC_TCP_RESET || dir != before.rst_dir)
		MUST(tcp->state != MBC_TCP_RESET);
	if (seg->flags & MBC_TCP_SYN_FLAG)
		MUST(tcp->fin_seen == before.fin_seen);

	/* The same again, as the network may do, changes nothing more. */
	struct mbc_tcp twice = *tcp;

	MUST(!mbc_tcp_step(&twice, dir, seg));
	MUST(!memcmp(&twice, tcp, sizeof(twice)));
}

void fuzz_tcp(const u8 *data, size_t len)
{
	struct fuzz_input in = { data, len };
	struct mbc_tcp tcp = { 0 };
	struct mbc_tcp shifted = { 0 };	/* far away, across the wrap */
	struct mbc_tcp calm = { 0 };	/* never sees an RST */
	const u32 shift[2] = { 0xffffff80, 0x7fffff80 };

	while (in.len) {
		const u8 first = fuzz_take(&in, 1);
		const enum mbc_dir dir = first & 0x80 ? MBC_LEFT : MBC_RIGHT;
		const s32 seq = (s32)(fuzz_take(&in, 2) << 16) >> 16;
		const s32 ack = (s32)(fuzz_take(&in, 2) << 16) >> 16;
		struct mbc_segment seg = {
			.flags = first & 0x7f,
			.seq = seq, .ack = ack, .len = fuzz_take(&in, 1),
		};

		check_step(&tcp, dir, &seg);

		if (!(seg.flags & MBC_TCP_RST)) {
			mbc_tcp_step(&calm, dir, &seg);
			MUST(calm.state == calm_state(&tcp) &&
			     calm.fin_seen == tcp.fin_seen &&
			     calm.fin_acked == tcp.fin_acked);
		}

		seg.seq += shift[dir];
		seg.ack += shift[!dir];
		check_step(&shifted, dir, &seg);
		MUST(shifted.state == tcp.state);
	}
}
