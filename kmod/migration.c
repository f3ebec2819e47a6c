// SPDX-License-Identifier: GPL-2.0-only
#include "migration.h"

#include <linux/jiffies.h>
#include <linux/slab.h>
#include "emit.h"
#include "event.h"
#include "marker.h"
#include "pause.h"
#include "stats.h"
#include "subsession.h"

static struct mbc_migration *of(const struct mbc_session *s)
{
	return rcu_dereference_protected(s->migration,
					 lockdep_is_held(&s->mn->lock));
}

static struct mbc_session *first(const struct mbc_migration *m)
{
	return m->session[READ_ONCE(m->in_use)];
}

/* NULL where a session only leaves. */
static struct mbc_session *second(const struct mbc_migration *m)
{
	return m->session[!READ_ONCE(m->in_use)];
}

/* A ghost's session may have changed its path again meanwhile, or ended. */
struct mbc_session *mbc_migration_of(struct mbc_session *s)
{
	const struct mbc_migration *m = rcu_dereference(s->migration);

	if (!m)
		return s;
	if (list_empty_careful(&m->ghosts))
		return first(m);
	return mbc_session_find(s->mn, s->id) ?: s;
}

/* By which packets come in over the path that changes. */
static enum mbc_slot entrance(const struct mbc_migration *m)
{
	return m->part == MBC_PART_LEFT ? MBC_IN_RIGHT : MBC_IN_LEFT;
}

/* The way that packets travel which an anchor sends over it. */
static enum mbc_dir outward(const struct mbc_migration *m)
{
	return m->part == MBC_PART_LEFT ? MBC_RIGHT : MBC_LEFT;
}

/* As it is, but for the side that changes. */
static struct mbc_session *copy(const struct mbc_session *s,
				const union mbc_addr *hops, unsigned int n_hops,
				enum mbc_reason *reason)
{
	const struct mbc_tuple super = mbc_session_super(s);
	struct mbc_session *c;
	int i;

	c = mbc_session_new(s->mn, s->role, &super, hops, n_hops, reason);
	if (!c)
		return NULL;
	for (i = 0; i < MBC_N_SLOTS; i++) {
		c->entry[i].tuple = s->entry[i].tuple;
		c->entry[i].diff = s->entry[i].diff;
	}
	memcpy(c->id, s->id, sizeof(c->id));
	c->tcp = s->tcp;
	c->on_failure = s->on_failure;
	c->gateway = s->gateway;
	c->setup = s->setup;
	c->asked = true;
	c->by_agent = s->by_agent;
	c->isn = s->isn;
	c->rule = s->rule;
	c->policy_version = s->policy_version;
	c->created = s->created;
	c->seen = jiffies;
	return c;
}

static enum mbc_reason expect_left(struct mbc_session *c,
				   const struct mbc_tuple *wire)
{
	if (mbc_table_find(c->mn, MBC_IN, wire))
		return MBC_REASON_TUPLE_TAKEN;
	mbc_session_set_left(c, wire);
	return MBC_REASON_NONE;
}

/* The session as it will be at an anchor; packets may come by its new path. */
static enum mbc_reason make(struct mbc_migration *m, struct mbc_session *s,
			    const struct mbc_change *change)
{
	bool left = change->part == MBC_PART_LEFT;
	enum mbc_reason reason;
	struct mbc_session *c;

	c = copy(s, left ? change->hops : s->hops,
		 left ? change->n_hops : s->n_hops, &reason);
	if (!c)
		return reason;
	reason = left ? mbc_subsession_choose(c) : expect_left(c, &change->wire);
	if (reason)
		goto err;
	m->session[MBC_PATH_NEW] = c;
	rcu_assign_pointer(c->migration, m);
	if (!mbc_session_enter(c, entrance(m)))
		return MBC_REASON_NONE;
	reason = MBC_REASON_NO_MEMORY;
err:
	mbc_session_abandon(c);
	return reason;
}

/* Only a session whose set-up is over, and which has not begun to end. */
static bool movable(const struct mbc_session *s)
{
	return !s->dead && READ_ONCE(s->tcp.state) == MBC_TCP_ESTABLISHED &&
	       (s->setup == MBC_SETUP_IN_BAND || s->setup == MBC_SETUP_DONE);
}

enum mbc_reason mbc_migration_begin(struct mbc_session *s,
				    const struct mbc_change *change,
				    struct mbc_session **next)
{
	struct mbc_migration *m = of(s);
	enum mbc_reason reason;

