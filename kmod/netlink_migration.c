// SPDX-License-Identifier: GPL-2.0-only
/* Commands by which the agents change the chain of a live session that is locked:
 * netlink_record.c locks it.
 */
#include "netlink.h"

#include <linux/netlink.h>
#include "migration.h"
#include "pause.h"
#include "stats.h"

static struct netlink_range_validation
	pause_time = { .min = 1, .max = 60000 },
	pause_packets = { .min = 1, .max = 65536 },
	pause_bytes = { .min = 1, .max = 256 << 20 };

const struct nla_policy mbc_begin_attrs[MBC_SESSION_A_MIGRATION + 1] = {
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
};

const struct nla_policy mbc_pause_attrs[MBC_SESSION_A_CHECKPOINT + 1] = {
	[MBC_SESSION_A_ID] = NLA_POLICY_EXACT_LEN(MBC_ID_LEN),
	[MBC_SESSION_A_MIGRATION] = { .type = NLA_U64 },
	[MBC_SESSION_A_TIME] = NLA_POLICY_FULL_RANGE(NLA_U32, &pause_time),
	[MBC_SESSION_A_PACKETS] = NLA_POLICY_FULL_RANGE(NLA_U32, &pause_packets),
	[MBC_SESSION_A_BYTES] = NLA_POLICY_FULL_RANGE(NLA_U32, &pause_bytes),
	[MBC_SESSION_A_DROP] = { .type = NLA_FLAG },
	[MBC_SESSION_A_CHECKPOINT] = { .type = NLA_FLAG },
};

const struct nla_policy mbc_mark_attrs[MBC_SESSION_A_MIGRATION + 1] = {
	[MBC_SESSION_A_ID] = NLA_POLICY_EXACT_LEN(MBC_ID_LEN),
	[MBC_SESSION_A_MIGRATION] = { .type = NLA_U64 },
};

const struct nla_policy mbc_switch_attrs[MBC_SESSION_A_PATH + 1] = {
	[MBC_SESSION_A_ID] = NLA_POLICY_EXACT_LEN(MBC_ID_LEN),
	[MBC_SESSION_A_MIGRATION] = { .type = NLA_U64 },
	[MBC_SESSION_A_PATH] = NLA_POLICY_MAX(NLA_U8, MBC_PATH_NEW),
};

const struct nla_policy mbc_end_attrs[MBC_SESSION_A_GONE + 1] = {
	[MBC_SESSION_A_ID] = NLA_POLICY_EXACT_LEN(MBC_ID_LEN),
	[MBC_SESSION_A_MIGRATION] = { .type = NLA_U64 },
	[MBC_SESSION_A_GONE] = { .type = NLA_FLAG },
};

int mbc_netlink_check_migration(struct genl_info *info)
{
	if (info->attrs[MBC_SESSION_A_ID] && info->attrs[MBC_SESSION_A_MIGRATION])
		return 0;
	GENL_SET_ERR_MSG(info, "no session id or migration id");
	return -EINVAL;
}

struct mbc_session *mbc_netlink_find_session(struct genl_info *info)
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
	struct mbc_session *s = mbc_netlink_find_session(info);
	struct mbc_migration *m;

	if (!s)
		return NULL;
	m = mbc_migration_find(s);
	if (m && !m->gone &&
	    m->id == nla_get_u64(info->attrs[MBC_SESSION_A_MIGRATION]))
		return m;
	GENL_SET_ERR_MSG(info, "the session is not in this migration");
	return NULL;
}

/* What changes, on the side where this host is an anchor. */
static int read_change(struct mbc_change *c, const struct mbc_migration *m,
		       struct genl_info *info)
{
	const struct mbc_tuple *back =
		mbc_session_back(m->session[MBC_PATH_OLD]);
	const struct nlattr *left = info->attrs[MBC_SESSION_A_LEFT];
	int err;

	err = mbc_netlink_read_hops(c->hops, &c->n_hops, back->family, info);
	if (err)
		return err;
	if (!c->n_hops != (m->part == MBC_PART_RIGHT) ||
	    !left != (m->part == MBC_PART_LEFT)) {
		GENL_SET_ERR_MSG(info, "the path changes on the other side");
		return -EINVAL;
	}
	return left ? mbc_netlink_read_wire(&c->wire, left, back, info->extack) :
		      0;
}

static int begin_locked(struct sk_buff *answer, struct genl_info *info)
{
	struct mbc_migration *m = find(info);
	struct mbc_change c = {};
	struct mbc_session *next;
	enum mbc_reason reason;
	int err;

	if (m && !mbc_migration_is_anchor(m)) {
		GENL_SET_ERR_MSG(info, "the session has no other path here");
		m = NULL;
	}
	if (!m)
		return -ENOENT;
	err = read_change(&c, m, info);
	if (err)
		return err;
	reason = mbc_migration_begin(m, &c, &next);
	if (reason) {
		mbc_count(mbc_netlink_net(info), reason);
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

	err = mbc_netlink_check_migration(info);
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
	} else if (!mbc_migration_is_anchor(m)) {
		GENL_SET_ERR_MSG(info, "the session has no other path here");
		*err = -EINVAL;
	}
	return *err ? NULL : m;
}

static struct mbc_pause read_pause(const struct genl_info *info)
{
	const struct nlattr *time = info->attrs[MBC_SESSION_A_TIME];
	const struct nlattr *packets = info->attrs[MBC_SESSION_A_PACKETS];
	const struct nlattr *bytes = info->attrs[MBC_SESSION_A_BYTES];

