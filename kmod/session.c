// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: memory, tables, time. mbc_net.lock orders installing and ending;
 * mbc_session.lock, inside it, orders TCP progress, the timer and death, so
 * that a dead session's timer is never armed again.
 */
#include "session.h"

#include <linux/jiffies.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "event.h"
#include "hold.h"
#include "migration.h"
#include "stats.h"

static struct kmem_cache *cache;

static const struct rhashtable_params id_params = {
	.key_len = MBC_ID_LEN,
	.key_offset = offsetof(struct mbc_session, id),
	.head_offset = offsetof(struct mbc_session, id_node),
	.automatic_shrinking = true,
};

/* A question and its answer are soon forgotten; what goes on is a stream. */
static bool udp_streams(const struct mbc_session *s)
{
	u64 silent = jiffies_to_nsecs(jiffies - READ_ONCE(s->seen));

	return s->tcp.state == MBC_TCP_ESTABLISHED &&
	       ktime_get_coarse_ns() - s->created > silent + 2 * NSEC_PER_SEC;
}

static u32 udp_patience(const struct mbc_session *s)
{
	const struct mbc_config *c = &s->mn->config;

	return udp_streams(s) ? READ_ONCE(c->udp_stream_timeout) :
				READ_ONCE(c->udp_timeout);
}

static u32 tcp_patience(const struct mbc_session *s)
{
	const struct mbc_config *c = &s->mn->config;

	switch (s->tcp.state) {
	case MBC_TCP_NONE:
	case MBC_TCP_SYN:
		return READ_ONCE(c->syn_timeout);
	case MBC_TCP_CLOSED:
	case MBC_TCP_RESET:
		return READ_ONCE(c->close_timeout);
	default:
		return READ_ONCE(c->idle_timeout);
	}
}

/* jiffies of silence after which a session in its present state ends */
static unsigned long patience(const struct mbc_session *s)
{
	switch (s->setup) {
	case MBC_SETUP_WAITING:
		return msecs_to_jiffies(READ_ONCE(s->mn->config.setup_timeout));
	case MBC_SETUP_BLOCKED:
	case MBC_SETUP_BYPASSED:
		return msecs_to_jiffies(MBC_HOLD_RETRY);
	default:
		return msecs_to_jiffies(mbc_session_back(s)->proto == IPPROTO_UDP ?
					udp_patience(s) : tcp_patience(s));
	}
}

static enum mbc_reason end_by_time(const struct mbc_session *s)
{
	if (s->setup == MBC_SETUP_BLOCKED || s->setup == MBC_SETUP_BYPASSED)
		return MBC_REASON_END_SYN_TIMEOUT;
	if (mbc_session_back(s)->proto == IPPROTO_UDP)
		return MBC_REASON_END_IDLE;
	switch (s->tcp.state) {
	case MBC_TCP_NONE:
	case MBC_TCP_SYN:
		return MBC_REASON_END_SYN_TIMEOUT;
	case MBC_TCP_CLOSED:
		return MBC_REASON_END_FIN;
	case MBC_TCP_RESET:
		return MBC_REASON_END_RST;
	default:
		return MBC_REASON_END_IDLE;
	}
}

void mbc_session_rearm(struct mbc_session *s)
{
	lockdep_assert_held(&s->lock);
	if (!s->dead)
		mod_timer(&s->timer, jiffies + patience(s));
}

/* Is it there, and not the second of two? */
static bool stands(struct mbc_session *s)
{
	return !s->dead && mbc_migration_first(s) == s;
}

/* By either path, if it has two. */
static unsigned long last_seen(const struct mbc_session *s)
{
	const struct mbc_migration *m = rcu_dereference(s->migration);
	unsigned long seen = READ_ONCE(s->seen);
	int i;

	for (i = 0; unlikely(m) && i < ARRAY_SIZE(m->session); i++) {
		const struct mbc_session *other = READ_ONCE(m->session[i]);
		unsigned long when = other ? READ_ONCE(other->seen) : seen;

		if (time_after(when, seen))
			seen = when;
	}
	return seen;
}

/* Packets only note when they passed; the timer looks whether that was long
 * enough ago and sleeps on if not. Softirq: an RCU reader, so the session
 * outlives this function even if somebody ends it meanwhile.
 */
