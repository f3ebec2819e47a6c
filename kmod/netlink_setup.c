// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands by which the agents set up sessions out-of-band (paper section
 * 4.1), and the neighbours that make it necessary.
 */
#include "netlink.h"

#include <linux/netlink.h>
#include <net/sock.h>
#include "hold.h"
#include "hooks.h"
#include "join.h"
#include "migration.h"
#include "peer.h"
#include "session.h"
#include "stats.h"

/* The first hop is this host, so one less is left for the others. */
#define MAX_RIGHT (MBC_MAX_HOPS - 1)

const struct nla_policy mbc_setup_new_attrs[MBC_SESSION_A_PLAN + 1] = {
	[MBC_SESSION_A_ID] = NLA_POLICY_EXACT_LEN(MBC_ID_LEN),
	[MBC_SESSION_A_SUPER] = NLA_POLICY_NESTED(mbc_tuple_attrs),
	[MBC_SESSION_A_LEFT] = NLA_POLICY_NESTED(mbc_side_attrs),
	[MBC_SESSION_A_HOPS] = {
		.type = NLA_BINARY, .len = MAX_RIGHT * sizeof(__be32),
	},
	[MBC_SESSION_A_HOPS6] = {
		.type = NLA_BINARY, .len = MAX_RIGHT * sizeof(struct in6_addr),
	},
	[MBC_SESSION_A_LIVE] = { .type = NLA_FLAG },
	[MBC_SESSION_A_MIGRATION] = { .type = NLA_U64 },
	[MBC_SESSION_A_PLAN] = NLA_POLICY_RANGE(NLA_BINARY, 1, MBC_MAX_PLAN),
};

const struct nla_policy mbc_setup_set_attrs[MBC_SESSION_A_SETUP + 1] = {
	[MBC_SESSION_A_ID] = NLA_POLICY_EXACT_LEN(MBC_ID_LEN),
	[MBC_SESSION_A_SETUP] = NLA_POLICY_RANGE(NLA_U8, MBC_SETUP_IN_BAND,
						 MBC_SETUP_FAILED),
	[MBC_SESSION_A_END] = { .type = NLA_U32 },
};

static int read_setup(struct mbc_setup *h, struct mbc_tuple *wire,
		      struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	int err;

	if (!attrs[MBC_SESSION_A_ID] || !attrs[MBC_SESSION_A_SUPER] ||
	    !attrs[MBC_SESSION_A_LEFT]) {
		GENL_SET_ERR_MSG(info, "no id, supersession or subsession");
		return -EINVAL;
	}
	err = mbc_netlink_read_tuple(&h->super, attrs[MBC_SESSION_A_SUPER], info->extack) ?:
	      mbc_netlink_read_wire(wire, attrs[MBC_SESSION_A_LEFT],
				    &h->super, info->extack);
	if (err)
		return err;
	nla_memcpy(h->id, attrs[MBC_SESSION_A_ID], sizeof(h->id));
	h->hops[0] = wire->daddr;
	h->n_hops = 1;
	return mbc_netlink_read_hops(h->hops + 1, &h->n_hops, h->super.family,
				     info);
}

static int join(struct sk_buff *answer, struct genl_info *info,
		const struct mbc_setup *h, struct mbc_join *j)
{
	struct mbc_net *mn = mbc_netlink_net(info);
	struct mbc_session *s;
	enum mbc_reason reason;
	int err = 0;

	spin_lock_bh(&mn->lock);
	reason = mbc_join(mn, h, j, &s);
	if (!reason)
		err = mbc_netlink_put_session(answer, s);
	spin_unlock_bh(&mn->lock);
	if (reason) {
		mbc_count(mn, reason);
		info->extack->_msg = mbc_reason_name(reason);
		return mbc_netlink_error(reason);
	}
	if (!err && j->known)
		err = nla_put_flag(answer, MBC_SESSION_A_KNOWN);
	if (err)
		GENL_SET_ERR_MSG(info, "the answer does not fit");
	return err;
}

/* The record of the migration by which the session comes, if it does. */
static int read_record(struct mbc_join *j, struct genl_info *info)
{
	const struct nlattr *id = info->attrs[MBC_SESSION_A_MIGRATION];

	if (!id != !info->attrs[MBC_SESSION_A_PLAN] || (id && !j->live)) {
		GENL_SET_ERR_MSG(info, "a live session's migration has a plan");
		return -EINVAL;
	}
	if (!id)
		return 0;
	j->migration = mbc_netlink_new_migration(info, MBC_PART_JOINING);
	return j->migration ? 0 : -ENOMEM;
}

