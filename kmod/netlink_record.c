// SPDX-License-Identifier: GPL-2.0-only
/* Records of migrations: how they are made, and what they say. */
#include "netlink.h"

#include <linux/netlink.h>
#include "migration.h"
#include "stats.h"

static struct netlink_range_validation marker_time = { .min = 1, .max = 60000 };

const struct nla_policy mbc_lock_attrs[MBC_SESSION_A_TIME + 1] = {
	[MBC_SESSION_A_ID] = NLA_POLICY_EXACT_LEN(MBC_ID_LEN),
	[MBC_SESSION_A_MIGRATION] = { .type = NLA_U64 },
	[MBC_SESSION_A_PART] = NLA_POLICY_MAX(NLA_U8, MBC_PART_LEAVING),
	[MBC_SESSION_A_PLAN] = NLA_POLICY_RANGE(NLA_BINARY, 1, MBC_MAX_PLAN),
	[MBC_SESSION_A_TIME] = NLA_POLICY_FULL_RANGE(NLA_U32, &marker_time),
};

struct mbc_migration *mbc_netlink_new_migration(struct genl_info *info,
						enum mbc_part part)
{
	const struct nlattr *plan = info->attrs[MBC_SESSION_A_PLAN];
	struct mbc_migration *m;

	m = mbc_migration_new(nla_get_u64(info->attrs[MBC_SESSION_A_MIGRATION]),
			      part, nla_data(plan), nla_len(plan));
	if (!m)
		GENL_SET_ERR_MSG(info, "no memory for the plan");
	return m;
}

/* Only a host in the middle can leave. */
static bool can(const struct mbc_session *s, enum mbc_part part)
{
	return (part == MBC_PART_RIGHT || mbc_session_has(s, MBC_IN_RIGHT)) &&
	       (part == MBC_PART_LEFT || mbc_session_has(s, MBC_IN_LEFT));
}

static bool is_same(const struct mbc_migration *a, const struct mbc_migration *b)
{
	return a && !a->gone && a->id == b->id && a->part == b->part;
}

/* Return: 1: the session has taken @m; 0: it has had it already; or -errno. */
static int lock_locked(struct genl_info *info, struct mbc_migration *m)
{
	struct mbc_session *s = mbc_netlink_find_session(info);
	enum mbc_reason reason;

	if (!s)
		return -ENOENT;
	if (!can(s, m->part)) {
		GENL_SET_ERR_MSG(info, "the session has nothing on that side");
		return -EINVAL;
	}
	if (is_same(mbc_migration_find(s), m))
		return 0;
	reason = mbc_migration_lock(s, m);
	if (!reason)
		return 1;
	mbc_count(s->mn, reason);
	info->extack->_msg = mbc_reason_name(reason);
	return mbc_netlink_error(reason);
}

static int begin_passage(struct genl_info *info, bool settled)
{
	struct mbc_session *s;
	int err = -ENOENT;

	rcu_read_lock();
	s = mbc_netlink_find_session(info);
	if (s)
		err = mbc_passage_begin(s, settled);
	rcu_read_unlock();
	return err;
}

int mbc_netlink_lock_session(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *part = info->attrs[MBC_SESSION_A_PART];
	const struct nlattr *time = info->attrs[MBC_SESSION_A_TIME];
	struct mbc_net *mn = mbc_netlink_net(info);
	struct mbc_migration *m;
	int err;

	err = mbc_netlink_check_migration(info);
	if (err)
		return err;
	if (!part || !info->attrs[MBC_SESSION_A_PLAN]) {
		GENL_SET_ERR_MSG(info, "no part or no plan");
		return -EINVAL;
	}
	m = mbc_netlink_new_migration(info, nla_get_u8(part));
	if (!m)
		return -ENOMEM;
	if (time)
		m->marker_wait = nla_get_u32(time);
	rcu_read_lock();
	spin_lock_bh(&mn->lock);
	err = lock_locked(info, m);
	spin_unlock_bh(&mn->lock);
	rcu_read_unlock();
	if (err != 1) {
		kfree(m);
		return err;
	}
	if (begin_passage(info, false) == -EAGAIN) {
		synchronize_rcu_expedited();
		begin_passage(info, true);
	}
	return 0;
}