static void on_timer(struct timer_list *t)
{
	struct mbc_session *s = from_timer(s, t, timer);
	unsigned long deadline;

	rcu_read_lock();
	spin_lock(&s->lock);
	deadline = last_seen(s) + patience(s);
	if (!stands(s) || time_before(jiffies, deadline)) {
		if (stands(s))
			mod_timer(&s->timer, deadline);
		spin_unlock(&s->lock);
	} else {
		enum mbc_reason why = end_by_time(s);
		bool waits = s->setup == MBC_SETUP_WAITING;

		spin_unlock(&s->lock);
		if (waits)
			mbc_hold_failed(s, MBC_REASON_NO_ANSWER);
		else
			mbc_session_end(s, why);
	}
	rcu_read_unlock();
}

struct mbc_hops *mbc_hops_new(const union mbc_addr *addr, unsigned int n,
			      gfp_t gfp)
{
	struct mbc_hops *hops;

	hops = kmalloc(struct_size(hops, addr, n), gfp | __GFP_NOWARN);
	if (!hops)
		return NULL;
	hops->n = n;
	memcpy(hops->addr, addr, n * sizeof(*addr));
	return hops;
}

void mbc_session_set_hops(struct mbc_session *s, struct mbc_hops *hops)
{
	struct mbc_hops *old;

	old = rcu_replace_pointer(s->hops, hops,
				  lockdep_is_held(&s->mn->lock));
	kfree_rcu(old, rcu);
}

static bool begin_hops(struct mbc_session *s, const union mbc_addr *addr,
		       unsigned int n)
{
	struct mbc_hops *hops;

	s->n_hops = n;
	if (!n)
		return true;
	hops = mbc_hops_new(addr, n, GFP_ATOMIC);
	RCU_INIT_POINTER(s->hops, hops);
	return hops;
}

struct mbc_session *mbc_session_new(struct mbc_net *mn, enum mbc_role role,
				    const struct mbc_tuple *super,
				    const union mbc_addr *hops,
				    unsigned int n_hops,
				    enum mbc_reason *reason)
{
	struct mbc_session *s;
	int i;

	if (atomic_inc_return(&mn->n_sessions) >
	    READ_ONCE(mn->config.max_sessions)) {
		*reason = MBC_REASON_TABLE_FULL;
		goto err_count;
	}
	*reason = MBC_REASON_NO_MEMORY;
	s = kmem_cache_zalloc(cache, GFP_ATOMIC | __GFP_NOWARN);
	if (!s)
		goto err_count;
	if (!begin_hops(s, hops, n_hops))
		goto err_session;

	s->mn = mn;
	s->role = role;
	s->tcp.state = MBC_TCP_SYN;
	s->setup = MBC_SETUP_IN_BAND;
	for (i = 0; i < MBC_N_SLOTS; i++)
		s->entry[i].slot = i;
	s->entry[MBC_OUT_LEFT].tuple = mbc_tuple_reverse(super);
	s->entry[MBC_OUT_RIGHT].tuple = *super;
	spin_lock_init(&s->lock);
	timer_setup(&s->timer, on_timer, 0);
	return s;

err_session:
	kmem_cache_free(cache, s);
err_count:
	atomic_dec(&mn->n_sessions);
	return NULL;
}

static void free_rcu(struct rcu_head *rcu)
{
	struct mbc_session *s = container_of(rcu, struct mbc_session, rcu);

	mbc_hold_free(s);
	mbc_route_clear(&s->route[MBC_RIGHT]);
	mbc_route_clear(&s->route[MBC_LEFT]);
	mbc_route_clear(&s->ahead[MBC_RIGHT]);
	mbc_route_clear(&s->ahead[MBC_LEFT]);
	atomic_dec(&s->mn->n_sessions);
	kfree(rcu_dereference_protected(s->hops, true));
	kmem_cache_free(cache, s);
}

/* Where mbc_session_install() failed half-way a packet may have met it, so it
 * dies like one that stood.
 */
void mbc_session_abandon(struct mbc_session *s)
{
	spin_lock_bh(&s->lock);
	s->dead = true;
	del_timer(&s->timer);
	spin_unlock_bh(&s->lock);
	call_rcu(&s->rcu, free_rcu);
}

/* The tuples of a subsession's two directions are there; each is the reverse of
 * what the other becomes.
 */
static void work_out(struct mbc_entry *a, struct mbc_entry *b)
{
	mbc_diff_init(&a->diff, &a->tuple, &b->tuple);
	mbc_diff_init(&b->diff, &b->tuple, &a->tuple);
}

