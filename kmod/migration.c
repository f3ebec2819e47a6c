// SPDX-License-Identifier: GPL-2.0-only
#include "migration.h"

#include <linux/jiffies.h>
#include <linux/slab.h>
#include "event.h"
#include "pause.h"
#include "soon.h"
#include "stats.h"
#include "subsession.h"

static struct mbc_session *first(const struct mbc_migration *m)
{
	return mbc_migration_in_use(m);
}

/* NULL where there is one path. */
static struct mbc_session *second(const struct mbc_migration *m)
{
	return READ_ONCE(m->session[!READ_ONCE(m->in_use)]);
}

/* A ghost's session may have changed its path again meanwhile, or ended. */
struct mbc_session *mbc_migration_of(struct mbc_session *s)
{
	const struct mbc_migration *m = rcu_dereference(s->migration);

	if (!m)
		return s;
	if (!READ_ONCE(m->ghost))
		return first(m);
	return mbc_session_find(s->mn, s->id) ?: s;
}

struct mbc_migration *mbc_migration_new(u64 id, enum mbc_part part,
					const void *plan, u16 n_plan)
{
	struct mbc_migration *m;

	m = kzalloc(struct_size(m, plan, n_plan), GFP_KERNEL);
	if (!m)
		return NULL;
	m->id = id;
	m->part = part;
	m->marker_wait = MBC_MARKER_WAIT;
	m->n_plan = n_plan;
	memcpy(m->plan, plan, n_plan);
	spin_lock_init(&m->lock);
	INIT_LIST_HEAD(&m->ghosts);
	INIT_LIST_HEAD(&m->pauses);
	INIT_LIST_HEAD(&m->markers);
	return m;
}

/* Only a session whose set-up is over, and which has not begun to end. */
static bool movable(const struct mbc_session *s)
{
	return !s->dead && READ_ONCE(s->tcp.state) == MBC_TCP_ESTABLISHED &&
	       (s->setup == MBC_SETUP_IN_BAND || s->setup == MBC_SETUP_DONE);
}

/* Those that an earlier migration has held are not all gone yet: they would be taken
 * for what this one holds, and go by the old path behind its marker.
 */
static bool still_releases(const struct mbc_session *s)
{
	return READ_ONCE(s->paused) & ~MBC_NOTED;
}

/* Packets are looked at from now on, or no longer. */
static void watch(struct mbc_session *s, bool watched)
{
	bool noted = watched && mbc_session_back(s)->proto == IPPROTO_TCP;

	spin_lock(&s->lock);
	WRITE_ONCE(s->paused, (s->paused & ~MBC_NOTED) | (noted ? MBC_NOTED : 0));
	WRITE_ONCE(s->watched, watched);
	spin_unlock(&s->lock);
}

enum mbc_reason mbc_migration_lock(struct mbc_session *s,
				   struct mbc_migration *m)
{
	lockdep_assert_held(&s->mn->lock);
	if (mbc_migration_find(s) || !movable(s) || still_releases(s))
		return MBC_REASON_NOT_MOVABLE;
	m->in_use = MBC_PATH_OLD;
	m->session[MBC_PATH_OLD] = s;
	rcu_assign_pointer(s->migration, m);
	watch(s, true);
	return MBC_REASON_NONE;
}

