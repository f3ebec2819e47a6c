// SPDX-License-Identifier: GPL-2.0-only
#include "passage.h"

#include <linux/jiffies.h>
#include "emit.h"
#include "migration.h"
#include "socket.h"
#include "soon.h"
#include "stats.h"

/* Has all gone that the marker which waits is behind? */
static bool enough(const struct mbc_passage *w)
{
	return w->through && (!w->marked ||
			      (w->known && mbc_seq_reaches(w->end, w->mark)));
}

/* The numbers of SYN and RST do not stand in one row with the others. */
static bool is_stream(const struct mbc_packet *p)
{
	return p->tuple.proto == IPPROTO_TCP &&
	       !(p->flags & (MBC_TCP_SYN_FLAG | MBC_TCP_RST));
}

static void reach(struct mbc_passage *w, u32 end)
{
	if (w->known && mbc_seq_reaches(w->end, end))
		return;
	w->known = true;
	w->end = end;
}

/* mbc_migration.lock held. Return: the marker that waits for it is to go on. */
static bool advance(struct mbc_passage *w, const struct mbc_packet *p)
{
	reach(w, mbc_packet_seq(p) + mbc_packet_payload(p) +
		 !!(p->flags & MBC_TCP_FIN));
	if (w->wait != MBC_WAIT_PACKETS || !enough(w))
		return false;
	w->wait = MBC_WAIT_OVER;
	return true;
}

/* What is sent acknowledges as well. mbc_migration.lock held. */
static void speak(struct mbc_passage *w, u32 ack, u16 window)
{
	if (!w->spoken || !mbc_seq_reaches(w->told, ack))
		w->told = ack;
	w->window = window;
	w->spoken = true;
}

static void learn(struct mbc_migration *m, const struct mbc_progress *p)
{
	struct mbc_passage *out =
		&m->passage[mbc_slot_dir(mbc_migration_outlet(m))];
	struct mbc_passage *in =
		&m->passage[mbc_slot_dir(mbc_migration_entrance(m))];

	spin_lock_bh(&m->lock);
	reach(out, p->sent);
	reach(in, p->received);
	mbc_passage_acknowledge(out, p->acked);
	if (!out->spoken)
		speak(out, p->told, p->window);
	spin_unlock_bh(&m->lock);
}

int mbc_passage_begin(struct mbc_session *s, bool settled)
{
	struct mbc_migration *m = rcu_dereference(s->migration);
	struct mbc_tuple local = mbc_session_super(s);
	struct mbc_progress progress;
	int err;

	if (!m || s->role == MBC_ROLE_MIDDLE || local.proto != IPPROTO_TCP)
		return -ENOENT;
	if (s->role == MBC_ROLE_SERVER)
		local = mbc_tuple_reverse(&local);
	err = mbc_socket_progress(s->mn->net, &local, &progress);
	if (err == -EAGAIN && settled)
		err = 0;
	if (!err)
		learn(m, &progress);
	return err;
}

static enum mbc_marker_kind read_marker(struct mbc_net *mn,
					const struct mbc_packet *p,
					const struct mbc_migration *m,
					const struct mbc_session *s,
					struct mbc_marker *marker)
{
	const struct mbc_keys *keys = rcu_dereference(mn->keys);
	unsigned int options = p->l4_off + sizeof(struct tcphdr);

	if (p->flags != MBC_TCP_ACK || mbc_packet_payload(p))
		return MBC_MARKER_NONE;
	marker->migration = m->id;
	memcpy(marker->session, s->id, sizeof(marker->session));
	return mbc_marker_read(marker, p->skb->data + options,
			       p->data_off - options, keys->key, keys->n);
}

/* Nothing but what was overtaken can be missing now. */
static void hurry(struct mbc_passage *w, unsigned int time)
{
	unsigned long end = jiffies + msecs_to_jiffies(time / (w->known ?
		MBC_MARKER_HURRY : MBC_MARKER_HURRY_IDLE));

	w->through = true;
	if (time_before(end, w->deadline))
		w->deadline = end;
}

/* How long it waits yet, jiffies. */
static unsigned long go_on(struct mbc_passage *w)
{
	w->wait = enough(w) ? MBC_WAIT_OVER : MBC_WAIT_PACKETS;
	return w->wait == MBC_WAIT_OVER || time_after(jiffies, w->deadline) ?
		       0 : w->deadline - jiffies;
}

/* Is this a marker, and comes out of the NF? Where nothing has passed since the lock,
 * what went before it did so long ago.
 */
static bool came_through(struct mbc_net *mn, const struct mbc_packet *p,
			 struct mbc_migration *m, const struct mbc_entry *e)
{
	struct mbc_passage *w = &m->passage[mbc_slot_dir(e->slot)];
	struct mbc_marker marker = { .dir = mbc_slot_dir(e->slot) };