void mbc_session_set_left(struct mbc_session *s, const struct mbc_tuple *wire)
{
	s->entry[MBC_IN_LEFT].tuple = *wire;
	work_out(&s->entry[MBC_IN_LEFT], &s->entry[MBC_OUT_LEFT]);
}

void mbc_session_set_right(struct mbc_session *s, const struct mbc_tuple *wire)
{
	s->entry[MBC_IN_RIGHT].tuple = mbc_tuple_reverse(wire);
	work_out(&s->entry[MBC_OUT_RIGHT], &s->entry[MBC_IN_RIGHT]);
}

/* Packets like this are looked up from now on. */
static void expect(struct mbc_session *s, const struct mbc_entry *e)
{
	const union mbc_addr *addr = &e->tuple.daddr;
	u64 bit = e->tuple.family == AF_INET ? mbc_addr_bit4(addr->ip) :
					       mbc_addr_bit6(addr->ip6);
	u64 *bits = mbc_slot_hook(e->slot) == MBC_IN ?
			    &s->mn->inbound_addresses :
			    &s->mn->outbound_addresses;

	WRITE_ONCE(*bits, *bits | bit);
}

bool mbc_session_rename_right(struct mbc_session *s,
			      const struct mbc_tuple *super)
{
	struct mbc_entry *out = &s->entry[MBC_OUT_RIGHT];
	bool ok = false;

	spin_lock_bh(&s->mn->lock);
	if (!READ_ONCE(s->dead)) {
		mbc_table_remove(s->mn, out);
		out->tuple = *super;
		expect(s, out);
		work_out(out, &s->entry[MBC_IN_RIGHT]);
		ok = !mbc_table_insert(s->mn, out);
		if (!ok)
			mbc_session_end_locked(s, MBC_REASON_TUPLE_TAKEN);
	}
	spin_unlock_bh(&s->mn->lock);
	return ok;
}

static void remove_entries(struct mbc_session *s, int n)
{
	while (n-- > 0)
		if (mbc_session_has(s, n))
			mbc_table_remove(s->mn, &s->entry[n]);
}

/* There is nothing left to look up. */
static void expect_nothing(struct mbc_net *mn)
{
	WRITE_ONCE(mn->inbound_addresses, mn->inbound_always);
	WRITE_ONCE(mn->outbound_addresses, 0);
	WRITE_ONCE(mn->forwards, READ_ONCE(mn->config.gateway));
}

int mbc_session_install(struct mbc_session *s)
{
	struct mbc_net *mn = s->mn;
	int err, i;

	lockdep_assert_held(&mn->lock);
	s->created = ktime_get_coarse_ns();
	s->seen = jiffies;
	err = rhashtable_lookup_insert_fast(&mn->ids, &s->id_node, id_params);
	if (err)
		return err;
	for (i = 0; i < MBC_N_SLOTS; i++) {
		if (!mbc_session_has(s, i))
			continue;
		expect(s, &s->entry[i]);
		err = mbc_table_insert(mn, &s->entry[i]);
		if (err)
			goto err_entries;
	}

	spin_lock(&s->lock);
	mbc_session_rearm(s);
	spin_unlock(&s->lock);
	mbc_event_session(s, MBC_CMD_EVENT_SESSION_NEW, MBC_REASON_NONE);
	return 0;

err_entries:
	remove_entries(s, i);
	rhashtable_remove_fast(&mn->ids, &s->id_node, id_params);
	return err;
}

int mbc_session_enter(struct mbc_session *s, enum mbc_slot slot)
{
	expect(s, &s->entry[slot]);
	return mbc_table_insert(s->mn, &s->entry[slot]);
}

void mbc_session_leave(struct mbc_session *s, enum mbc_slot slot)
{
	mbc_table_remove(s->mn, &s->entry[slot]);
}

void mbc_session_supersede(struct mbc_session *s, struct mbc_session *to,
			   enum mbc_slot entrance)
{
	struct mbc_net *mn = s->mn;
	int i;

	lockdep_assert_held(&mn->lock);
	lockdep_assert_held(&s->lock);
	for (i = 0; i < MBC_N_SLOTS; i++)
		if (i != entrance && mbc_session_has(s, i))
			mbc_table_replace(mn, &s->entry[i], &to->entry[i]);
	rhashtable_replace_fast(&mn->ids, &s->id_node, &to->id_node, id_params);
	del_timer(&s->timer);
	mod_timer(&to->timer, jiffies + patience(to));
}

static void end_migration(struct mbc_session *s)
{
	struct mbc_migration *m = mbc_migration_find(s);

	if (m)
		mbc_migration_abandon(m);
}

