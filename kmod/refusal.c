// SPDX-License-Identifier: GPL-2.0-only
#include "refusal.h"

#include <net/checksum.h>
#include "hold.h"
#include "stats.h"

/* Bytes of the header that came with @n_hops in it. */
static u32 header(const struct mbc_session *s, unsigned int n_hops)
{
	return mbc_setup_len(mbc_session_back(s)->family, n_hops);
}

bool mbc_refusal_is(const struct mbc_packet *p, const struct mbc_entry *e)
{
	const struct mbc_session *s = mbc_entry_session(e);

	return e->slot == MBC_IN_RIGHT && p->flags & MBC_TCP_ACK && s->syns &&
	       READ_ONCE(s->tcp.state) == MBC_TCP_SYN &&
	       ntohl(mbc_packet_tcp(p)->ack_seq) ==
		       s->isn + 1 + header(s, s->n_hops) + s->syn_data;
}

static bool move_ack(struct mbc_net *mn, struct mbc_packet *p, u32 by)
{
	struct tcphdr *th;
	__be32 ack;

	if (!mbc_packet_writable(p->skb, p->data_off)) {
		mbc_count(mn, MBC_REASON_NOT_WRITABLE);
		return false;
	}
	th = mbc_packet_tcp(p);
	ack = htonl(ntohl(th->ack_seq) + by);
	inet_proto_csum_replace4(&th->check, p->skb, th->ack_seq, ack, false);
	th->ack_seq = ack;
	return true;
}

enum mbc_verdict mbc_refusal_take(struct mbc_net *mn, struct mbc_packet *p,
				  struct mbc_session *s)
{
	if (!move_ack(mn, p, -header(s, s->n_hops)))
		return MBC_DROP;
	WRITE_ONCE(s->refused, true);
	if (s->role == MBC_ROLE_CLIENT &&
	    s->on_failure == MBC_ON_FAILURE_BYPASS) {
		mbc_hold_begin(s);
		mbc_hold_failed(s, MBC_REASON_SYN_REFUSED);
		return MBC_DROP;
	}
	mbc_count(mn, MBC_REASON_SYN_REFUSED);
	return MBC_ACCEPT;
}

bool mbc_refusal_tell(struct mbc_net *mn, struct mbc_packet *p,
		      const struct mbc_session *s)
{
	return move_ack(mn, p, header(s, s->n_hops + 1));
}
