// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting for the agents. mbc_session.lock protects mbc_session.setup, which
 * packets read without it, and the queue; packets are sent without the lock.
 */
#include "hold.h"

#include <linux/jiffies.h>
#include <linux/slab.h>
#include <net/dst.h>
#include "event.h"
#include "stats.h"

static unsigned int room(const struct mbc_session *s)
{
	/* A SYN is all there can be, and one is as good as many. */
	return mbc_session_back(s)->proto == IPPROTO_TCP ? 1 : MBC_MAX_HELD_SESSION;
}

bool mbc_hold_prepare(struct mbc_session *s)
{
	lockdep_assert_held(&s->lock);
	if (s->held)
		return true;
	s->held = kzalloc(sizeof(*s->held), GFP_ATOMIC | __GFP_NOWARN);
	if (!s->held)
		return false;
	__skb_queue_head_init(&s->held->queue);
	return true;
}

/* What a session's packets are counted in that wait, and how many there may be. */
static atomic_t *count_of(const struct mbc_session *s, int *most)
{
	bool paused = s->paused & ~MBC_NOTED;

	*most = paused ? MBC_MAX_PAUSED : MBC_MAX_HELD;
	return paused ? &s->mn->n_paused : &s->mn->n_held;
}

enum mbc_reason mbc_hold_enqueue(struct mbc_session *s, struct sk_buff *skb,
				 unsigned int packets, u32 bytes)
{
	atomic_t *count;
	int most;

	if (!mbc_hold_prepare(s))
		return MBC_REASON_NO_MEMORY;
	if (skb_queue_len(&s->held->queue) >= packets ||
	    s->held->bytes + skb->len > bytes)
		return MBC_REASON_HOLD_FULL;
	if (!skb_dst_force(skb))
		return MBC_REASON_ROUTE_GONE;
	count = count_of(s, &most);
	if (atomic_inc_return(count) > most) {
		atomic_dec(count);
		return MBC_REASON_HOLD_FULL;
	}
	/* It will be sent as if it were our own, by a device that may be gone
	 * by then; the route holds one that is not.
	 */
	skb->dev = NULL;
	__skb_queue_tail(&s->held->queue, skb);
	s->held->bytes += skb->len;
	return MBC_REASON_NONE;
}

bool mbc_hold_dequeue(struct mbc_session *s, struct sk_buff_head *list)
{
	int most;

	lockdep_assert_held(&s->lock);
	__skb_queue_head_init(list);
	if (!s->held || skb_queue_empty(&s->held->queue))
		return false;
	atomic_sub(skb_queue_len(&s->held->queue), count_of(s, &most));
	skb_queue_splice_init(&s->held->queue, list);
	s->held->bytes = 0;
	return true;
}

/* All that is held, to @list; the set-up is over. */
static void dequeue(struct mbc_session *s, struct sk_buff_head *list,
		    enum mbc_setup_state setup)
{
	mbc_hold_dequeue(s, list);
	WRITE_ONCE(s->setup, setup);
	WRITE_ONCE(s->seen, jiffies);
	mbc_session_rearm(s);
}

/* They pass POST_ROUTING again, from its beginning: rules there that changed
 * them find nothing left to change, and conntrack has not confirmed them yet.
 */
static void send_all(struct mbc_session *s, struct sk_buff_head *list)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(list)))
		dst_output(s->mn->net, skb->sk, skb);
}

static void drop_all(struct mbc_session *s, struct sk_buff_head *list)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(list))) {
		mbc_count(s->mn, MBC_REASON_BLOCKED);
		kfree_skb(skb);
	}
}

/* What becomes of a packet of a session that is in @setup for good. */
static bool settled(struct mbc_session *s, enum mbc_setup_state setup,
		    enum mbc_verdict *verdict)
{
	switch (setup) {
	case MBC_SETUP_BLOCKED:
		mbc_count(s->mn, MBC_REASON_BLOCKED);
		*verdict = MBC_DROP;
		return true;
	case MBC_SETUP_BYPASSED:
		mbc_count(s->mn, MBC_REASON_BYPASSED);
		*verdict = MBC_ACCEPT;
		return true;
	default:
		return false;
	}
}

