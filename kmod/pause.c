// SPDX-License-Identifier: GPL-2.0-only
/* mbc_session.lock protects mbc_session.paused, which packets read without it,
 * and the queue; packets are sent without the lock.
 */
#include "pause.h"

#include <net/dst.h>
#include "hold.h"
#include "migration.h"
#include "stats.h"

void mbc_pause_begin(struct mbc_session *s, enum mbc_slot slot)
{
	spin_lock(&s->lock);
	WRITE_ONCE(s->paused, BIT(slot));
	spin_unlock(&s->lock);
}

bool mbc_pause_packet(struct mbc_net *mn, struct mbc_packet *p,
		      struct mbc_entry **e, enum mbc_verdict *verdict)
{
	const enum mbc_slot slot = (*e)->slot;
	enum mbc_reason reason;
	struct mbc_session *s;

	if (mbc_packet_is_released(p->skb, p->tuple.family))
		return false;
	s = mbc_session_lock(mbc_entry_session(*e));
	*e = &s->entry[slot];
	if (!(s->paused & BIT(slot))) {
		spin_unlock_bh(&s->lock);
		return false;
	}
	mbc_packet_mark_released(p->skb, p->tuple.family);
	reason = mbc_hold_enqueue(s, p->skb, MBC_PAUSE_PACKETS,
				  MBC_PAUSE_BYTES);
	spin_unlock_bh(&s->lock);
	mbc_count(mn, reason ?: MBC_REASON_PAUSED);
	*verdict = reason ? MBC_DROP : MBC_STOLEN;
	return true;
}

void mbc_pause_hand_over(struct mbc_session *from, struct mbc_session *to)
{
	to->held = from->held;
	from->held = NULL;
	WRITE_ONCE(to->paused, from->paused);
}

/* What waits now; false if that is nothing, and then nothing will. */
static bool dequeue(struct mbc_session *s, struct sk_buff_head *list)
{
	bool some;

	spin_lock_bh(&s->lock);
	some = mbc_hold_dequeue(s, list);
	if (!some)
		WRITE_ONCE(s->paused, 0);
	spin_unlock_bh(&s->lock);
	return some;
}

/* They pass POST_ROUTING again; what comes meanwhile waits behind them. */
void mbc_pause_end(struct mbc_session *s)
{
	struct sk_buff_head list;
	struct sk_buff *skb;

	while (dequeue(s, &list)) {
		local_bh_disable();
		while ((skb = __skb_dequeue(&list)))
			dst_output(s->mn->net, skb->sk, skb);
		local_bh_enable();
	}
}
