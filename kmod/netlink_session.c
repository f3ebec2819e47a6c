// SPDX-License-Identifier: GPL-2.0-only
/* Commands about sessions, and a session as attributes; RCU readers. */
#include "netlink.h"

#include <linux/jiffies.h>
#include <linux/netlink.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <net/sock.h>
#include "migration.h"
#include "session.h"

const struct nla_policy mbc_session_attrs[MBC_SESSION_A_ID + 1] = {
	[MBC_SESSION_A_ID] = NLA_POLICY_EXACT_LEN(MBC_ID_LEN),
};

static int put_addrs(struct sk_buff *skb, const struct mbc_tuple *t)
{
	if (t->family == AF_INET)
		return nla_put_in_addr(skb, MBC_TUPLE_A_SADDR4, t->saddr.ip) ?:
		       nla_put_in_addr(skb, MBC_TUPLE_A_DADDR4, t->daddr.ip);
	return nla_put(skb, MBC_TUPLE_A_SADDR6, sizeof(t->saddr), &t->saddr) ?:
	       nla_put(skb, MBC_TUPLE_A_DADDR6, sizeof(t->daddr), &t->daddr);
}

static int put_hops(struct sk_buff *skb, const struct mbc_session *s)
{
	const struct mbc_hops *hops = mbc_session_hops(s);
	unsigned int n = hops ? hops->n : 0;
	struct nlattr *attr;
	__be32 *hop;
	int i;

	if (mbc_session_back(s)->family == AF_INET6)
		return nla_put(skb, MBC_SESSION_A_HOPS6,
			       n * sizeof(*hops->addr), hops ? hops->addr : NULL);
	attr = nla_reserve(skb, MBC_SESSION_A_HOPS, n * sizeof(*hop));
	if (!attr)
		return -EMSGSIZE;
	hop = nla_data(attr);
	for (i = 0; i < n; i++)
		hop[i] = hops->addr[i].ip;
	return 0;
}