static int put_flag(struct sk_buff *skb, int attr, bool flag)
{
	return flag ? nla_put_flag(skb, attr) : 0;
}

int mbc_netlink_put_facts(struct sk_buff *skb, const struct mbc_session *s,
			  const struct mbc_migration *m)
{
	u8 facts = READ_ONCE(m->facts);

	if (nla_put(skb, MBC_SESSION_A_ID, MBC_ID_LEN, s->id) ||
	    nla_put_u64_64bit(skb, MBC_SESSION_A_MIGRATION, m->id,
			      MBC_SESSION_A_PAD) ||
	    nla_put_u8(skb, MBC_SESSION_A_PASSED, READ_ONCE(m->passed)) ||
	    put_flag(skb, MBC_SESSION_A_ACK_REACHED,
		     facts & BIT(MBC_FACT_ACK_REACHED)) ||
	    put_flag(skb, MBC_SESSION_A_OVERFLOW,
		     facts & BIT(MBC_FACT_OVERFLOW)) ||
	    put_flag(skb, MBC_SESSION_A_NEW_PATH_USED,
		     facts & BIT(MBC_FACT_NEW_PATH_USED)))
		return -EMSGSIZE;
	return 0;
}

/* The subsessions of @next that the session does not have by its old path. */
static int put_wires(struct sk_buff *skb, const struct mbc_migration *m,
		     const struct mbc_session *next)
{
	const struct mbc_tuple right =
		mbc_tuple_reverse(&next->entry[MBC_IN_RIGHT].tuple);

	if (m->part != MBC_PART_LEFT &&
	    mbc_netlink_put_wire(skb, MBC_SESSION_A_LEFT,
				 &next->entry[MBC_IN_LEFT].tuple))
		return -EMSGSIZE;
	if (m->part == MBC_PART_RIGHT || !mbc_session_has(next, MBC_IN_RIGHT))
		return 0;
	return mbc_netlink_put_wire(skb, MBC_SESSION_A_RIGHT, &right);
}

static int put_record(struct sk_buff *skb, const struct mbc_session *s)
{
	const struct mbc_migration *m = rcu_dereference(s->migration);
	const struct mbc_session *next;

	if (!m)
		return 0;
	next = READ_ONCE(m->session[MBC_PATH_NEW]);
	if (mbc_netlink_put_facts(skb, s, m) ||
	    nla_put_u8(skb, MBC_SESSION_A_PART, m->part) ||
	    nla_put(skb, MBC_SESSION_A_PLAN, m->n_plan, m->plan) ||
	    nla_put_u8(skb, MBC_SESSION_A_PATH, READ_ONCE(m->in_use)) ||
	    put_flag(skb, MBC_SESSION_A_INSTALLED, next) ||
	    put_flag(skb, MBC_SESSION_A_PAUSED,
		     !list_empty_careful(&m->pauses)))
		return -EMSGSIZE;
	return next ? put_wires(skb, m, next) : 0;
}

static bool has_record(const struct mbc_session *s)
{
	const struct mbc_migration *m = rcu_dereference(s->migration);

	return m && !READ_ONCE(m->ghost) && !READ_ONCE(m->gone);
}

int mbc_netlink_dump_migrations(struct sk_buff *skb, struct netlink_callback *cb)
{
	static const struct mbc_netlink_dump dump = {
		.cmd = MBC_CMD_GET_MIGRATION,
		.takes_nothing = "a dump of migrations takes nothing",
		.has = has_record,
		.put = put_record,
	};

	return mbc_netlink_dump_walk(skb, cb, &dump);
}