	if (read_marker(mn, p, m, mbc_entry_session(e), &marker) !=
	    MBC_MARKER_OURS)
		return false;
	spin_lock_bh(&m->lock);
	if (w->wait == MBC_WAIT_PACKETS && w->marked &&
	    mbc_seq_reaches(marker.end, w->mark)) {
		w->marked = w->known;
		hurry(w, m->marker_wait);
		mbc_soon(&mn->marker_work, go_on(w));
	}
	spin_unlock_bh(&m->lock);
	return true;
}

enum mbc_verdict mbc_passage_outbound(struct mbc_net *mn,
				      const struct mbc_packet *p,
				      const struct mbc_entry *e)
{
	struct mbc_session *s = mbc_entry_session(e);
	struct mbc_migration *m = rcu_dereference(s->migration);
	struct mbc_passage *w;
	bool anchor, over;

	if (!m || !is_stream(p))
		return MBC_ACCEPT;
	if (m->part == MBC_PART_LEAVING && came_through(mn, p, m, e))
		return MBC_DROP;
	if (READ_ONCE(m->ghost) || READ_ONCE(m->session[MBC_PATH_OLD]) != s)
		return MBC_ACCEPT;
	anchor = mbc_migration_is_anchor(m);
	if (anchor && e->slot != mbc_migration_outlet(m))
		return MBC_ACCEPT;
	w = &m->passage[mbc_slot_dir(e->slot)];
	spin_lock_bh(&m->lock);
	over = advance(w, p);
	if (p->flags & MBC_TCP_ACK)
		speak(w, ntohl(mbc_packet_tcp(p)->ack_seq),
		      ntohs(mbc_packet_tcp(p)->window));
	if (anchor)
		mbc_checkpoint_sent(m, p);
	spin_unlock_bh(&m->lock);
	if (over)
		mbc_soon(&mn->marker_work, 0);
	return MBC_ACCEPT;
}

/* At an anchor. */
static void has_come(struct mbc_net *mn, struct mbc_migration *m,
		     enum mbc_dir dir, const struct mbc_packet *p)
{
	bool over, acked;

	spin_lock_bh(&m->lock);
	over = advance(&m->passage[dir], p);
	acked = mbc_checkpoint_came(m, p);
	spin_unlock_bh(&m->lock);
	if (over)
		mbc_soon(&mn->marker_work, 0);
	if (acked)
		mbc_migration_note(m, 0, BIT(MBC_FACT_ACK_REACHED));
}

/* Where a marker comes in. */
static bool comes_in(const struct mbc_migration *m, enum mbc_dir dir)
{
	return m->part == MBC_PART_LEAVING ||
	       dir == mbc_slot_dir(mbc_migration_entrance(m));
}

/* Is the NF to have this one? Not when it says what one before it has said, and not
 * without numbers, for then it looks like nothing that an NF should see.
 */
static bool is_for_nf(const struct mbc_migration *m, const struct mbc_marker *marker)
{
	const struct mbc_passage *w = &m->passage[marker->dir];

	if (m->part != MBC_PART_LEAVING || !marker->known ||
	    m->passed & BIT(marker->dir))
		return false;
	return w->wait == MBC_WAIT_NONE || !w->marked ||
	       !mbc_seq_reaches(w->mark, marker->end);
}

/* Of two that wait the later one counts, and the earlier one's deadline. One after another
 * that has gone on repeats it: where nothing has passed since the lock it, too, waits for
 * nothing.
 */
static unsigned long wait(struct mbc_migration *m, const struct mbc_marker *marker,
			  bool by_nf)
{
	struct mbc_passage *w = &m->passage[marker->dir];

	if (w->wait == MBC_WAIT_NONE) {
		w->marked = false;
		w->through = !by_nf;
		w->deadline = jiffies + msecs_to_jiffies(m->marker_wait);
	}
	if (marker->known && (!w->marked || !mbc_seq_reaches(w->mark, marker->end))) {
		w->marked = true;
		w->mark = marker->end;
		w->through = !by_nf;
	}
	if (m->passed & BIT(marker->dir))
		w->marked &= w->known;
	if (w->through)
		hurry(w, m->marker_wait);
	return go_on(w);
}

/* The record may have gone while we waited for the lock. Return: the marker goes on
 * to the NF.
 */
static bool arrive(struct mbc_net *mn, struct mbc_migration *m,
		   const struct mbc_session *s, const struct mbc_marker *marker)
{
	bool by_nf = false;
	unsigned long delay;

	spin_lock_bh(&mn->lock);
	if (rcu_access_pointer(s->migration) == m && !m->ghost) {
		spin_lock(&m->lock);
		by_nf = is_for_nf(m, marker);
		delay = wait(m, marker, by_nf);
		spin_unlock(&m->lock);
		if (list_empty(&m->markers))
			list_add_tail(&m->markers, &mn->markers);
		mbc_soon(&mn->marker_work, delay);
	}
	spin_unlock_bh(&mn->lock);
	return by_nf;
}