	lockdep_assert_held(&s->mn->lock);
	if (m && m->id == change->id && m->part == change->part)
		goto out;
	if (m || !movable(s))
		return MBC_REASON_NOT_MOVABLE;
	m = kzalloc(sizeof(*m), GFP_ATOMIC | __GFP_NOWARN);
	if (!m)
		return MBC_REASON_NO_MEMORY;
	m->id = change->id;
	m->part = change->part;
	m->session[MBC_PATH_OLD] = s;
	INIT_LIST_HEAD(&m->ghosts);
	INIT_LIST_HEAD(&m->pauses);
	rcu_assign_pointer(s->migration, m);
	reason = m->part == MBC_PART_LEAVING ? MBC_REASON_NONE :
					       make(m, s, change);
	if (reason) {
		RCU_INIT_POINTER(s->migration, NULL);
		kfree_rcu(m, rcu);
		return reason;
	}
	WRITE_ONCE(s->watched, true);
out:
	*next = m->session[MBC_PATH_NEW] ?: s;
	return MBC_REASON_NONE;
}

void mbc_migration_switch(struct mbc_migration *m, enum mbc_path path)
{
	struct mbc_session *from = first(m), *to = m->session[path];

	lockdep_assert_held(&from->mn->lock);
	if (from == to)
		return;
	/* Who would take note of a packet asks again under this lock which of
	 * the two is the first.
	 */
	spin_lock(&from->lock);
	to->tcp = from->tcp;
	to->seen = jiffies;
	WRITE_ONCE(m->in_use, path);
	mbc_pause_hand_over(from, to);
	mbc_session_supersede(from, to, entrance(m));
	spin_unlock(&from->lock);
}

static enum mbc_slot outlet(const struct mbc_migration *m)
{
	return m->part == MBC_PART_LEFT ? MBC_OUT_RIGHT : MBC_OUT_LEFT;
}

bool mbc_migration_pause(struct mbc_migration *m)
{
	struct mbc_net *mn = first(m)->mn;

	lockdep_assert_held(&mn->lock);
	if (m->in_use != MBC_PATH_OLD)
		return false;
	if (!list_empty(&m->pauses))
		return true;
	mbc_pause_begin(first(m), outlet(m));
	m->expires = jiffies + msecs_to_jiffies(MBC_PAUSE_TIME);
	list_add_tail(&m->pauses, &mn->pauses);
	queue_delayed_work(system_unbound_wq, &mn->pause_work,
			   msecs_to_jiffies(MBC_PAUSE_TIME));
	return true;
}

/* Whoever takes it off the list lets its packets go. */
static struct mbc_session *unpause(struct mbc_net *mn, struct mbc_migration *m)
{
	struct mbc_session *s = NULL;

	spin_lock_bh(&mn->lock);
	if (!list_empty(&m->pauses)) {
		list_del_init(&m->pauses);
		s = first(m);
	}
	spin_unlock_bh(&mn->lock);
	return s;
}

void mbc_migration_resume(struct mbc_net *mn, struct mbc_migration *m)
{
	struct mbc_session *s = unpause(mn, m);

	if (s)
		mbc_pause_end(s);
}

static struct mbc_migration *longest_paused(struct mbc_net *mn, long *left)
{
	struct mbc_migration *m;

	spin_lock_bh(&mn->lock);
	m = list_first_entry_or_null(&mn->pauses, struct mbc_migration, pauses);
	*left = m ? (long)(m->expires - jiffies) : 0;
	spin_unlock_bh(&mn->lock);
	return m;
}

static void end_pauses(struct work_struct *w)
{
	struct mbc_net *mn = container_of(to_delayed_work(w), struct mbc_net,
					  pause_work);
	struct mbc_migration *m;
	long left;

	rcu_read_lock();
	while ((m = longest_paused(mn, &left)) && left <= 0)
		mbc_migration_resume(mn, m);
	rcu_read_unlock();
	if (m)
		queue_delayed_work(system_unbound_wq, &mn->pause_work, left);
}

static int mark(const struct mbc_migration *m, struct mbc_session *s,
		enum mbc_dir dir)
{
	const struct mbc_keys *keys = rcu_dereference(s->mn->keys);
	struct mbc_marker marker = { .migration = m->id, .dir = dir };
	u8 option[MBC_MARKER_LEN];

	if (mbc_session_back(s)->proto != IPPROTO_TCP)
		return 0;
	if (!keys->n)
		return -ENOKEY;
	memcpy(marker.session, s->id, sizeof(marker.session));
	mbc_marker_encode(&marker, &keys->key[0], option);
	return mbc_emit_segment(s, dir, option, sizeof(option));
}

int mbc_migration_mark(struct mbc_migration *m)
{
	return mark(m, m->session[MBC_PATH_OLD], outward(m));
}

/* What was counted over the path that goes is the session's as well. */
static void add_counts(struct mbc_session *to, const struct mbc_session *from)
{
	int i;

	for (i = 0; i < MBC_N_SLOTS; i++) {
		atomic64_add(atomic64_read(&from->entry[i].packets),
			     &to->entry[i].packets);
		atomic64_add(atomic64_read(&from->entry[i].bytes),
			     &to->entry[i].bytes);
	}
}

static void bury(struct mbc_migration *m)
{
	struct mbc_session *ghost = second(m);

	lockdep_assert_held(&ghost->mn->lock);
	mbc_session_leave(ghost, entrance(m));
	RCU_INIT_POINTER(ghost->migration, NULL);
	mbc_session_abandon(ghost);
	kfree_rcu(m, rcu);
}