static int put_tuple(struct sk_buff *skb, int attr, const struct mbc_tuple *t)
{
	struct nlattr *nest = nla_nest_start(skb, attr);

	if (!nest || put_addrs(skb, t) ||
	    nla_put_be16(skb, MBC_TUPLE_A_SPORT, t->sport) ||
	    nla_put_be16(skb, MBC_TUPLE_A_DPORT, t->dport) ||
	    nla_put_u8(skb, MBC_TUPLE_A_PROTO, t->proto))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

int mbc_netlink_put_wire(struct sk_buff *skb, int attr,
			 const struct mbc_tuple *wire)
{
	struct nlattr *nest = nla_nest_start(skb, attr);

	if (!nest || put_tuple(skb, MBC_SIDE_A_TUPLE, wire))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_count(struct sk_buff *skb, int attr, const atomic64_t *count)
{
	return nla_put_u64_64bit(skb, attr, atomic64_read(count),
				 MBC_SIDE_A_PAD);
}

/* One subsession: @wire its tuple, what @in received and @out sent. */
static int put_side(struct sk_buff *skb, int attr, const struct mbc_tuple *wire,
		    const struct mbc_entry *in, const struct mbc_entry *out)
{
	struct nlattr *nest = nla_nest_start(skb, attr);

	if (!nest ||
	    put_tuple(skb, MBC_SIDE_A_TUPLE, wire) ||
	    put_count(skb, MBC_SIDE_A_IN_PACKETS, &in->packets) ||
	    put_count(skb, MBC_SIDE_A_IN_BYTES, &in->bytes) ||
	    put_count(skb, MBC_SIDE_A_OUT_PACKETS, &out->packets) ||
	    put_count(skb, MBC_SIDE_A_OUT_BYTES, &out->bytes))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_sides(struct sk_buff *skb, const struct mbc_session *s)
{
	const struct mbc_entry *e = s->entry;
	struct mbc_tuple wire;

	if (mbc_session_has(s, MBC_IN_LEFT) &&
	    put_side(skb, MBC_SESSION_A_LEFT, &e[MBC_IN_LEFT].tuple,
		     &e[MBC_IN_LEFT], &e[MBC_OUT_LEFT]))
		return -EMSGSIZE;
	if (!mbc_session_has(s, MBC_IN_RIGHT))
		return 0;
	wire = mbc_tuple_reverse(&e[MBC_IN_RIGHT].tuple);
	return put_side(skb, MBC_SESSION_A_RIGHT, &wire, &e[MBC_IN_RIGHT],
			&e[MBC_OUT_RIGHT]);
}

static u64 age(const struct mbc_session *s)
{
	return div_u64(ktime_get_coarse_ns() - s->created, NSEC_PER_MSEC);
}

/* A packet on another CPU may be a tick ahead of what we read here. */
static u64 idle(const struct mbc_session *s)
{
	long ago = jiffies - READ_ONCE(s->seen);

	return ago > 0 ? jiffies64_to_msecs(ago) : 0;
}

/* RCU read side. */
int mbc_netlink_put_session(struct sk_buff *skb, const struct mbc_session *s)
{
	const struct mbc_tuple super = mbc_session_super(s);

	if (nla_put(skb, MBC_SESSION_A_ID, MBC_ID_LEN, s->id) ||
	    nla_put_u8(skb, MBC_SESSION_A_ROLE, s->role) ||
	    nla_put_u8(skb, MBC_SESSION_A_STATE, READ_ONCE(s->tcp.state)) ||
	    nla_put_u8(skb, MBC_SESSION_A_SETUP, READ_ONCE(s->setup)) ||
	    put_tuple(skb, MBC_SESSION_A_SUPER, &super) ||
	    put_sides(skb, s) ||
	    put_hops(skb, s) ||
	    nla_put_u64_64bit(skb, MBC_SESSION_A_AGE, age(s),
			      MBC_SESSION_A_PAD) ||
	    nla_put_u64_64bit(skb, MBC_SESSION_A_IDLE, idle(s),
			      MBC_SESSION_A_PAD) ||
	    (mbc_migration_is_leaving(s) &&
	     nla_put_flag(skb, MBC_SESSION_A_GONE)))
		return -EMSGSIZE;
	if (s->role != MBC_ROLE_CLIENT)
		return 0;
	if (nla_put_u32(skb, MBC_SESSION_A_RULE, s->rule) ||
	    nla_put_u64_64bit(skb, MBC_SESSION_A_POLICY_VERSION,
			      s->policy_version, MBC_SESSION_A_PAD))
		return -EMSGSIZE;
	return 0;
}

/* The session that a command names; RCU read side. */
static struct mbc_session *find(struct genl_info *info)
{
	const struct nlattr *id = info->attrs[MBC_SESSION_A_ID];
	struct mbc_session *s;

	s = mbc_session_find(mbc_netlink_net(info), nla_data(id));
	if (!s)
		NL_SET_ERR_MSG_ATTR(info->extack, id, "no such session");
	return s;
}

static bool has_id(struct genl_info *info)
{
	if (info->attrs[MBC_SESSION_A_ID])
		return true;
	GENL_SET_ERR_MSG(info, "no session id");
	return false;
}

int mbc_netlink_get_session(struct sk_buff *skb, struct genl_info *info)
{
	struct mbc_session *s;
	struct sk_buff *answer;
	int err = -ENOENT;
	void *hdr;

	if (!has_id(info))
		return -EINVAL;
	answer = mbc_netlink_answer(info, MBC_NETLINK_SESSION_SIZE, &hdr);
	if (!answer)
		return -ENOMEM;
	rcu_read_lock();
	s = find(info);
	if (s) {
		err = mbc_netlink_put_session(answer, s);
		if (err)
			GENL_SET_ERR_MSG(info, "the answer does not fit");
	}
	rcu_read_unlock();
	return mbc_netlink_reply(answer, hdr, info, err);
}

int mbc_netlink_del_session(struct sk_buff *skb, struct genl_info *info)
{
	struct mbc_session *s;
	int err = 0;

	if (!has_id(info))
		return -EINVAL;
	rcu_read_lock();
	s = find(info);
	if (!s) {
		err = -ENOENT;
	} else if (!mbc_session_end(s, MBC_REASON_END_DELETED)) {
		GENL_SET_ERR_MSG(info, "the session has just ended");
		err = -ENOENT;
	}
	rcu_read_unlock();
	return err;
}

/* A dump walks mbc_net.ids, where sessions come and go between two parts of
 * it. When the table changes its size the walk begins again by itself; what
 * has been dumped comes a second time then, so that counts as inconsistent.
 */
struct sessions_dump {
	struct rhashtable_iter iter;
};

static struct sessions_dump *dump_of(struct netlink_callback *cb)
{
	return *(struct sessions_dump **)cb->ctx;
}

int mbc_netlink_dump_sessions_start(struct netlink_callback *cb)
{
	struct mbc_net *mn = mbc_net_of(sock_net(cb->skb->sk));
	struct sessions_dump *d;

	d = kmalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return -ENOMEM;
	rhashtable_walk_enter(&mn->ids, &d->iter);
	*(struct sessions_dump **)cb->ctx = d;
	cb->seq = 1;
	return 0;
}

static int dump_one(struct sk_buff *skb, struct netlink_callback *cb,
		    const struct mbc_netlink_dump *dump,
		    const struct mbc_session *s)
{
	void *hdr;

	if (!dump->has(s))
		return 0;
	hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			  &mbc_genl_family, NLM_F_MULTI, dump->cmd);
	if (!hdr)
		return -EMSGSIZE;
	if (dump->put(skb, s)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	/* Not before: it says so once, and must not in a message that is
	 * cancelled.
	 */
	genl_dump_check_consistent(cb, hdr);
	genlmsg_end(skb, hdr);
	return 0;
}

int mbc_netlink_dump_walk(struct sk_buff *skb, struct netlink_callback *cb,
			  const struct mbc_netlink_dump *dump)
{
	struct rhashtable_iter *iter = &dump_of(cb)->iter;
	struct mbc_session *s;

	/* Not in start: 6.1 has no extack there. */
	if (nlmsg_attrlen(cb->nlh, GENL_HDRLEN)) {
		if (cb->extack)
			cb->extack->_msg = dump->takes_nothing;
		return -EINVAL;
	}

	/* The session that did not fit last time comes first now. If it has
	 * ended the walk goes on by counting, which may be off by a few.
	 */
	if (!mbc_session_walk_start(iter))
		cb->seq++;
	for (s = rhashtable_walk_peek(iter); s; s = rhashtable_walk_next(iter)) {
		if (IS_ERR(s)) {
			cb->seq++;
			continue;
		}
		if (dump_one(skb, cb, dump, s))
			break;
	}
	rhashtable_walk_stop(iter);
	return skb->len;
}

static bool any(const struct mbc_session *s)
{
	return true;
}

int mbc_netlink_dump_sessions(struct sk_buff *skb, struct netlink_callback *cb)
{
	static const struct mbc_netlink_dump dump = {
		.cmd = MBC_CMD_GET_SESSION,
		.takes_nothing = "a dump of sessions takes nothing",
		.has = any,
		.put = mbc_netlink_put_session,
	};

	return mbc_netlink_dump_walk(skb, cb, &dump);
}

int mbc_netlink_dump_sessions_done(struct netlink_callback *cb)
{
	struct sessions_dump *d = dump_of(cb);

	rhashtable_walk_exit(&d->iter);
	kfree(d);
	return 0;
}