/* For a session that is the namespace's first, without a key. */
static int register_hooks(struct genl_info *info)
{
	struct mbc_net *mn = mbc_netlink_net(info);
	int err;

	mutex_lock(&mn->control);
	err = mbc_hooks_register(mn);
	mutex_unlock(&mn->control);
	if (err)
		GENL_SET_ERR_MSG(info, "no memory for the hooks");
	return err;
}

int mbc_netlink_new_session(struct sk_buff *skb, struct genl_info *info)
{
	struct mbc_setup h = {};
	struct mbc_tuple wire;
	struct mbc_join j = {
		.wire = &wire, .by_agent = true,
		.live = nla_get_flag(info->attrs[MBC_SESSION_A_LIVE]),
	};
	struct sk_buff *answer;
	void *hdr;
	int err;

	err = read_setup(&h, &wire, info) ?: register_hooks(info) ?:
	      read_record(&j, info);
	if (err)
		return err;
	answer = mbc_netlink_answer(info, MBC_NETLINK_SESSION_SIZE, &hdr);
	if (answer) {
		rcu_read_lock();
		err = join(answer, info, &h, &j);
		rcu_read_unlock();
		err = mbc_netlink_reply(answer, hdr, info, err);
	} else {
		err = -ENOMEM;
	}
	if (j.migration && !j.joined)
		kfree_rcu(j.migration, rcu);
	return err;
}

/* A SYN with payload went unanswered here, and one without will pass. */
static void note_peer(struct mbc_session *s)
{
	if (!s->syns)
		return;
	spin_lock_bh(&s->mn->lock);
	mbc_peer_note(s->mn, &mbc_session_hops(s)->addr[0],
		      mbc_session_back(s)->family);
	spin_unlock_bh(&s->mn->lock);
}

static bool end_wait(struct mbc_session *s, struct genl_info *info)
{
	const struct nlattr *why = info->attrs[MBC_SESSION_A_END];

	switch (nla_get_u8(info->attrs[MBC_SESSION_A_SETUP])) {
	case MBC_SETUP_FAILED:
		return mbc_hold_failed(s, why ? nla_get_u32(why) :
						MBC_REASON_PEER_REFUSED);
	case MBC_SETUP_DONE:
		note_peer(s);
		fallthrough;
	default:
		return mbc_hold_done(s);
	}
}

static int check_set(struct genl_info *info)
{
	const struct nlattr *setup = info->attrs[MBC_SESSION_A_SETUP];
	const struct nlattr *why = info->attrs[MBC_SESSION_A_END];

	if (!info->attrs[MBC_SESSION_A_ID] || !setup) {
		GENL_SET_ERR_MSG(info, "no session id or set-up state");
		return -EINVAL;
	}
	if (nla_get_u8(setup) == MBC_SETUP_WAITING)
		return mbc_netlink_refuse(info->extack, setup, "it is not over");
	if (why && nla_get_u8(setup) != MBC_SETUP_FAILED)
		return mbc_netlink_refuse(info->extack, why,
					  "what did not fail has no reason");
	if (why && nla_get_u32(why) != MBC_REASON_NO_ANSWER &&
	    nla_get_u32(why) != MBC_REASON_PEER_REFUSED)
		return mbc_netlink_refuse(info->extack, why, "no reason for this");
	return 0;
}

int mbc_netlink_set_session(struct sk_buff *skb, struct genl_info *info)
{
	struct mbc_session *s;
	int err;

	err = check_set(info);
	if (err)
		return err;
	rcu_read_lock();
	s = mbc_session_find(mbc_netlink_net(info),
			     nla_data(info->attrs[MBC_SESSION_A_ID]));
	if (!s) {
		GENL_SET_ERR_MSG(info, "no such session");
		err = -ENOENT;
	} else if (READ_ONCE(s->setup) != MBC_SETUP_WAITING ||
		   !end_wait(s, info)) {
		GENL_SET_ERR_MSG(info, "the session does not wait");
		err = -EALREADY;
	}
	rcu_read_unlock();
	return err;
}

static int put_peer(struct sk_buff *skb, const struct mbc_peer *peer)
{
	long left = peer->expires - jiffies;
	int err;

	if (peer->key.family == AF_INET)
		err = nla_put_in_addr(skb, MBC_PEER_A_ADDR4, peer->key.addr.ip);
	else
		err = nla_put(skb, MBC_PEER_A_ADDR6, sizeof(peer->key.addr),
			      &peer->key.addr);
	if (err ||
	    nla_put_u64_64bit(skb, MBC_PEER_A_EXPIRES,
			      left > 0 ? jiffies64_to_msecs(left) : 0,
			      MBC_PEER_A_PAD) ||
	    nla_put_u64_64bit(skb, MBC_PEER_A_SESSIONS, peer->sessions,
			      MBC_PEER_A_PAD))
		return -EMSGSIZE;
	return 0;
}