	return (struct mbc_pause){
		.time = time ? nla_get_u32(time) : MBC_PAUSE_TIME,
		.packets = packets ? nla_get_u32(packets) : MBC_PAUSE_PACKETS,
		.bytes = bytes ? nla_get_u32(bytes) : MBC_PAUSE_BYTES,
		.drop = nla_get_flag(info->attrs[MBC_SESSION_A_DROP]),
		.checkpoint = nla_get_flag(info->attrs[MBC_SESSION_A_CHECKPOINT]),
	};
}

static bool is_tcp(const struct mbc_migration *m)
{
	return mbc_session_back(mbc_migration_in_use(m))->proto == IPPROTO_TCP;
}

static void say_let_go(struct genl_info *info)
{
	GENL_SET_ERR_MSG(info, "the packets have waited, and were let go");
}

static int pause_locked(struct genl_info *info, const struct mbc_pause *bounds)
{
	struct mbc_migration *m;
	int err;

	m = find_anchored(info, &err);
	if (!m)
		return err;
	if (bounds->checkpoint && !is_tcp(m)) {
		GENL_SET_ERR_MSG(info, "only TCP has checkpoints");
		return -EINVAL;
	}
	err = mbc_pause_begin(m, bounds);
	if (err == -EALREADY && m->in_use == MBC_PATH_NEW)
		GENL_SET_ERR_MSG(info, "the session has left the old path");
	else if (err == -EALREADY)
		say_let_go(info);
	return err;
}

/* Whoever has not seen that packets wait has sent its own by now. */
static int arm(struct mbc_net *mn, struct genl_info *info)
{
	struct mbc_migration *m;
	int err;

	synchronize_rcu_expedited();
	rcu_read_lock();
	spin_lock_bh(&mn->lock);
	m = find_anchored(info, &err);
	spin_unlock_bh(&mn->lock);
	if (m)
		mbc_checkpoint_arm(m);
	rcu_read_unlock();
	return err;
}

int mbc_netlink_pause(struct sk_buff *skb, struct genl_info *info)
{
	const struct mbc_pause bounds = read_pause(info);
	struct mbc_net *mn = mbc_netlink_net(info);
	int err;

	err = mbc_netlink_check_migration(info);
	if (err)
		return err;
	rcu_read_lock();
	spin_lock_bh(&mn->lock);
	err = pause_locked(info, &bounds);
	spin_unlock_bh(&mn->lock);
	rcu_read_unlock();
	return err || !bounds.checkpoint ? err : arm(mn, info);
}

/* Whoever has found the session by its old path has sent its packet by now. */
int mbc_netlink_mark(struct sk_buff *skb, struct genl_info *info)
{
	struct mbc_net *mn = mbc_netlink_net(info);
	struct mbc_migration *m;
	int err;

	err = mbc_netlink_check_migration(info);
	if (err)
		return err;
	synchronize_rcu_expedited();
	rcu_read_lock();
	local_bh_disable();
	spin_lock(&mn->lock);
	m = find_anchored(info, &err);
	spin_unlock(&mn->lock);
	if (m)
		err = mbc_passage_mark(m);
	local_bh_enable();
	rcu_read_unlock();
	return err;
}

static struct mbc_migration *switch_locked(struct genl_info *info,
					   enum mbc_path path, int *err)
{
	struct mbc_migration *m = find_anchored(info, err);

	if (!m)
		return NULL;
	if (!m->session[path]) {
		GENL_SET_ERR_MSG(info, "the session has no other path yet");
		*err = -EINVAL;
		return NULL;
	}
	*err = mbc_migration_switch(m, path);
	if (*err) {
		say_let_go(info);
		return NULL;
	}
	return m;
}

int mbc_netlink_switch_path(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *path = info->attrs[MBC_SESSION_A_PATH];
	struct mbc_net *mn = mbc_netlink_net(info);
	struct mbc_migration *m;
	int err;

	err = mbc_netlink_check_migration(info);
	if (err)
		return err;
	if (!path) {
		GENL_SET_ERR_MSG(info, "no path");
		return -EINVAL;
	}
	rcu_read_lock();
	spin_lock_bh(&mn->lock);
	m = switch_locked(info, nla_get_u8(path), &err);
	spin_unlock_bh(&mn->lock);
	if (m)
		mbc_pause_end(mn, m);
	rcu_read_unlock();
	return err;
}

/* mbc_net.lock held. Return: 0 or -errno; -EAGAIN: packets wait. */
static int end_locked(struct mbc_migration *m, struct genl_info *info, bool gone)
{
	if (!m)
		return -ENOENT;
	if (gone && mbc_migration_is_anchor(m)) {
		GENL_SET_ERR_MSG(info, "an anchor stays on the path");
		return -EINVAL;
	}
	if (!list_empty(&m->pauses))
		return -EAGAIN;
	if (gone)
		mbc_migration_leave(m);
	else
		mbc_migration_end(m);
	return 0;
}

/* What waits goes on first. RCU read side. */
static int try_to_end(struct mbc_net *mn, struct genl_info *info, bool gone)
{
	struct mbc_migration *m;
	int err;

	spin_lock_bh(&mn->lock);
	m = find(info);
	err = end_locked(m, info, gone);
	spin_unlock_bh(&mn->lock);
	if (err == -EAGAIN)
		mbc_pause_end(mn, m);
	return err;
}

int mbc_netlink_end_migration(struct sk_buff *skb, struct genl_info *info)
{
	bool gone = nla_get_flag(info->attrs[MBC_SESSION_A_GONE]);
	struct mbc_net *mn = mbc_netlink_net(info);
	int err;

	err = mbc_netlink_check_migration(info);
	if (err)
		return err;
	rcu_read_lock();
	do
		err = try_to_end(mn, info, gone);
	while (err == -EAGAIN);
	rcu_read_unlock();
	return err;
}