/* Those that have been there long enough, or all; how long until the next. */
static unsigned long bury_old(struct mbc_net *mn, bool all)
{
	struct mbc_migration *m, *next;
	long left = 0;

	spin_lock_bh(&mn->lock);
	list_for_each_entry_safe(m, next, &mn->ghosts, ghosts) {
		left = m->expires - jiffies;
		if (left > 0 && !all)
			break;
		left = 0;
		list_del(&m->ghosts);
		bury(m);
	}
	spin_unlock_bh(&mn->lock);
	return left;
}

static void work(struct work_struct *w)
{
	struct mbc_net *mn = container_of(to_delayed_work(w), struct mbc_net,
					  ghost_work);
	unsigned long left = bury_old(mn, false);

	if (left)
		queue_delayed_work(system_unbound_wq, &mn->ghost_work, left);
}

void mbc_migration_net_init(struct mbc_net *mn)
{
	INIT_LIST_HEAD(&mn->ghosts);
	INIT_DELAYED_WORK(&mn->ghost_work, work);
	INIT_LIST_HEAD(&mn->pauses);
	INIT_DELAYED_WORK(&mn->pause_work, end_pauses);
}

void mbc_migration_flush(struct mbc_net *mn)
{
	cancel_delayed_work_sync(&mn->pause_work);
	cancel_delayed_work_sync(&mn->ghost_work);
	bury_old(mn, true);
}

/* There is one path again. */
static void settle(struct mbc_migration *m)
{
	struct mbc_session *s = first(m);

	lockdep_assert_held(&s->mn->lock);
	list_del_init(&m->pauses);
	WRITE_ONCE(s->watched, false);
	RCU_INIT_POINTER(s->migration, NULL);
	if (second(m))
		add_counts(s, second(m));
	else
		kfree_rcu(m, rcu);
}

void mbc_migration_end(struct mbc_migration *m)
{
	struct mbc_session *ghost = second(m);
	struct mbc_net *mn = first(m)->mn;

	settle(m);
	if (!ghost)
		return;
	WRITE_ONCE(ghost->watched, true);
	m->expires = jiffies + msecs_to_jiffies(MBC_GHOST_LIFE);
	list_add_tail(&m->ghosts, &mn->ghosts);
	queue_delayed_work(system_unbound_wq, &mn->ghost_work,
			   msecs_to_jiffies(MBC_GHOST_LIFE));
}

void mbc_migration_abandon(struct mbc_migration *m)
{
	bool ghost = second(m);

	settle(m);
	if (ghost)
		bury(m);
}

static bool is_marker(struct mbc_net *mn, const struct mbc_packet *p,
		      const struct mbc_migration *m,
		      const struct mbc_session *s, enum mbc_dir dir)
{
	const struct mbc_keys *keys = rcu_dereference(mn->keys);
	struct mbc_marker marker = { .migration = m->id, .dir = dir };
	unsigned int options = p->l4_off + sizeof(struct tcphdr);

	if (p->flags != MBC_TCP_ACK || mbc_packet_payload(p))
		return false;
	memcpy(marker.session, s->id, sizeof(marker.session));
	return mbc_marker_verify(&marker, p->skb->data + options,
				 p->data_off - options, keys->key, keys->n);
}

/* Tell the agent when it is the first one of this direction. */
static void note(struct mbc_migration *m, struct mbc_session *s,
		 enum mbc_dir dir)
{
	bool news;

	spin_lock(&s->lock);
	news = !(m->passed & BIT(dir));
	WRITE_ONCE(m->passed, m->passed | BIT(dir));
	spin_unlock(&s->lock);
	if (news)
		mbc_event_migration(s, m->id, READ_ONCE(m->passed));
}

enum mbc_verdict mbc_migration_inbound(struct mbc_net *mn,
				       const struct mbc_packet *p,
				       struct mbc_session *s, enum mbc_dir dir)
{
	struct mbc_migration *m = rcu_dereference(s->migration);
	bool old, ghost;

	if (!m)
		return MBC_ACCEPT;
	old = m->session[MBC_PATH_OLD] == s;
	ghost = !list_empty_careful(&m->ghosts);
	if (old && is_marker(mn, p, m, s, dir)) {
		mbc_count(mn, MBC_REASON_MARKER);
		note(m, s, dir);
		if (m->part == MBC_PART_LEAVING)
			mark(m, s, dir);
		return MBC_DROP;
	}
	/* Nobody has more to say by a path that was given up, or by the old one
	 * behind a marker: a RST comes from a host that is not on it any more.
	 */
	if (p->flags & MBC_TCP_RST && m->part != MBC_PART_LEAVING &&
	    (ghost || (old && READ_ONCE(m->passed) & BIT(dir)))) {
		mbc_count(mn, MBC_REASON_LATE_RST);
		return MBC_DROP;
	}
	return MBC_ACCEPT;
}