/* Ends the wait well. */
static bool end_wait(struct mbc_session *s, enum mbc_setup_state setup)
{
	struct sk_buff_head list;

	spin_lock_bh(&s->lock);
	if (s->setup != MBC_SETUP_WAITING || s->dead) {
		spin_unlock_bh(&s->lock);
		return false;
	}
	dequeue(s, &list, setup);
	spin_unlock_bh(&s->lock);
	send_all(s, &list);
	return true;
}

/* An answer was only slow: the SYN with its header did arrive. */
static bool answered(const struct mbc_session *s)
{
	return READ_ONCE(s->setup) == MBC_SETUP_WAITING &&
	       READ_ONCE(s->tcp.state) != MBC_TCP_SYN;
}

/* Without an agent a session that can be set up in-band goes on trying that. */
static void ask_agent(struct mbc_session *s)
{
	int err = mbc_event_session(s, MBC_CMD_EVENT_SETUP, MBC_REASON_NONE);

	if (err != -ESRCH)
		mbc_count(s->mn, MBC_REASON_SETUP_WAITED);
	else if (s->syns)
		end_wait(s, MBC_SETUP_IN_BAND);
	else
		mbc_hold_failed(s, MBC_REASON_NO_LISTENER);
}

bool mbc_hold_packet(struct mbc_session *s, struct sk_buff *skb,
		     enum mbc_verdict *verdict)
{
	enum mbc_reason reason = MBC_REASON_BLOCKED;
	bool ask;

	if (answered(s))
		end_wait(s, MBC_SETUP_IN_BAND);
	spin_lock_bh(&s->lock);
	if (s->setup != MBC_SETUP_WAITING) {
		enum mbc_setup_state setup = s->setup;

		spin_unlock_bh(&s->lock);
		return settled(s, setup, verdict);
	}
	if (!s->dead)
		reason = mbc_hold_enqueue(s, skb, room(s), U32_MAX);
	ask = !reason && !s->asked;
	if (ask)
		WRITE_ONCE(s->asked, true);
	spin_unlock_bh(&s->lock);

	mbc_count(s->mn, reason ?: MBC_REASON_HELD);
	*verdict = reason ? MBC_DROP : MBC_STOLEN;
	if (ask)
		ask_agent(s);
	return true;
}

void mbc_hold_begin(struct mbc_session *s)
{
	spin_lock_bh(&s->lock);
	if (s->setup == MBC_SETUP_IN_BAND && !s->dead) {
		WRITE_ONCE(s->setup, MBC_SETUP_WAITING);
		WRITE_ONCE(s->seen, jiffies);
		mbc_session_rearm(s);
	}
	spin_unlock_bh(&s->lock);
}

bool mbc_hold_done(struct mbc_session *s)
{
	if (!end_wait(s, MBC_SETUP_DONE))
		return false;
	mbc_count(s->mn, MBC_REASON_SETUP_DONE);
	return true;
}

bool mbc_hold_failed(struct mbc_session *s, enum mbc_reason why)
{
	bool bypass = s->on_failure == MBC_ON_FAILURE_BYPASS;
	struct sk_buff_head list;

	if (s->role != MBC_ROLE_CLIENT)
		return READ_ONCE(s->setup) == MBC_SETUP_WAITING &&
		       mbc_session_end(s, why);

	spin_lock_bh(&s->lock);
	if (s->setup != MBC_SETUP_WAITING || s->dead) {
		spin_unlock_bh(&s->lock);
		return false;
	}
	dequeue(s, &list, bypass ? MBC_SETUP_BYPASSED : MBC_SETUP_BLOCKED);
	spin_unlock_bh(&s->lock);
	mbc_count(s->mn, why);
	if (bypass)
		send_all(s, &list);
	else
		drop_all(s, &list);
	return true;
}

void mbc_hold_free(struct mbc_session *s)
{
	int most;

	if (!s->held)
		return;
	atomic_sub(skb_queue_len(&s->held->queue), count_of(s, &most));
	drop_all(s, &s->held->queue);
	kfree(s->held);
}