/* Over the old path. */
static enum mbc_verdict by_old(struct mbc_net *mn, const struct mbc_packet *p,
			       struct mbc_migration *m, struct mbc_session *s,
			       enum mbc_dir dir)
{
	struct mbc_marker marker = { .dir = dir };
	enum mbc_marker_kind kind = read_marker(mn, p, m, s, &marker);

	if (kind == MBC_MARKER_NONE) {
		if (m->part != MBC_PART_LEAVING && comes_in(m, dir) &&
		    is_stream(p))
			has_come(mn, m, dir, p);
		return MBC_ACCEPT;
	}
	if (kind == MBC_MARKER_STRANGE || !comes_in(m, dir)) {
		mbc_count(mn, MBC_REASON_MARKER_STRANGE);
		return MBC_DROP;
	}
	mbc_count(mn, MBC_REASON_MARKER);
	return arrive(mn, m, s, &marker) ? MBC_ACCEPT : MBC_DROP;
}

/* Over the new one: the left anchor sends by it. */
static void by_new(struct mbc_migration *m, struct mbc_session *s,
		   enum mbc_dir dir)
{
	if (dir != MBC_RIGHT || m->part == MBC_PART_LEFT)
		return;
	if (!(READ_ONCE(m->facts) & BIT(MBC_FACT_NEW_PATH_USED)))
		mbc_migration_note(m, 0, BIT(MBC_FACT_NEW_PATH_USED));
	if (m->part == MBC_PART_JOINING)
		WRITE_ONCE(s->watched, false);
}

/* Nobody has more to say by a path that was given up, or by the old one behind a
 * marker: a RST comes from a host that is not on it any more. Without a marker, too, one
 * that answers what we sent there (it has no ACK, unlike that of who gives up by himself)
 * may come from a host that has left, for markers are sent again, and lost. An end of
 * the session that means it says so again on the path that we use.
 */
static bool nobody_resets(const struct mbc_migration *m, enum mbc_dir dir,
			  u8 flags)
{
	return READ_ONCE(m->passed) & BIT(dir) ||
	       (READ_ONCE(m->in_use) == MBC_PATH_NEW && !(flags & MBC_TCP_ACK));
}

enum mbc_verdict mbc_passage_inbound(struct mbc_net *mn,
				     const struct mbc_packet *p,
				     struct mbc_session *s, enum mbc_dir dir)
{
	struct mbc_migration *m = rcu_dereference(s->migration);
	bool old, ghost;

	if (!m)
		return MBC_ACCEPT;
	old = READ_ONCE(m->session[MBC_PATH_OLD]) == s;
	ghost = READ_ONCE(m->ghost);
	if (p->flags & MBC_TCP_RST && mbc_migration_is_anchor(m) &&
	    (ghost || (old && nobody_resets(m, dir, p->flags)))) {
		mbc_count(mn, MBC_REASON_LATE_RST);
		return MBC_DROP;
	}
	if (old)
		return by_old(mn, p, m, s, dir);
	if (!ghost)
		by_new(m, s, dir);
	return MBC_ACCEPT;
}

/* It looks like an acknowledgement that says what was said before. */
static int emit(struct mbc_migration *m, const struct mbc_marker *marker)
{
	struct mbc_session *s = READ_ONCE(m->session[MBC_PATH_OLD]);
	const struct mbc_passage *w = &m->passage[marker->dir];
	const struct mbc_keys *keys = rcu_dereference(s->mn->keys);
	u8 option[MBC_MARKER_LEN];
	struct mbc_ack a = {
		.seq = marker->known ? marker->end : 0,
		.options = option,
		.len = sizeof(option),
	};

	if (!keys->n)
		return -ENOKEY;
	mbc_marker_encode(marker, &keys->key[0], option);
	spin_lock_bh(&m->lock);
	a.ack = w->told;
	a.window = w->window;
	spin_unlock_bh(&m->lock);
	return mbc_emit_ack(s, marker->dir, &a);
}

int mbc_passage_mark(struct mbc_migration *m)
{
	struct mbc_session *s = READ_ONCE(m->session[MBC_PATH_OLD]);
	struct mbc_marker marker = {
		.migration = m->id,
		.dir = mbc_slot_dir(mbc_migration_outlet(m)),
	};

	if (mbc_session_back(s)->proto != IPPROTO_TCP)
		return 0;
	memcpy(marker.session, s->id, sizeof(marker.session));
	spin_lock(&m->lock);
	marker.known = m->passage[marker.dir].known;
	marker.end = m->passage[marker.dir].end;
	spin_unlock(&m->lock);
	return emit(m, &marker);
}