static int dump_peer(struct sk_buff *skb, struct netlink_callback *cb,
		     const struct mbc_peer *peer)
{
	void *hdr;

	hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			  &mbc_genl_family, NLM_F_MULTI, MBC_CMD_GET_PEER);
	if (!hdr)
		return -EMSGSIZE;
	if (put_peer(skb, peer)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/* In the order in which they expire. Of two parts of a dump the second goes on
 * by number, so it may miss one when others expire meanwhile.
 */
int mbc_netlink_dump_peers(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct mbc_net *mn = mbc_net_of(sock_net(cb->skb->sk));
	const struct mbc_peer *peer;
	long i = 0;

	if (nlmsg_attrlen(cb->nlh, GENL_HDRLEN)) {
		NL_SET_ERR_MSG(cb->extack, "a dump of neighbours takes nothing");
		return -EINVAL;
	}
	spin_lock_bh(&mn->lock);
	list_for_each_entry(peer, &mn->peers_age, age) {
		if (i++ < cb->args[0])
			continue;
		if (dump_peer(skb, cb, peer))
			break;
		cb->args[0] = i;
	}
	spin_unlock_bh(&mn->lock);
	return skb->len;
}

const struct nla_policy mbc_hops_attrs[MBC_SESSION_A_HOPS6 + 1] = {
	[MBC_SESSION_A_ID] = NLA_POLICY_EXACT_LEN(MBC_ID_LEN),
	[MBC_SESSION_A_HOPS] = {
		.type = NLA_BINARY, .len = MBC_MAX_HOPS * sizeof(__be32),
	},
	[MBC_SESSION_A_HOPS6] = {
		.type = NLA_BINARY,
		.len = MBC_MAX_HOPS * sizeof(struct in6_addr),
	},
};

static bool is_set_up(const struct mbc_session *s)
{
	u8 state = READ_ONCE(s->tcp.state);

	return mbc_hold_over(s) && state != MBC_TCP_NONE && state != MBC_TCP_SYN;
}

/* At a right anchor both paths go on in the same way. */
static void set_other_hops(const struct mbc_session *s,
			   const struct mbc_hops *hops)
{
	const struct mbc_migration *m = mbc_migration_find(s);
	struct mbc_session *other;
	struct mbc_hops *copy;

	if (!m || m->part != MBC_PART_RIGHT)
		return;
	other = m->session[!m->in_use];
	if (!other)
		return;
	copy = mbc_hops_new(hops->addr, hops->n, GFP_ATOMIC | __GFP_NOWARN);
	if (copy)
		mbc_session_set_hops(other, copy);
}

/* Return: 1: the session has taken @hops; 0: there are none; or -errno. */
static int set_hops_locked(struct genl_info *info, struct mbc_hops *hops)
{
	struct mbc_session *s = mbc_netlink_find_session(info);
	const struct mbc_tuple *back;
	u8 n = 0;
	int err;

	if (!s)
		return -ENOENT;
	back = mbc_session_back(s);
	err = mbc_netlink_read_hops(hops->addr, &n, back->family, info);
	if (err)
		return err;
	hops->n = n;
	if (!is_set_up(s)) {
		GENL_SET_ERR_MSG(info, "the session is being set up");
		return -EBUSY;
	}
	if (!n != !s->n_hops) {
		GENL_SET_ERR_MSG(info, "there are no hosts to the right, or have to be");
		return -EINVAL;
	}
	if (!n)
		return 0;
	set_other_hops(s, hops);
	mbc_session_set_hops(s, hops);
	return 1;
}

int mbc_netlink_set_hops(struct sk_buff *skb, struct genl_info *info)
{
	static const union mbc_addr none[MBC_MAX_HOPS];
	struct mbc_net *mn = mbc_netlink_net(info);
	struct mbc_hops *hops;
	int err;

	if (!info->attrs[MBC_SESSION_A_ID]) {
		GENL_SET_ERR_MSG(info, "no session id");
		return -EINVAL;
	}
	hops = mbc_hops_new(none, MBC_MAX_HOPS, GFP_KERNEL);
	if (!hops)
		return -ENOMEM;
	rcu_read_lock();
	spin_lock_bh(&mn->lock);
	err = set_hops_locked(info, hops);
	spin_unlock_bh(&mn->lock);
	rcu_read_unlock();
	if (err != 1)
		kfree(hops);
	return min(err, 0);
}
