// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family, and the commands about the namespace as a whole:
 * info, configuration, keys, counters. Commands run side by side
 * (parallel_ops); those that change something take mbc_net.control.
 *
 * The core checks every attribute against the policy of its command, strictly,
 * and who may ask (GENL_UNS_ADMIN_PERM). What a policy cannot say is checked
 * here, before anything is changed.
 */
#include "netlink.h"

#include <linux/module.h>
#include <linux/netlink.h>
#include <linux/string.h>
#include "hooks.h"
#include "ruleset.h"
#include "session.h"
#include "stats.h"

#define MBC_MIN_PORTS 64	/* PORT_MAX is at least PORT_MIN + 63 */

/* Ranges that do not fit into a policy; only 6.12 takes them as const. */
static struct netlink_range_validation
	max_sessions = { .min = 1, .max = 1 << 24 },
	syn_timeout = { .min = 1000, .max = 600000 },
	idle_timeout = { .min = 1000, .max = 864000000 },
	close_timeout = { .min = 100, .max = 600000 },
	udp_timeout = { .min = 1000, .max = 864000000 },
	setup_timeout = { .min = 100, .max = 60000 };

static const struct nla_policy config_attrs[MBC_CONFIG_A_MAX + 1] = {
	[MBC_CONFIG_A_MAX_SESSIONS] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &max_sessions),
	[MBC_CONFIG_A_SYN_TIMEOUT] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &syn_timeout),
	[MBC_CONFIG_A_IDLE_TIMEOUT] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &idle_timeout),
	[MBC_CONFIG_A_CLOSE_TIMEOUT] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &close_timeout),
	[MBC_CONFIG_A_FRESHNESS] = NLA_POLICY_RANGE(NLA_U32, 1, 3600),
	[MBC_CONFIG_A_PORT_MIN] = NLA_POLICY_MIN(NLA_U16, 1024),
	[MBC_CONFIG_A_PORT_MAX] = NLA_POLICY_MIN(NLA_U16, 1024),
	[MBC_CONFIG_A_UDP_TIMEOUT] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &udp_timeout),
	[MBC_CONFIG_A_UDP_STREAM_TIMEOUT] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &udp_timeout),
	[MBC_CONFIG_A_SETUP_TIMEOUT] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &setup_timeout),
	[MBC_CONFIG_A_GATEWAY] = NLA_POLICY_MAX(NLA_U8, 1),
};

static const struct nla_policy key_attrs[MBC_KEY_A_MAX + 1] = {
	[MBC_KEY_A_ID] = { .type = NLA_U32 },
	[MBC_KEY_A_SECRET] = NLA_POLICY_EXACT_LEN(MBC_KEY_LEN),
};

static const struct nla_policy keys_attrs[MBC_KEYS_A_MAX + 1] = {
	[MBC_KEYS_A_KEY] = NLA_POLICY_NESTED(key_attrs),
};

struct sk_buff *mbc_netlink_answer(struct genl_info *info, size_t size,
				   void **hdr)
{
	struct sk_buff *skb = genlmsg_new(size, GFP_KERNEL);

	if (!skb)
		goto err_memory;
	*hdr = genlmsg_put_reply(skb, info, &mbc_genl_family, 0,
				 info->genlhdr->cmd);
	if (*hdr)
		return skb;
	nlmsg_free(skb);
err_memory:
	GENL_SET_ERR_MSG(info, "no memory for the answer");
	return NULL;
}

int mbc_netlink_reply(struct sk_buff *answer, void *hdr,
		      struct genl_info *info, int err)
{
	if (err) {
		nlmsg_free(answer);
		return err;
	}
	genlmsg_end(answer, hdr);
	return genlmsg_reply(answer, info);
}