bool mbc_session_end_locked(struct mbc_session *s, enum mbc_reason why)
{
	struct mbc_net *mn = s->mn;

	lockdep_assert_held(&mn->lock);
	s = mbc_migration_first(s);
	spin_lock(&s->lock);
	if (s->dead) {
		spin_unlock(&s->lock);
		return false;
	}
	s->dead = true;
	del_timer(&s->timer);
	spin_unlock(&s->lock);

	end_migration(s);
	remove_entries(s, MBC_N_SLOTS);
	rhashtable_remove_fast(&mn->ids, &s->id_node, id_params);
	if (!atomic_read(&mn->ids.nelems))
		expect_nothing(mn);
	mbc_count(mn, why);
	mbc_event_session(s, MBC_CMD_EVENT_SESSION_END, why);
	call_rcu(&s->rcu, free_rcu);
	return true;
}

bool mbc_session_end(struct mbc_session *s, enum mbc_reason why)
{
	struct mbc_net *mn = s->mn;
	bool ended;

	spin_lock_bh(&mn->lock);
	ended = mbc_session_end_locked(s, why);
	spin_unlock_bh(&mn->lock);
	return ended;
}

/* It may have become another one while we waited for the lock. */
struct mbc_session *mbc_session_lock(struct mbc_session *s)
	__acquires(&s->lock)
{
	struct mbc_session *first;

	for (;;) {
		first = mbc_migration_first(s);
		spin_lock_bh(&first->lock);
		if (likely(first == mbc_migration_first(s)))
			return first;
		spin_unlock_bh(&first->lock);
	}
}

/* UDP has no more of a state than whether an answer has passed. */
static bool udp_step(struct mbc_tcp *state, enum mbc_dir dir)
{
	if (dir != MBC_LEFT)
		return false;
	state->state = MBC_TCP_ESTABLISHED;
	return true;
}

void mbc_session_step(struct mbc_session *s, enum mbc_dir dir,
		      const struct mbc_segment *seg)
{
	s = mbc_session_lock(s);
	if (mbc_session_back(s)->proto == IPPROTO_TCP ? mbc_tcp_step(&s->tcp, dir, seg) :
					    udp_step(&s->tcp, dir))
		mbc_session_rearm(s);
	spin_unlock_bh(&s->lock);
}

struct mbc_session *mbc_session_find(struct mbc_net *mn, const u8 *id)
{
	return rhashtable_lookup(&mn->ids, id, id_params);
}

bool mbc_session_walk_start(struct rhashtable_iter *iter) __acquires(RCU)
{
	const struct rhash_head *last = iter->p;

	if (rhashtable_walk_start_check(iter) != -EAGAIN)
		return iter->p == last;
	iter->p = NULL;
	return false;
}

static void end_all(struct mbc_net *mn)
{
	struct rhashtable_iter iter;
	struct mbc_session *s;

	rhashtable_walk_enter(&mn->ids, &iter);
	mbc_session_walk_start(&iter);
	while ((s = rhashtable_walk_next(&iter))) {
		if (!IS_ERR(s))	/* resized: the walk starts over */
			mbc_session_end(s, MBC_REASON_END_DELETED);
		if (need_resched()) {
			rhashtable_walk_stop(&iter);
			cond_resched();
			mbc_session_walk_start(&iter);
		}
	}
	rhashtable_walk_stop(&iter);
	rhashtable_walk_exit(&iter);
}

/* A walk steps over some where it stopped for others to run. */
void mbc_session_flush(struct mbc_net *mn)
{
	while (atomic_read(&mn->ids.nelems))
		end_all(mn);
}

int mbc_session_net_init(struct mbc_net *mn)
{
	int err;

	err = mbc_table_init(mn);
	if (err)
		return err;
	err = rhashtable_init(&mn->ids, &id_params);
	if (err)
		mbc_table_destroy(mn);
	return err;
}

void mbc_session_net_exit(struct mbc_net *mn)
{
	rhashtable_destroy(&mn->ids);
	mbc_table_destroy(mn);
}

int mbc_session_cache_init(void)
{
	cache = KMEM_CACHE(mbc_session, SLAB_HWCACHE_ALIGN);
	return cache ? 0 : -ENOMEM;
}

void mbc_session_cache_exit(void)
{
	kmem_cache_destroy(cache);
}

unsigned int mbc_session_size(void)
{
	return kmem_cache_size(cache);
}
