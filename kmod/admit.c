// SPDX-License-Identifier: GPL-2.0-only
/*
 * A set-up header from the left neighbour. It comes from the network: until
 * its MAC is verified nothing is allocated and the SYN is an ordinary one.
 * Softirq, under RCU; takes mbc_net.lock.
 */
#include "admit.h"

#include <linux/timekeeping.h>
#include "seen.h"
#include "stats.h"
#include "subsession.h"

static bool is_local(const struct mbc_net *mn, const union mbc_addr *addr,
		     u8 family)
{
	return mbc_route_is_local(mn->net, addr, family);
}

/* Which part is ours to play? */
static enum mbc_reason find_role(const struct mbc_net *mn,
				 const struct mbc_setup *h,
				 enum mbc_role *role)
{
	u8 family = h->super.family;

	if (!is_local(mn, &h->hops[0], family))
		return MBC_REASON_HDR_RECEIVER;
	if (h->n_hops == 1) {
		*role = MBC_ROLE_SERVER;
		return is_local(mn, &h->super.daddr, family) ?
			       MBC_REASON_NONE : MBC_REASON_HDR_NOT_LAST;
	}
	*role = MBC_ROLE_MIDDLE;
	return is_local(mn, &h->hops[1], family) ? MBC_REASON_HDR_LOOP :
						   MBC_REASON_NONE;
}

/* The client knows best: a tuple that it opens anew is free again, whatever
 * we still remember of it.
 */
static void replace_old(struct mbc_net *mn, const struct mbc_setup *h,
			const struct mbc_tuple *wire, enum mbc_role role)
{
	struct mbc_tuple out = h->super;
	struct mbc_entry *e;

	e = mbc_table_find(mn, MBC_IN, wire);
	if (e)
		mbc_session_end_locked(mbc_entry_session(e),
				       MBC_REASON_END_REPLACED);
	if (role == MBC_ROLE_SERVER)
		out = mbc_tuple_reverse(&out);
	e = mbc_table_find(mn, MBC_OUT, &out);
	if (e)
		mbc_session_end_locked(mbc_entry_session(e),
				       MBC_REASON_END_REPLACED);
}

static enum mbc_reason open_session(struct mbc_net *mn,
				    const struct mbc_packet *p,
				    const struct mbc_setup *h,
				    enum mbc_role role,
				    struct mbc_session **session)
{
	struct mbc_session *s;
	enum mbc_reason reason;

	replace_old(mn, h, &p->tuple, role);
	s = mbc_session_new(mn, role, &reason);
	if (!s)
		return reason;
	memcpy(s->id, h->id, sizeof(s->id));
	s->super = h->super;
	s->isn = p->seg.seq;
	s->n_hops = h->n_hops - 1;
	memcpy(s->hops, h->hops + 1, s->n_hops * sizeof(*s->hops));
	mbc_session_set_left(s, &p->tuple);

	if (role == MBC_ROLE_MIDDLE)
		reason = mbc_subsession_open(s);
	else
		switch (mbc_session_install(s)) {
		case 0:
			reason = MBC_REASON_NONE;
			break;
		case -EEXIST:
			reason = MBC_REASON_TUPLE_TAKEN;
			break;
		default:
			reason = MBC_REASON_NO_MEMORY;
		}
	if (reason) {
		mbc_session_abandon(s);
		return reason;
	}
	*session = s;
	return MBC_REASON_NONE;
}

static enum mbc_reason admit(struct mbc_net *mn, const struct mbc_packet *p,
			     const struct mbc_setup *h,
			     struct mbc_session **session)
{
	struct mbc_session *s;
	enum mbc_reason reason;
	enum mbc_role role;

	lockdep_assert_held(&mn->lock);
	reason = find_role(mn, h, &role);
	if (reason)
		return reason;
	reason = mbc_seen_note(mn, h->id, &p->tuple);
	if (reason)
		return reason;

	s = mbc_session_find(mn, h->id);
	if (s && mbc_tuple_equal(&s->entry[MBC_IN_LEFT].tuple, &p->tuple)) {
		mbc_count(mn, MBC_REASON_SETUP_REPEATED);
		*session = s;
		return MBC_REASON_NONE;
	}
	if (s)
		return MBC_REASON_HDR_REPLAY;
	reason = open_session(mn, p, h, role, session);
	if (!reason)
		mbc_count(mn, MBC_REASON_SETUP_ACCEPTED);
	return reason;
}

enum mbc_verdict mbc_admit(struct mbc_net *mn, struct mbc_packet *p,
			   struct mbc_entry **e)
{
	unsigned int len = min_t(unsigned int, p->seg.len, MBC_SETUP_MAX);
	const struct mbc_keys *keys = rcu_dereference(mn->keys);
	struct mbc_session *s;
	enum mbc_reason reason;
	struct mbc_setup h;
	const u8 *data;

	if (!pskb_may_pull(p->skb, p->data_off + len))
		return MBC_ACCEPT;
	data = p->skb->data + p->data_off;
	if (!mbc_setup_probe(data, len) ||
	    !is_local(mn, &p->tuple.daddr, p->tuple.family))
		return MBC_ACCEPT;

	reason = mbc_setup_decode(&h, p->tuple.family, data, len, keys->key,
				  keys->n, (u32)ktime_get_real_seconds(),
				  READ_ONCE(mn->config.freshness));
	if (reason) {
		mbc_count(mn, reason);
		return reason <= MBC_REASON_HDR_MAC ? MBC_ACCEPT : MBC_DROP;
	}

	spin_lock_bh(&mn->lock);
	reason = admit(mn, p, &h, &s);
	spin_unlock_bh(&mn->lock);
	if (reason) {
		mbc_count(mn, reason);
		return MBC_DROP;
	}
	if (!mbc_packet_strip_setup(p, mbc_setup_len(h.super.family,
						     h.n_hops))) {
		mbc_count(mn, MBC_REASON_NOT_WRITABLE);
		return MBC_DROP;
	}
	*e = &s->entry[MBC_IN_LEFT];
	return MBC_ACCEPT;
}