static int put_config(struct sk_buff *skb, const struct mbc_config *c)
{
	struct nlattr *nest = nla_nest_start(skb, MBC_INFO_A_CONFIG);

	if (!nest ||
	    nla_put_u32(skb, MBC_CONFIG_A_MAX_SESSIONS,
			READ_ONCE(c->max_sessions)) ||
	    nla_put_u32(skb, MBC_CONFIG_A_SYN_TIMEOUT,
			READ_ONCE(c->syn_timeout)) ||
	    nla_put_u32(skb, MBC_CONFIG_A_IDLE_TIMEOUT,
			READ_ONCE(c->idle_timeout)) ||
	    nla_put_u32(skb, MBC_CONFIG_A_CLOSE_TIMEOUT,
			READ_ONCE(c->close_timeout)) ||
	    nla_put_u32(skb, MBC_CONFIG_A_FRESHNESS,
			READ_ONCE(c->freshness)) ||
	    nla_put_u16(skb, MBC_CONFIG_A_PORT_MIN, READ_ONCE(c->port_min)) ||
	    nla_put_u16(skb, MBC_CONFIG_A_PORT_MAX, READ_ONCE(c->port_max)) ||
	    nla_put_u32(skb, MBC_CONFIG_A_UDP_TIMEOUT,
			READ_ONCE(c->udp_timeout)) ||
	    nla_put_u32(skb, MBC_CONFIG_A_UDP_STREAM_TIMEOUT,
			READ_ONCE(c->udp_stream_timeout)) ||
	    nla_put_u32(skb, MBC_CONFIG_A_SETUP_TIMEOUT,
			READ_ONCE(c->setup_timeout)) ||
	    nla_put_u8(skb, MBC_CONFIG_A_GATEWAY, READ_ONCE(c->gateway)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_info(struct sk_buff *skb, struct mbc_net *mn)
{
	const struct mbc_ruleset *rs = rcu_dereference(mn->ruleset);
	const struct mbc_keys *keys = rcu_dereference(mn->keys);
	unsigned int i;

	if (nla_put_string(skb, MBC_INFO_A_VERSION, MBC_VERSION) ||
	    nla_put_u32(skb, MBC_INFO_A_SESSIONS,
			atomic_read(&mn->ids.nelems)) ||
	    nla_put_u32(skb, MBC_INFO_A_SESSION_BYTES, mbc_session_size()) ||
	    nla_put_u64_64bit(skb, MBC_INFO_A_POLICY_VERSION,
			      rs ? rs->version : 0, MBC_INFO_A_PAD) ||
	    nla_put_u64_64bit(skb, MBC_INFO_A_TABLE_BYTES, mbc_table_bytes(mn),
			      MBC_INFO_A_PAD) ||
	    nla_put_u32(skb, MBC_INFO_A_RULES, rs ? rs->n_rules : 0))
		return -EMSGSIZE;
	for (i = 0; i < keys->n; i++)
		if (nla_put_u32(skb, MBC_INFO_A_KEY_ID, keys->key[i].id))
			return -EMSGSIZE;
	return put_config(skb, &mn->config) ?: mbc_netlink_put_nf(skb, mn);
}

static int get_info(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *answer;
	void *hdr;
	int err;

	answer = mbc_netlink_answer(info, GENLMSG_DEFAULT_SIZE, &hdr);
	if (!answer)
		return -ENOMEM;
	rcu_read_lock();
	err = put_info(answer, mbc_netlink_net(info));
	rcu_read_unlock();
	if (err)
		GENL_SET_ERR_MSG(info, "the answer does not fit");
	return mbc_netlink_reply(answer, hdr, info, err);
}

static int set_ports(struct mbc_net *mn, struct genl_info *info)
{
	struct mbc_config *c = &mn->config;
	struct nlattr *min = info->attrs[MBC_CONFIG_A_PORT_MIN];
	struct nlattr *max = info->attrs[MBC_CONFIG_A_PORT_MAX];
	u16 port_min = min ? nla_get_u16(min) : c->port_min;
	u16 port_max = max ? nla_get_u16(max) : c->port_max;

	if (port_max < port_min + MBC_MIN_PORTS - 1) {
		NL_SET_ERR_MSG_ATTR(info->extack, max ?: min,
				    "fewer than 64 ports");
		return -ERANGE;
	}
	/* Who picks a port between the two must not see one without the other. */
	spin_lock_bh(&mn->lock);
	WRITE_ONCE(c->port_min, port_min);
	WRITE_ONCE(c->port_max, port_max);
	spin_unlock_bh(&mn->lock);
	return 0;
}

static void set_u32(u32 *field, const struct nlattr *attr)
{
	if (attr)
		WRITE_ONCE(*field, nla_get_u32(attr));
}

static void set_gateway(struct mbc_net *mn, const struct nlattr *attr)
{
	bool gateway;

	if (!attr)
		return;
	gateway = nla_get_u8(attr);
	spin_lock_bh(&mn->lock);
	WRITE_ONCE(mn->config.gateway, gateway);
	if (gateway || !atomic_read(&mn->ids.nelems))
		WRITE_ONCE(mn->forwards, gateway);
	spin_unlock_bh(&mn->lock);
}

static int set_config(struct sk_buff *skb, struct genl_info *info)
{
	struct mbc_net *mn = mbc_netlink_net(info);
	struct mbc_config *c = &mn->config;
	int err;

	mutex_lock(&mn->control);
	err = set_ports(mn, info);	/* nothing else can fail */
	if (!err) {
		set_u32(&c->max_sessions,
			info->attrs[MBC_CONFIG_A_MAX_SESSIONS]);
		set_u32(&c->syn_timeout,
			info->attrs[MBC_CONFIG_A_SYN_TIMEOUT]);
		set_u32(&c->idle_timeout,
			info->attrs[MBC_CONFIG_A_IDLE_TIMEOUT]);
		set_u32(&c->close_timeout,
			info->attrs[MBC_CONFIG_A_CLOSE_TIMEOUT]);
		set_u32(&c->udp_timeout, info->attrs[MBC_CONFIG_A_UDP_TIMEOUT]);
		set_u32(&c->udp_stream_timeout,
			info->attrs[MBC_CONFIG_A_UDP_STREAM_TIMEOUT]);
		set_u32(&c->setup_timeout,
			info->attrs[MBC_CONFIG_A_SETUP_TIMEOUT]);
		set_u32(&c->freshness, info->attrs[MBC_CONFIG_A_FRESHNESS]);
		set_gateway(mn, info->attrs[MBC_CONFIG_A_GATEWAY]);
	}
	mutex_unlock(&mn->control);
	return err;
}

static int read_key(struct mbc_key *keys, unsigned int n,
		    const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[MBC_KEY_A_MAX + 1];
	unsigned int i;
	int err;

	err = nla_parse_nested(tb, MBC_KEY_A_MAX, attr, key_attrs, extack);
	if (err)
		return err;
	if (!tb[MBC_KEY_A_ID] || !tb[MBC_KEY_A_SECRET]) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "key without id or secret");
		return -EINVAL;
	}
	if (n == MBC_MAX_KEYS) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "too many keys");
		return -E2BIG;
	}
	keys[n].id = nla_get_u32(tb[MBC_KEY_A_ID]);
	for (i = 0; i < n; i++) {
		if (keys[i].id == keys[n].id) {
			NL_SET_ERR_MSG_ATTR(extack, tb[MBC_KEY_A_ID],
					    "two keys have one id");
			return -EEXIST;
		}
	}
	nla_memcpy(&keys[n].secret, tb[MBC_KEY_A_SECRET], MBC_KEY_LEN);
	le64_to_cpus(&keys[n].secret.key[0]);
	le64_to_cpus(&keys[n].secret.key[1]);
	return 0;
}

