// SPDX-License-Identifier: GPL-2.0-only
/* mbc_session.lock protects mbc_session.paused, which packets read without it,
 * and the queue; packets are sent without the lock. mbc_net.lock protects
 * mbc_net.pauses: whoever takes a migration off lets its packets go.
 */
#include "pause.h"

#include <linux/jiffies.h>
#include <net/dst.h>
#include "hold.h"
#include "migration.h"
#include "soon.h"
#include "stats.h"

static bool hold(struct mbc_session *s, enum mbc_slot slot,
		 const struct mbc_pause *bounds)
{
	bool ok;

	spin_lock(&s->lock);
	ok = mbc_hold_prepare(s);
	if (ok) {
		s->held->max_packets = bounds->packets;
		s->held->max_bytes = bounds->bytes;
		s->held->drop = bounds->drop;
		s->held->stamped = false;
		WRITE_ONCE(s->paused, s->paused | BIT(slot));
	}
	spin_unlock(&s->lock);
	return ok;
}

int mbc_pause_begin(struct mbc_migration *m, const struct mbc_pause *bounds)
{
	struct mbc_session *s = mbc_migration_in_use(m);
	unsigned long time = msecs_to_jiffies(bounds->time);

	lockdep_assert_held(&s->mn->lock);
	if (m->in_use != MBC_PATH_OLD || m->facts & BIT(MBC_FACT_OVERFLOW))
		return -EALREADY;
	if (!list_empty(&m->pauses)) {
		if (!bounds->checkpoint)
			mbc_checkpoint_clear(m);
		return 0;
	}
	if (bounds->checkpoint)
		mbc_checkpoint_set(m);
	if (!hold(s, mbc_migration_outlet(m), bounds))
		return -ENOMEM;
	m->full = false;
	m->expires = jiffies + time;
	list_add_tail(&m->pauses, &s->mn->pauses);
	mbc_soon(&s->mn->pause_work, time);
	return 0;
}

static bool is_full(const struct mbc_held *held, const struct sk_buff *skb)
{
	return skb_queue_len(&held->queue) >= held->max_packets ||
	       held->bytes + skb->len > held->max_bytes;
}

/* Too many wait: not for long any more. */
static void end_soon(struct mbc_session *s)
{
	struct mbc_migration *m = rcu_dereference(s->migration);

	if (m && !READ_ONCE(m->full)) {
		WRITE_ONCE(m->full, true);
		mbc_soon(&s->mn->pause_work, 0);
	}
}

/* Beside twice what was asked for, until they go on: those of one round of a device,
 * and the longest packet.
 */
#define MORE_PACKETS 64
#define MORE_BYTES (64 << 10)

static enum mbc_reason keep(struct mbc_session *s, struct sk_buff *skb)
{
	const struct mbc_held *held = s->held;
	enum mbc_reason reason;
	bool full;

	if (!held)
		return MBC_REASON_NO_MEMORY;
	full = is_full(held, skb);
	if (full && held->drop)
		return MBC_REASON_HOLD_FULL;
	reason = mbc_hold_enqueue(s, skb, 2 * held->max_packets + MORE_PACKETS,
				  2 * held->max_bytes + MORE_BYTES);
	if (!held->drop && (full || reason == MBC_REASON_HOLD_FULL))
		end_soon(s);
	return reason;
}

/* What waits of a packet, instead of it; the rest goes on ahead. @s is the first. */
static enum mbc_reason cut(struct mbc_session *s, const struct mbc_packet *p,
			   struct sk_buff **ahead, struct sk_buff **rest)
{
	struct mbc_migration *m = rcu_dereference(s->migration);

	*ahead = NULL;
	*rest = p->skb;
	if (!m || READ_ONCE(m->session[MBC_PATH_OLD]) != s)
		return MBC_REASON_NONE;
	return mbc_checkpoint_cut(m, p, ahead, rest);
}

/* What waits must not look older than what went ahead of it: see renew(). */
static void overtake(struct mbc_held *held, const struct mbc_packet *p)
{
	u32 stamp;

	if (!held || !mbc_packet_stamp(p, &stamp) ||
	    (held->stamped && mbc_seq_reaches(held->stamp, stamp)))
		return;
	held->stamped = true;
	held->stamp = stamp;
}

static void count(struct mbc_net *mn, const struct mbc_packet *p,
		  enum mbc_reason reason, const struct sk_buff *ahead,
		  const struct sk_buff *rest)
{
	mbc_count(mn, reason ?: MBC_REASON_PAUSED);
	if (ahead)
		mbc_count(mn, rest == p->skb ? MBC_REASON_ACK_AHEAD :
					       MBC_REASON_PAUSE_SPLIT);
}

bool mbc_pause_packet(struct mbc_net *mn, struct mbc_packet *p,
		      struct mbc_entry **e, enum mbc_verdict *verdict)
{
	const enum mbc_slot slot = (*e)->slot;
	struct sk_buff *ahead, *rest;
	enum mbc_reason reason;
	struct mbc_session *s;

