// SPDX-License-Identifier: GPL-2.0-only
/* Commands by which the agents change the chain of a live session. */
#include "netlink.h"

#include <linux/netlink.h>
#include "migration.h"
#include "stats.h"

const struct nla_policy mbc_migration_attrs[MBC_SESSION_A_PATH + 1] = {
	[MBC_SESSION_A_ID] = NLA_POLICY_EXACT_LEN(MBC_ID_LEN),
	[MBC_SESSION_A_LEFT] = NLA_POLICY_NESTED(mbc_side_attrs),
	[MBC_SESSION_A_HOPS] = {
		.type = NLA_BINARY, .len = MBC_MAX_HOPS * sizeof(__be32),
	},
	[MBC_SESSION_A_HOPS6] = {
		.type = NLA_BINARY,
		.len = MBC_MAX_HOPS * sizeof(struct in6_addr),
	},
	[MBC_SESSION_A_MIGRATION] = { .type = NLA_U64 },
	[MBC_SESSION_A_PATH] = NLA_POLICY_MAX(NLA_U8, MBC_PATH_NEW),
};

static int check(struct genl_info *info)
{
	if (info->attrs[MBC_SESSION_A_ID] && info->attrs[MBC_SESSION_A_MIGRATION])
		return 0;
	GENL_SET_ERR_MSG(info, "no session id or migration id");
	return -EINVAL;
}

static u64 migration_id(const struct genl_info *info)
{
	return nla_get_u64(info->attrs[MBC_SESSION_A_MIGRATION]);
}

/* mbc_net.lock held. */
static struct mbc_session *find_session(struct genl_info *info)
{
	struct mbc_session *s;

	s = mbc_session_find(mbc_netlink_net(info),
			     nla_data(info->attrs[MBC_SESSION_A_ID]));
	if (!s)
		GENL_SET_ERR_MSG(info, "no such session");
	return s;
}

/* The migration that a command names; mbc_net.lock held. */
static struct mbc_migration *find(struct genl_info *info)
{
	struct mbc_session *s = find_session(info);
	struct mbc_migration *m;

	if (!s)
		return NULL;
	m = rcu_dereference(s->migration);
	if (m && m->id == migration_id(info))
		return m;
	GENL_SET_ERR_MSG(info, "the session is not in this migration");
	return NULL;
}

static int read_change(struct mbc_change *c, const struct mbc_session *s,
		       struct genl_info *info)
{
	const struct mbc_tuple *back = mbc_session_back(s);
	int err;

	c->id = migration_id(info);
	c->part = MBC_PART_LEAVING;
	err = mbc_netlink_read_hops(c->hops, &c->n_hops, back->family, info);
	if (err)
		return err;
	if (c->n_hops)
		c->part = MBC_PART_LEFT;
	if (!info->attrs[MBC_SESSION_A_LEFT])
		return 0;
	if (c->n_hops) {
		GENL_SET_ERR_MSG(info, "hops and a left subsession");
		return -EINVAL;
	}
	c->part = MBC_PART_RIGHT;
	return mbc_netlink_read_wire(&c->wire, info->attrs[MBC_SESSION_A_LEFT],
				     back, info->extack);
}

/* Only a host in the middle can leave. */
static bool can(const struct mbc_session *s, enum mbc_part part)
{
	return (part == MBC_PART_RIGHT || mbc_session_has(s, MBC_IN_RIGHT)) &&
	       (part == MBC_PART_LEFT || mbc_session_has(s, MBC_IN_LEFT));
}

static int begin_locked(struct sk_buff *answer, struct genl_info *info)
{
	struct mbc_session *s = find_session(info), *next;
	struct mbc_change c = {};
	enum mbc_reason reason;
	int err;

	if (!s)
		return -ENOENT;
	err = read_change(&c, s, info);
	if (err)
		return err;
	if (!can(s, c.part)) {
		GENL_SET_ERR_MSG(info, "the session has nothing on that side");
		return -EINVAL;
	}
	reason = mbc_migration_begin(s, &c, &next);
	if (reason) {
		mbc_count(s->mn, reason);
		info->extack->_msg = mbc_reason_name(reason);
		return mbc_netlink_error(reason);
	}
	err = mbc_netlink_put_session(answer, next);
	if (err)
		GENL_SET_ERR_MSG(info, "the answer does not fit");
	return err;
}

