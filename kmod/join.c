// SPDX-License-Identifier: GPL-2.0-only
/*
 * Joining a session: which part is ours, is it new, and its subsessions. All
 * under mbc_net.lock.
 */
#include "join.h"

#include "hold.h"
#include "migration.h"
#include "peer.h"
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
	*role = MBC_ROLE_MIDDLE;
	if (h->n_hops > 1)
		return is_local(mn, &h->hops[1], family) ?
			       MBC_REASON_HDR_LOOP : MBC_REASON_NONE;
	/* The last one; if it is not the server, that runs no mbchain. */
	if (is_local(mn, &h->super.daddr, family))
		*role = MBC_ROLE_SERVER;
	return MBC_REASON_NONE;
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

/* How what is right of us will come to be. */
static enum mbc_setup_state choose_setup(struct mbc_net *mn,
					 const struct mbc_setup *h,
					 const struct mbc_join *j)
{
	if (j->live)
		return MBC_SETUP_DONE;
	if (h->n_hops == 1)
		return j->by_agent ? MBC_SETUP_DONE : MBC_SETUP_IN_BAND;
	if (j->by_agent || mbc_peer_noted(mn, &h->hops[1], h->super.family))
		return MBC_SETUP_WAITING;
	return MBC_SETUP_IN_BAND;
}

static enum mbc_reason install(struct mbc_session *s)
{
	if (s->role == MBC_ROLE_MIDDLE)
		return mbc_subsession_open(s);
	switch (mbc_session_install(s)) {
	case 0:
		return MBC_REASON_NONE;
	case -EEXIST:
		return MBC_REASON_TUPLE_TAKEN;
	default:
		return MBC_REASON_NO_MEMORY;
	}
}

static enum mbc_reason open_session(struct mbc_net *mn,
				    const struct mbc_setup *h,
				    struct mbc_join *j, enum mbc_role role,
				    struct mbc_session **session)
{
	struct mbc_session *s;
	enum mbc_reason reason;

	replace_old(mn, h, j->wire, role);
	s = mbc_session_new(mn, role, &h->super, h->hops + 1, h->n_hops - 1,
			    &reason);
	if (!s)
		return reason;
	memcpy(s->id, h->id, sizeof(s->id));
	s->isn = j->isn;
	s->setup = choose_setup(mn, h, j);
	s->asked = j->by_agent;
	s->by_agent = j->by_agent;
	if (j->live)
		s->tcp.state = MBC_TCP_ESTABLISHED;
	mbc_session_set_left(s, j->wire);
	if (j->migration)
		mbc_migration_join(s, j->migration);

	reason = install(s);
	if (reason) {
		mbc_session_abandon(s);
		return reason;
	}
	mbc_count(mn, MBC_REASON_SETUP_ACCEPTED);
	j->joined = j->migration;
	*session = s;
	return MBC_REASON_NONE;
}

/* The same set-up once more, perhaps the other way. */
static void join_again(struct mbc_session *s, struct mbc_join *j)
{
	mbc_count(s->mn, MBC_REASON_SETUP_REPEATED);
	if (!j->by_agent)
		return;
	j->known = !s->by_agent;
	WRITE_ONCE(s->asked, true);
	if (s->n_hops && !j->live)
		mbc_hold_begin(s);
}

/* Has it come by the same migration, if by any? */
static bool comes_by(const struct mbc_session *s, const struct mbc_migration *by)
{
	const struct mbc_migration *m = mbc_migration_find(s);

	return !by || (m && m->id == by->id && m->part == by->part);
}

enum mbc_reason mbc_join(struct mbc_net *mn, const struct mbc_setup *h,
			 struct mbc_join *j, struct mbc_session **session)
{
	struct mbc_session *s;
	enum mbc_reason reason;
	enum mbc_role role;

	lockdep_assert_held(&mn->lock);
	reason = find_role(mn, h, &role);
	if (reason)
		return reason;
	/* What an agent asks for is fresh. */
	reason = j->by_agent ? MBC_REASON_NONE :
			       mbc_seen_note(mn, h->id, j->wire);
	if (reason)
		return reason;

	s = mbc_session_find(mn, h->id);
	if (!s)
		return open_session(mn, h, j, role, session);
	if (j->by_agent && mbc_migration_is_leaving(s))
		return MBC_REASON_NOT_MOVABLE;
	if (!mbc_tuple_equal(&s->entry[MBC_IN_LEFT].tuple, j->wire) ||
	    !comes_by(s, j->migration))
		return MBC_REASON_HDR_REPLAY;
	join_again(s, j);
	*session = s;
	return MBC_REASON_NONE;
}