/* A host in the middle hands it on: what it has seen leave is what the next one is
 * to wait for, in the numbers that its NF may have given it.
 */
static void hand_on(struct mbc_net *mn, struct mbc_migration *m,
		    const struct mbc_marker *marker)
{
	int err;

	local_bh_disable();
	err = emit(m, marker);
	local_bh_enable();
	if (err)
		mbc_count(mn, err == -ENOKEY ? MBC_REASON_NO_KEY :
			      err == -ENOMEM ? MBC_REASON_NO_MEMORY :
					       MBC_REASON_ROUTE_GONE);
}

static void let_go(struct mbc_net *mn, struct mbc_migration *m,
		   const struct mbc_marker *marker, bool late)
{
	if (late)
		mbc_count(mn, MBC_REASON_MARKER_LATE);
	if (m->part == MBC_PART_LEAVING)
		hand_on(mn, m, marker);
	mbc_migration_note(m, BIT(marker->dir), 0);
}

/* The waits of @w that have come to their end begin their grace. Return: does one?
 * *@left is how long the others last at most, jiffies.
 */
static bool begin_grace(struct mbc_passage *w, unsigned long *left)
{
	if (w->wait == MBC_WAIT_PACKETS) {
		if (time_before(jiffies, w->deadline)) {
			*left = min(*left, w->deadline - jiffies);
			return false;
		}
		w->wait = MBC_WAIT_OVER;
	}
	if (w->wait != MBC_WAIT_OVER)
		return false;
	w->wait = MBC_WAIT_GRACE;
	return true;
}

static bool begin_graces(struct mbc_net *mn, unsigned long *left)
{
	struct mbc_migration *m;
	bool some = false;

	*left = MAX_JIFFY_OFFSET;
	spin_lock_bh(&mn->lock);
	list_for_each_entry(m, &mn->markers, markers) {
		spin_lock(&m->lock);
		some |= begin_grace(&m->passage[MBC_RIGHT], left);
		some |= begin_grace(&m->passage[MBC_LEFT], left);
		spin_unlock(&m->lock);
	}
	spin_unlock_bh(&mn->lock);
	return some;
}

/* Its grace is over: there is no marker any more. */
static bool end_grace(struct mbc_migration *m, enum mbc_dir dir,
		      struct mbc_marker *marker, bool *late)
{
	struct mbc_passage *w = &m->passage[dir];

	if (w->wait != MBC_WAIT_GRACE)
		return false;
	w->wait = MBC_WAIT_NONE;
	*late = !enough(w);
	*marker = (struct mbc_marker){
		.migration = m->id, .dir = dir,
		.known = w->known || w->marked,
		.end = w->known ? w->end : w->mark,
	};
	memcpy(marker->session, mbc_migration_in_use(m)->id,
	       sizeof(marker->session));
	return true;
}

static bool waits(const struct mbc_migration *m)
{
	return m->passage[MBC_RIGHT].wait || m->passage[MBC_LEFT].wait;
}

/* One marker that goes on, whose grace is over. RCU read side. */
static struct mbc_migration *next(struct mbc_net *mn, struct mbc_marker *marker,
				  bool *late)
{
	struct mbc_migration *m;
	bool found = false;

	spin_lock_bh(&mn->lock);
	list_for_each_entry(m, &mn->markers, markers) {
		spin_lock(&m->lock);
		found = end_grace(m, MBC_RIGHT, marker, late) ||
			end_grace(m, MBC_LEFT, marker, late);
		if (found && !waits(m))
			list_del_init(&m->markers);
		spin_unlock(&m->lock);
		if (found)
			break;
	}
	spin_unlock_bh(&mn->lock);
	return found ? m : NULL;
}

/* What has been seen to pass may still be on its way to a device, on another
 * processor: it is there when all have left what they were at.
 */
static void work(struct work_struct *w)
{
	struct mbc_net *mn = container_of(to_delayed_work(w), struct mbc_net,
					  marker_work);
	struct mbc_migration *m;
	struct mbc_marker marker;
	unsigned long left;
	bool late;

	if (begin_graces(mn, &left)) {
		synchronize_rcu_expedited();
		rcu_read_lock();
		while ((m = next(mn, &marker, &late)))
			let_go(mn, m, &marker, late);
		rcu_read_unlock();
	}
	if (left != MAX_JIFFY_OFFSET)
		mbc_soon(&mn->marker_work, left);
}

void mbc_passage_net_init(struct mbc_net *mn)
{
	INIT_LIST_HEAD(&mn->markers);
	INIT_DELAYED_WORK(&mn->marker_work, work);
}

void mbc_passage_flush(struct mbc_net *mn)
{
	cancel_delayed_work_sync(&mn->marker_work);
}