	if (!(READ_ONCE(mbc_entry_session(*e)->paused) & BIT(slot)) ||
	    mbc_packet_is_released(p->skb, p->tuple.family))
		return false;
	s = mbc_session_lock(mbc_entry_session(*e));
	*e = &s->entry[slot];
	if (!(s->paused & BIT(slot))) {
		spin_unlock_bh(&s->lock);
		return false;
	}
	reason = cut(s, p, &ahead, &rest);
	if (ahead || !rest)
		overtake(s->held, p);
	mbc_packet_mark_released(p->skb, p->tuple.family);
	if (!rest) {
		spin_unlock_bh(&s->lock);
		return false;
	}
	reason = reason ?: keep(s, rest);
	spin_unlock_bh(&s->lock);
	count(mn, p, reason, ahead, rest);
	if (ahead)
		dst_output(mn->net, ahead->sk, ahead);
	if (rest == p->skb) {
		*verdict = reason ? MBC_DROP : MBC_STOLEN;
		return true;
	}
	consume_skb(p->skb);
	if (reason)
		kfree_skb(rest);
	*verdict = MBC_STOLEN;
	return true;
}

/* Who has found @from goes on seeing that it has to look here. */
void mbc_pause_hand_over(struct mbc_session *from, struct mbc_session *to)
{
	swap(to->held, from->held);
	WRITE_ONCE(to->paused,
		   (to->paused & MBC_NOTED) | (from->paused & ~MBC_NOTED));
}

/* What goes on at once. */
struct wave {
	struct sk_buff_head packets;
	bool stamped;	/* as in struct mbc_held */
	u32 stamp;
};

/* What waits now; false if that is nothing, and then nothing will. */
static bool dequeue(struct mbc_session *s, struct wave *w)
{
	bool some;

	s = mbc_session_lock(s);
	some = mbc_hold_dequeue(s, &w->packets);
	if (some) {
		w->stamped = s->held->stamped;
		w->stamp = s->held->stamp;
	} else {
		WRITE_ONCE(s->paused, s->paused & MBC_NOTED);
	}
	spin_unlock_bh(&s->lock);
	return some;
}

/* A receiver drops what has an older timestamp than it has seen (PAWS, RFC 7323 section
 * 5). Short of memory we let it have that one as it is: the sender sends it again.
 */
static void renew(struct mbc_session *s, struct sk_buff *skb, u32 stamp)
{
	struct mbc_packet p;

	if (mbc_packet_parse(&p, s->mn, skb, mbc_session_back(s)->family) &&
	    !mbc_packet_raise_stamp(&p, stamp))
		mbc_count(s->mn, MBC_REASON_NO_MEMORY);
}

/* They pass POST_ROUTING again; what comes meanwhile waits behind them. */
static void release(struct mbc_session *s)
{
	struct sk_buff *skb;
	struct wave w;

	while (dequeue(s, &w)) {
		local_bh_disable();
		while ((skb = __skb_dequeue(&w.packets))) {
			if (w.stamped)
				renew(s, skb, w.stamp);
			dst_output(s->mn->net, skb->sk, skb);
		}
		local_bh_enable();
	}
}

/* Nobody else lets its packets go. mbc_net.lock held. */
static struct mbc_session *take_off(struct mbc_migration *m)
{
	list_del_init(&m->pauses);
	mbc_checkpoint_clear(m);
	return mbc_migration_in_use(m);
}

void mbc_pause_end(struct mbc_net *mn, struct mbc_migration *m)
{
	struct mbc_session *s = NULL;

	spin_lock_bh(&mn->lock);
	if (!list_empty(&m->pauses))
		s = take_off(m);
	spin_unlock_bh(&mn->lock);
	if (s)
		release(s);
}

/* How long a pause may last yet, jiffies. */
static unsigned long patience(const struct mbc_migration *m)
{
	if (READ_ONCE(m->full) || time_after_eq(jiffies, m->expires))
		return 0;
	return m->expires - jiffies;
}

/* The session of one that lasts too long, taken off. */
static struct mbc_session *next(struct mbc_net *mn, unsigned long *left)
{
	struct mbc_session *s = NULL;
	struct mbc_migration *m;

	*left = MAX_JIFFY_OFFSET;
	spin_lock_bh(&mn->lock);
	list_for_each_entry(m, &mn->pauses, pauses) {
		unsigned long time = patience(m);

		*left = min(*left, time);
		if (time)
			continue;
		s = take_off(m);
		mbc_count(mn, MBC_REASON_PAUSE_OVER);
		mbc_migration_note(m, 0, BIT(MBC_FACT_OVERFLOW));
		break;
	}
	spin_unlock_bh(&mn->lock);
	return s;
}

static void work(struct work_struct *w)
{
	struct mbc_net *mn = container_of(to_delayed_work(w), struct mbc_net,
					  pause_work);
	struct mbc_session *s;
	unsigned long left;

	rcu_read_lock();
	while ((s = next(mn, &left)))
		release(s);
	rcu_read_unlock();
	if (left != MAX_JIFFY_OFFSET)
		mbc_soon(&mn->pause_work, left);
}

void mbc_pause_net_init(struct mbc_net *mn)
{
	INIT_LIST_HEAD(&mn->pauses);
	INIT_DELAYED_WORK(&mn->pause_work, work);
}

void mbc_pause_flush(struct mbc_net *mn)
{
	cancel_delayed_work_sync(&mn->pause_work);
}