static int set_keys(struct sk_buff *skb, struct genl_info *info)
{
	struct mbc_net *mn = mbc_netlink_net(info);
	struct mbc_key keys[MBC_MAX_KEYS];
	const struct nlattr *attr;
	unsigned int n = 0;
	int err = 0, rem;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		err = read_key(keys, n, attr, info->extack);
		if (err)
			goto out;
		n++;
	}
	mutex_lock(&mn->control);
	err = n ? mbc_hooks_register(mn) : 0;
	err = err ?: mbc_net_set_keys(mn, keys, n);
	mutex_unlock(&mn->control);
	if (err)
		GENL_SET_ERR_MSG(info, "no memory for the keys");
out:
	memzero_explicit(keys, sizeof(keys));
	return err;
}

static int put_counter(struct sk_buff *skb, const struct mbc_net *mn,
		       enum mbc_reason reason)
{
	struct nlattr *nest = nla_nest_start(skb, MBC_STATS_A_COUNTER);

	if (!nest ||
	    nla_put_u32(skb, MBC_COUNTER_A_REASON, reason) ||
	    nla_put_string(skb, MBC_COUNTER_A_NAME, mbc_reason_name(reason)) ||
	    nla_put_u64_64bit(skb, MBC_COUNTER_A_VALUE,
			      mbc_stats_read(mn, reason), MBC_COUNTER_A_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int get_stats(struct sk_buff *skb, struct genl_info *info)
{
	const size_t counter = nla_total_size(nla_total_size(sizeof(u32)) +
					      nla_total_size(32) +
					      nla_total_size_64bit(sizeof(u64)));
	struct sk_buff *answer;
	enum mbc_reason reason;
	void *hdr;
	int err;

	answer = mbc_netlink_answer(info, MBC_REASON_MAX * counter, &hdr);
	if (!answer)
		return -ENOMEM;
	for (reason = MBC_REASON_NONE + 1; reason <= MBC_REASON_MAX; reason++) {
		err = put_counter(answer, mbc_netlink_net(info), reason);
		if (err) {
			GENL_SET_ERR_MSG(info, "the answer does not fit");
			nlmsg_free(answer);
			return err;
		}
	}
	genlmsg_end(answer, hdr);
	return genlmsg_reply(answer, info);
}

static const struct genl_ops ops[] = {
	{
		.cmd = MBC_CMD_GET_INFO,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = get_info,
	}, {
		.cmd = MBC_CMD_SET_CONFIG,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = config_attrs,
		.maxattr = MBC_CONFIG_A_MAX,
		.doit = set_config,
	}, {
		.cmd = MBC_CMD_SET_KEYS,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = keys_attrs,
		.maxattr = MBC_KEYS_A_MAX,
		.doit = set_keys,
	}, {
		.cmd = MBC_CMD_POLICY_BEGIN,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = mbc_load_begin_attrs,
		.maxattr = MBC_POLICY_A_SEED,
		.doit = mbc_netlink_load_begin,
	}, {
		.cmd = MBC_CMD_POLICY_ADD,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = mbc_load_add_attrs,
		.maxattr = MBC_POLICY_A_GUARD_PROG6,
		.doit = mbc_netlink_load_add,
	}, {
		.cmd = MBC_CMD_POLICY_COMMIT,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = mbc_load_commit_attrs,
		.maxattr = MBC_POLICY_A_VERSION,
		.doit = mbc_netlink_load_commit,
	}, {
		.cmd = MBC_CMD_GET_POLICY,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = mbc_netlink_get_policy,
	}, {
		.cmd = MBC_CMD_GET_RULE,
		.flags = GENL_UNS_ADMIN_PERM,
		.dumpit = mbc_netlink_dump_rules,
	}, {
		.cmd = MBC_CMD_GET_SESSION,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = mbc_session_attrs,
		.maxattr = MBC_SESSION_A_ID,
		.doit = mbc_netlink_get_session,
		.start = mbc_netlink_dump_sessions_start,
		.dumpit = mbc_netlink_dump_sessions,
		.done = mbc_netlink_dump_sessions_done,
	}, {
		.cmd = MBC_CMD_DEL_SESSION,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = mbc_session_attrs,
		.maxattr = MBC_SESSION_A_ID,
		.doit = mbc_netlink_del_session,
	}, {
		.cmd = MBC_CMD_NEW_SESSION,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = mbc_setup_new_attrs,
		.maxattr = MBC_SESSION_A_PLAN,
		.doit = mbc_netlink_new_session,
	}, {
		.cmd = MBC_CMD_SET_SESSION,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = mbc_setup_set_attrs,
		.maxattr = MBC_SESSION_A_SETUP,
		.doit = mbc_netlink_set_session,
	}, {
		.cmd = MBC_CMD_LOCK_SESSION,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = mbc_lock_attrs,
		.maxattr = MBC_SESSION_A_TIME,
		.doit = mbc_netlink_lock_session,
	}, {
		.cmd = MBC_CMD_BEGIN_MIGRATION,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = mbc_begin_attrs,
		.maxattr = MBC_SESSION_A_MIGRATION,
		.doit = mbc_netlink_begin_migration,
	}, {
		.cmd = MBC_CMD_PAUSE,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = mbc_pause_attrs,
		.maxattr = MBC_SESSION_A_CHECKPOINT,
		.doit = mbc_netlink_pause,
	}, {
		.cmd = MBC_CMD_MARK,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = mbc_mark_attrs,
		.maxattr = MBC_SESSION_A_MIGRATION,
		.doit = mbc_netlink_mark,
	}, {
		.cmd = MBC_CMD_SWITCH_PATH,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = mbc_switch_attrs,
		.maxattr = MBC_SESSION_A_PATH,
		.doit = mbc_netlink_switch_path,
	}, {
		.cmd = MBC_CMD_END_MIGRATION,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = mbc_end_attrs,
		.maxattr = MBC_SESSION_A_GONE,
		.doit = mbc_netlink_end_migration,
	}, {
		.cmd = MBC_CMD_SET_HOPS,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = mbc_hops_attrs,
		.maxattr = MBC_SESSION_A_HOPS6,
		.doit = mbc_netlink_set_hops,
	}, {
		.cmd = MBC_CMD_GET_MIGRATION,
		.flags = GENL_UNS_ADMIN_PERM,
		.start = mbc_netlink_dump_sessions_start,
		.dumpit = mbc_netlink_dump_migrations,
		.done = mbc_netlink_dump_sessions_done,
	}, {
		.cmd = MBC_CMD_GET_PEER,
		.flags = GENL_UNS_ADMIN_PERM,
		.dumpit = mbc_netlink_dump_peers,
	}, {
		.cmd = MBC_CMD_SET_NF,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = mbc_nf_attrs,
		.maxattr = MBC_NF_A_MAX,
		.doit = mbc_netlink_set_nf,
	}, {
		.cmd = MBC_CMD_GET_STATS,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = get_stats,
	},
};

static const struct genl_multicast_group groups[] = {
	[MBC_EVENTS] = {
		.name = MBC_GROUP_EVENTS, .flags = GENL_MCAST_CAP_NET_ADMIN,
	},
	[MBC_SETUPS] = {
		.name = MBC_GROUP_SETUP, .flags = GENL_MCAST_CAP_NET_ADMIN,
	},
};

struct genl_family mbc_genl_family __ro_after_init = {
	.name = MBC_GENL_NAME,
	.version = MBC_GENL_VERSION,
	.module = THIS_MODULE,
	.netnsok = true,
	.parallel_ops = true,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};

static bool registered __read_mostly;

bool mbc_netlink_listened(struct net *net, enum mbc_group group)
{
	return READ_ONCE(registered) &&
	       genl_has_listeners(&mbc_genl_family, net, group);
}

/* A socket is gone: so is the policy that it was loading. */
static int on_release(struct notifier_block *nb, unsigned long event,
		      void *data)
{
	const struct netlink_notify *n = data;

	if (event == NETLINK_URELEASE && n->protocol == NETLINK_GENERIC)
		mbc_netlink_load_forget(mbc_net_of(n->net), n->portid);
	return NOTIFY_DONE;
}

static struct notifier_block notifier = { .notifier_call = on_release };

int __init mbc_netlink_register(void)
{
	int err;

	err = netlink_register_notifier(&notifier);
	if (err)
		return err;
	err = genl_register_family(&mbc_genl_family);
	if (err) {
		netlink_unregister_notifier(&notifier);
		return err;
	}
	WRITE_ONCE(registered, true);
	return 0;
}

void mbc_netlink_unregister(void)
{
	WRITE_ONCE(registered, false);
	synchronize_rcu();	/* events under way, which use the family */
	genl_unregister_family(&mbc_genl_family);
	netlink_unregister_notifier(&notifier);
}