void mbc_migration_join(struct mbc_session *s, struct mbc_migration *m)
{
	m->in_use = MBC_PATH_NEW;
	m->session[MBC_PATH_NEW] = s;
	rcu_assign_pointer(s->migration, m);
	WRITE_ONCE(s->watched, true);
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

static struct mbc_session *copy_for(const struct mbc_migration *m,
				    const struct mbc_change *change,
				    enum mbc_reason *reason)
{
	const struct mbc_session *s = m->session[MBC_PATH_OLD];
	const struct mbc_hops *hops = mbc_session_hops(s);

	if (m->part == MBC_PART_LEFT)
		return copy(s, change->hops, change->n_hops, reason);
	return copy(s, hops ? hops->addr : NULL, hops ? hops->n : 0, reason);
}

static enum mbc_reason expect_left(struct mbc_session *c,
				   const struct mbc_tuple *wire)
{
	if (mbc_table_find(c->mn, MBC_IN, wire))
		return MBC_REASON_TUPLE_TAKEN;
	mbc_session_set_left(c, wire);
	return MBC_REASON_NONE;
}

enum mbc_reason mbc_migration_begin(struct mbc_migration *m,
				    const struct mbc_change *change,
				    struct mbc_session **next)
{
	bool left = m->part == MBC_PART_LEFT;
	enum mbc_reason reason;
	struct mbc_session *c;

	lockdep_assert_held(&first(m)->mn->lock);
	c = m->session[MBC_PATH_NEW];
	if (c)
		goto out;
	if (!movable(first(m)))
		return MBC_REASON_NOT_MOVABLE;
	c = copy_for(m, change, &reason);
	if (!c)
		return reason;
	reason = left ? mbc_subsession_choose(c) : expect_left(c, &change->wire);
	if (reason)
		goto err;
	c->watched = !left;	/* for the first packet from there */
	rcu_assign_pointer(c->migration, m);
	smp_store_release(&m->session[MBC_PATH_NEW], c);
	if (!mbc_session_enter(c, mbc_migration_entrance(m)))
		goto out;
	WRITE_ONCE(m->session[MBC_PATH_NEW], NULL);
	reason = MBC_REASON_NO_MEMORY;
err:
	mbc_session_abandon(c);
	return reason;
out:
	*next = c;
	return MBC_REASON_NONE;
}

/* What the left anchor held has gone by the old path, behind its marker: the new
 * path's NFs would begin while the old ones are still at work. The right anchor
 * follows the left one, whatever became of its own packets.
 */
static bool too_late(const struct mbc_migration *m)
{
	return m->part == MBC_PART_LEFT &&
	       m->facts & BIT(MBC_FACT_OVERFLOW);
}

int mbc_migration_switch(struct mbc_migration *m, enum mbc_path path)
{
	struct mbc_session *from = first(m), *to = m->session[path];

	lockdep_assert_held(&from->mn->lock);
	if (from == to)
		return 0;
	if (path == MBC_PATH_NEW && too_late(m))
		return -EALREADY;
	/* Who would take note of a packet asks again under this lock which of
	 * the two is the first.
	 */
	spin_lock(&from->lock);
	to->tcp = from->tcp;
	to->seen = jiffies;
	smp_store_release(&m->in_use, path);
	mbc_pause_hand_over(from, to);
	mbc_session_supersede(from, to, mbc_migration_entrance(m));
	spin_unlock(&from->lock);
	return 0;
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
	mbc_session_leave(ghost, mbc_migration_entrance(m));
	RCU_INIT_POINTER(ghost->migration, NULL);
	mbc_session_abandon(ghost);
	kfree_rcu(m, rcu);
}

/* Those that have been there long enough, or all; how long until the next. */
static unsigned long bury_old(struct mbc_net *mn, bool all)
{
	struct mbc_migration *m, *next;
	long left = 0;

	rcu_read_lock();
	spin_lock_bh(&mn->lock);
	list_for_each_entry_safe(m, next, &mn->ghosts, ghosts) {
		left = m->expires - jiffies;
		if (left > 0 && !all)
			break;
		left = 0;
		if (m->gone) {
			mbc_session_end_locked(first(m), MBC_REASON_END_MOVED);
		} else {
			list_del(&m->ghosts);
			bury(m);
		}
	}
	spin_unlock_bh(&mn->lock);
	rcu_read_unlock();
	return left;
}

static void work(struct work_struct *w)
{
	struct mbc_net *mn = container_of(to_delayed_work(w), struct mbc_net,
					  ghost_work);
	unsigned long left = bury_old(mn, false);

	if (left)
		mbc_soon(&mn->ghost_work, left);
}

void mbc_migration_net_init(struct mbc_net *mn)
{
	INIT_LIST_HEAD(&mn->ghosts);
	INIT_DELAYED_WORK(&mn->ghost_work, work);
	mbc_pause_net_init(mn);
	mbc_passage_net_init(mn);
}

void mbc_migration_flush(struct mbc_net *mn)
{
	mbc_pause_flush(mn);
	mbc_passage_flush(mn);
	cancel_delayed_work_sync(&mn->ghost_work);
	bury_old(mn, true);
}

/* There is one path again. */
static void settle(struct mbc_migration *m)
{
	struct mbc_session *s = first(m);

	lockdep_assert_held(&s->mn->lock);
	list_del_init(&m->pauses);
	list_del_init(&m->markers);
	watch(s, false);
	RCU_INIT_POINTER(s->migration, NULL);
	if (second(m))
		add_counts(s, second(m));
	else
		kfree_rcu(m, rcu);
}

static void linger(struct mbc_net *mn, struct mbc_migration *m)
{
	m->expires = jiffies + msecs_to_jiffies(MBC_GHOST_LIFE);
	list_add_tail(&m->ghosts, &mn->ghosts);
	mbc_soon(&mn->ghost_work, msecs_to_jiffies(MBC_GHOST_LIFE));
}

void mbc_migration_end(struct mbc_migration *m)
{
	struct mbc_session *ghost = second(m);
	struct mbc_net *mn = first(m)->mn;

	settle(m);
	if (!ghost)
		return;
	WRITE_ONCE(m->ghost, true);
	WRITE_ONCE(ghost->watched, true);
	linger(mn, m);
}

/* It goes on to hand on markers. */
void mbc_migration_leave(struct mbc_migration *m)
{
	lockdep_assert_held(&first(m)->mn->lock);
	m->gone = true;
	linger(first(m)->mn, m);
}

void mbc_migration_abandon(struct mbc_migration *m)
{
	bool ghost = second(m);

	list_del_init(&m->ghosts);	/* of a session that is gone */
	settle(m);
	if (ghost)
		bury(m);
}

void mbc_migration_note(struct mbc_migration *m, u8 passed, u8 facts)
{
	spin_lock_bh(&m->lock);
	if ((passed & ~m->passed || facts & ~m->facts) && !m->ghost && !m->gone) {
		WRITE_ONCE(m->passed, m->passed | passed);
		WRITE_ONCE(m->facts, m->facts | facts);
		mbc_event_migration(first(m), m);
	}
	spin_unlock_bh(&m->lock);
}