int mbc_netlink_begin_migration(struct sk_buff *skb, struct genl_info *info)
{
	struct mbc_net *mn = mbc_netlink_net(info);
	struct sk_buff *answer;
	void *hdr;
	int err;

	err = check(info);
	if (err)
		return err;
	answer = mbc_netlink_answer(info, MBC_NETLINK_SESSION_SIZE, &hdr);
	if (!answer)
		return -ENOMEM;
	rcu_read_lock();
	spin_lock_bh(&mn->lock);
	err = begin_locked(answer, info);
	spin_unlock_bh(&mn->lock);
	rcu_read_unlock();
	return mbc_netlink_reply(answer, hdr, info, err);
}

/* The migration that a command names, at an anchor; mbc_net.lock held. */
static struct mbc_migration *find_anchored(struct genl_info *info, int *err)
{
	struct mbc_migration *m = find(info);

	*err = 0;
	if (!m) {
		*err = -ENOENT;
	} else if (m->part == MBC_PART_LEAVING) {
		GENL_SET_ERR_MSG(info, "the session has no other path here");
		*err = -EINVAL;
	}
	return *err ? NULL : m;
}

/* Whoever has found the session by its old path has sent its packet by now. */
static int mark(struct genl_info *info)
{
	struct mbc_net *mn = mbc_netlink_net(info);
	struct mbc_migration *m;
	int err = -ENOENT;

	synchronize_rcu_expedited();
	rcu_read_lock();
	local_bh_disable();
	spin_lock(&mn->lock);
	m = find(info);
	spin_unlock(&mn->lock);
	if (m)
		err = mbc_migration_mark(m);
	local_bh_enable();
	rcu_read_unlock();
	return err;
}

int mbc_netlink_pause(struct sk_buff *skb, struct genl_info *info)
{
	struct mbc_net *mn = mbc_netlink_net(info);
	struct mbc_migration *m;
	int err;

	err = check(info);
	if (err)
		return err;
	rcu_read_lock();
	spin_lock_bh(&mn->lock);
	m = find_anchored(info, &err);
	if (m && !mbc_migration_pause(m)) {
		GENL_SET_ERR_MSG(info, "the session has left the old path");
		err = -EALREADY;
	}
	spin_unlock_bh(&mn->lock);
	rcu_read_unlock();
	return err ?: mark(info);
}

/* Behind what waited goes no marker: that has gone before. */
int mbc_netlink_switch_path(struct sk_buff *skb, struct genl_info *info)
{
	struct mbc_net *mn = mbc_netlink_net(info);
	struct mbc_migration *m;
	enum mbc_path path;
	bool paused = false;
	int err;

	err = check(info);
	if (err)
		return err;
	if (!info->attrs[MBC_SESSION_A_PATH]) {
		GENL_SET_ERR_MSG(info, "no path");
		return -EINVAL;
	}
	path = nla_get_u8(info->attrs[MBC_SESSION_A_PATH]);
	rcu_read_lock();
	spin_lock_bh(&mn->lock);
	m = find_anchored(info, &err);
	if (m) {
		paused = !list_empty(&m->pauses);
		mbc_migration_switch(m, path);
	}
	spin_unlock_bh(&mn->lock);
	if (paused)
		mbc_migration_resume(mn, m);
	rcu_read_unlock();
	return err || paused || path == MBC_PATH_OLD ? err : mark(info);
}

int mbc_netlink_end_migration(struct sk_buff *skb, struct genl_info *info)
{
	struct mbc_net *mn = mbc_netlink_net(info);
	struct mbc_migration *m;
	int err;

	err = check(info);
	if (err)
		return err;
	rcu_read_lock();
	spin_lock_bh(&mn->lock);
	m = find(info);
	spin_unlock_bh(&mn->lock);
	if (m) {
		mbc_migration_resume(mn, m);
		spin_lock_bh(&mn->lock);
		m = find(info);
		if (m)
			mbc_migration_end(m);
		spin_unlock_bh(&mn->lock);
	}
	rcu_read_unlock();
	return m ? 0 : -ENOENT;
}
