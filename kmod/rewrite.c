// SPDX-License-Identifier: GPL-2.0-only
/* What few packets need; the rest is inline. */
#include "rewrite.h"

#include <linux/tcp.h>
#include <linux/udp.h>

/* The sum over all bytes: ports and addresses changed, and both header fields
 * made up for it, the TCP or UDP one for the addresses as well. Over IPv4 UDP
 * need not have one, and then nobody wants the sum.
 */
void mbc_rewrite_complete4(struct sk_buff *skb, unsigned int l4_off,
			   struct mbc_xlate x)
{
	if (x.back->proto == IPPROTO_UDP &&
	    !((struct udphdr *)(skb->data + l4_off))->check)
		skb->ip_summed = CHECKSUM_NONE;
	else
		skb->csum = ~csum_sub((__force __wsum)x.diff.addr, skb->csum);
}

void mbc_rewrite_step(struct mbc_session *s, enum mbc_dir dir,
		      const struct sk_buff *skb, unsigned int l4_off, u8 flags)
{
	const struct tcphdr *th = (const struct tcphdr *)(skb->data + l4_off);
	struct mbc_segment seg = { .flags = flags };

	if (mbc_session_back(s)->proto == IPPROTO_TCP) {
		seg.seq = ntohl(th->seq);
		seg.ack = ntohl(th->ack_seq);
		seg.len = skb->len - l4_off - th->doff * 4;
	}
	mbc_session_step(s, dir, &seg);
}
