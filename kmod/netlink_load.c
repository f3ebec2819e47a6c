// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands that load a policy, in many messages: mbc_net.load belongs to one
 * socket, under mbc_net.control, until that socket commits it or closes.
 */
#include "netlink.h"

#include <linux/filter.h>
#include <linux/slab.h>
#include "event.h"
#include "hooks.h"
#include "ruleset.h"

/* Ranges that do not fit into a policy; only 6.12 takes them as const. */
static struct netlink_range_validation
	weight = { .min = 1, .max = 65535 },
	prog_len = {
		.min = sizeof(struct sock_filter),
		.max = BPF_MAXINSNS * sizeof(struct sock_filter),
	};

static const struct nla_policy instance_attrs[MBC_INSTANCE_A_MAX + 1] = {
	[MBC_INSTANCE_A_ADDR4] = { .type = NLA_U32 },
	[MBC_INSTANCE_A_WEIGHT] = NLA_POLICY_FULL_RANGE(NLA_U32, &weight),
	[MBC_INSTANCE_A_ADDR6] = NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr)),
};

static const struct nla_policy type_attrs[MBC_TYPE_A_MAX + 1] = {
	[MBC_TYPE_A_NAME] = {
		.type = NLA_NUL_STRING, .len = MBC_TYPE_NAME_LEN - 1,
	},
	[MBC_TYPE_A_INSTANCE] = NLA_POLICY_NESTED(instance_attrs),
	[MBC_TYPE_A_CHOICE] = NLA_POLICY_MAX(NLA_U8, __MBC_CHOICE_MAX - 1),
};

static const struct nla_policy rule_attrs[MBC_RULE_A_SETUP + 1] = {
	[MBC_RULE_A_ID] = { .type = NLA_U32 },
	[MBC_RULE_A_ON_FAILURE] =
		NLA_POLICY_MAX(NLA_U8, __MBC_ON_FAILURE_MAX - 1),
	[MBC_RULE_A_TYPES] = {
		.type = NLA_BINARY, .len = (MBC_MAX_HOPS - 1) * sizeof(u16),
	},
	[MBC_RULE_A_SETUP] = NLA_POLICY_MAX(NLA_U8, __MBC_SETUP_WAY_MAX - 1),
};

static const struct nla_policy guard_attrs[MBC_GUARD_A_MAX + 1] = {
	[MBC_GUARD_A_ID] = { .type = NLA_U32 },
	[MBC_GUARD_A_REQUIRED] = { .type = NLA_FLAG },
};

const struct nla_policy mbc_load_begin_attrs[MBC_POLICY_A_SEED + 1] = {
	[MBC_POLICY_A_VERSION] = { .type = NLA_U64 },
	[MBC_POLICY_A_SEED] = NLA_POLICY_EXACT_LEN(MBC_KEY_LEN),
};

const struct nla_policy mbc_load_add_attrs[MBC_POLICY_A_GUARD_PROG6 + 1] = {
	[MBC_POLICY_A_TYPE] = NLA_POLICY_NESTED(type_attrs),
	[MBC_POLICY_A_RULE] = NLA_POLICY_NESTED(rule_attrs),
	[MBC_POLICY_A_PROG] = NLA_POLICY_FULL_RANGE(NLA_BINARY, &prog_len),
	[MBC_POLICY_A_HOST4] = { .type = NLA_U32 },
	[MBC_POLICY_A_PROG6] = NLA_POLICY_FULL_RANGE(NLA_BINARY, &prog_len),
	[MBC_POLICY_A_HOST6] = NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr)),
	[MBC_POLICY_A_GUARD] = NLA_POLICY_NESTED(guard_attrs),
	[MBC_POLICY_A_GUARD_PROG] =
		NLA_POLICY_FULL_RANGE(NLA_BINARY, &prog_len),
	[MBC_POLICY_A_GUARD_PROG6] =
		NLA_POLICY_FULL_RANGE(NLA_BINARY, &prog_len),
};

const struct nla_policy mbc_load_commit_attrs[MBC_POLICY_A_VERSION + 1] = {
	[MBC_POLICY_A_VERSION] = { .type = NLA_U64 },
};

/* The policy that the sender of a command has begun. */
static struct mbc_ruleset *loading(struct mbc_net *mn, struct genl_info *info)
{
	lockdep_assert_held(&mn->control);
	if (mn->load.ruleset && mn->load.portid == info->snd_portid)
		return mn->load.ruleset;
	GENL_SET_ERR_MSG(info, "no policy was begun on this socket");
	return NULL;
}

static void set_loading(struct mbc_net *mn, struct mbc_ruleset *rs, u32 portid)
{
	lockdep_assert_held(&mn->control);
	mn->load.ruleset = rs;
	WRITE_ONCE(mn->load.portid, portid);
}

int mbc_netlink_load_begin(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *version = info->attrs[MBC_POLICY_A_VERSION];
	const struct nlattr *seed = info->attrs[MBC_POLICY_A_SEED];
	struct mbc_net *mn = mbc_netlink_net(info);
	struct mbc_ruleset *rs, *old;
	int err = 0;

	if (!version || !seed) {
		GENL_SET_ERR_MSG(info, "policy without version or seed");
		return -EINVAL;
	}
	rs = mbc_ruleset_new(nla_get_u64(version), nla_data(seed));
	if (!rs) {
		GENL_SET_ERR_MSG(info, "no memory for a policy");
		return -ENOMEM;
	}

	mutex_lock(&mn->control);
	if (mn->load.ruleset && mn->load.portid != info->snd_portid) {
		GENL_SET_ERR_MSG(info, "another socket is loading a policy");
		err = -EBUSY;
	} else {
		old = mn->load.ruleset;
		set_loading(mn, rs, info->snd_portid);
		rs = old;
	}
	mutex_unlock(&mn->control);
	mbc_ruleset_free(rs);
	return err;
}

/* The address of a host; the attribute policy has seen to its length. */
static int read_addr(union mbc_addr *addr, u8 family, const struct nlattr *attr,
		     struct netlink_ext_ack *extack)
{
	memset(addr, 0, sizeof(*addr));
	memcpy(addr, nla_data(attr), mbc_addr_len(family));
	if (mbc_addr_valid(addr, family))
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, attr, "not the address of a host");
	return -EINVAL;
}

static int read_instance_addr(struct mbc_instance *instance, u8 family,
			      const struct nlattr *attr,
			      struct netlink_ext_ack *extack)
{
	enum mbc_addr_slot slot = mbc_addr_slot(family);

	if (!attr)
		return 0;
	instance->has |= BIT(slot);
	return read_addr(&instance->addr[slot], family, attr, extack);
}

static int read_instance(struct mbc_instance *instance,
			 const struct nlattr *attr,
			 struct netlink_ext_ack *extack)
{
	struct nlattr *tb[MBC_INSTANCE_A_MAX + 1];
	int err;

	err = nla_parse_nested(tb, MBC_INSTANCE_A_MAX, attr, instance_attrs,
			       extack);
	if (err)
		return err;
	if ((!tb[MBC_INSTANCE_A_ADDR4] && !tb[MBC_INSTANCE_A_ADDR6]) ||
	    !tb[MBC_INSTANCE_A_WEIGHT]) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "instance without address or weight");
		return -EINVAL;
	}
	instance->weight = nla_get_u32(tb[MBC_INSTANCE_A_WEIGHT]);
	err = read_instance_addr(instance, AF_INET, tb[MBC_INSTANCE_A_ADDR4],
				 extack);
	return err ?: read_instance_addr(instance, AF_INET6,
					 tb[MBC_INSTANCE_A_ADDR6], extack);
}

static int add_type(struct mbc_ruleset *rs, const struct nlattr *attr,
		    struct netlink_ext_ack *extack)
{
	struct mbc_instance *instances;
	const struct nlattr *a, *name = NULL;
	u8 choice = MBC_CHOICE_HASH;
	unsigned int n = 0;
	int err, rem;

	instances = kcalloc(MBC_MAX_INSTANCES, sizeof(*instances),
			    GFP_KERNEL_ACCOUNT);
	if (!instances) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "no memory for a type");
		return -ENOMEM;
	}
	nla_for_each_nested(a, attr, rem) {
		if (nla_type(a) == MBC_TYPE_A_NAME) {
			name = a;
			continue;
		}
		if (nla_type(a) == MBC_TYPE_A_CHOICE) {
			choice = nla_get_u8(a);
			continue;
		}
		if (n == MBC_MAX_INSTANCES) {
			NL_SET_ERR_MSG_ATTR(extack, a, "too many instances");
			err = -E2BIG;
			goto out;
		}
		err = read_instance(&instances[n++], a, extack);
		if (err)
			goto out;
	}
	if (!name || !*(const char *)nla_data(name)) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "type without name");
		err = -EINVAL;
		goto out;
	}
	err = mbc_ruleset_add_type(rs, nla_data(name), choice, instances, n);
	if (err == -E2BIG)
		NL_SET_ERR_MSG_ATTR(extack, attr, "too many types");
	else if (err)
		NL_SET_ERR_MSG_ATTR(extack, attr, "no memory for a type");
out:
	kfree(instances);
	return err;
}

static int add_rule(struct mbc_ruleset *rs, const struct nlattr *attr,
		    struct netlink_ext_ack *extack)
{
	struct nlattr *tb[MBC_RULE_A_SETUP + 1];
	const struct nlattr *types;
	int err;

	err = nla_parse_nested(tb, MBC_RULE_A_SETUP, attr, rule_attrs, extack);
	if (err)
		return err;
	types = tb[MBC_RULE_A_TYPES];
	if (!tb[MBC_RULE_A_ID] || !tb[MBC_RULE_A_ON_FAILURE] || !types) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "rule without id, on-failure or types");
		return -EINVAL;
	}
	if (nla_len(types) % sizeof(u16)) {
		NL_SET_ERR_MSG_ATTR(extack, types, "not an array of u16");
		return -EINVAL;
	}
	err = mbc_ruleset_add_rule(rs, nla_get_u32(tb[MBC_RULE_A_ID]),
				   nla_get_u8(tb[MBC_RULE_A_ON_FAILURE]),
				   tb[MBC_RULE_A_SETUP] ?
					nla_get_u8(tb[MBC_RULE_A_SETUP]) :
					MBC_SETUP_WAY_AUTO,
				   nla_data(types),
				   nla_len(types) / sizeof(u16));
	if (err == -EINVAL)
		NL_SET_ERR_MSG_ATTR(extack, types,
				    "rule names a type that is not there");
	else if (err == -E2BIG)
		NL_SET_ERR_MSG_ATTR(extack, attr, "too many rules");
	else if (err)
		NL_SET_ERR_MSG_ATTR(extack, attr, "no memory for a rule");
	return err;
}

static int add_guard(struct mbc_ruleset *rs, const struct nlattr *attr,
		     struct netlink_ext_ack *extack)
{
	struct nlattr *tb[MBC_GUARD_A_MAX + 1];
	int err;

	err = nla_parse_nested(tb, MBC_GUARD_A_MAX, attr, guard_attrs, extack);
	if (err)
		return err;
	if (!tb[MBC_GUARD_A_ID]) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "guard without id");
		return -EINVAL;
	}
	err = mbc_ruleset_add_guard(rs, nla_get_u32(tb[MBC_GUARD_A_ID]),
				    nla_get_flag(tb[MBC_GUARD_A_REQUIRED]));
	if (err == -E2BIG)
		NL_SET_ERR_MSG_ATTR(extack, attr, "too many guards");
	else if (err)
		NL_SET_ERR_MSG_ATTR(extack, attr, "no memory for a guard");
	return err;
}

static int add_prog(struct mbc_progs *progs, u8 family,
		    const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	int err;

	if (nla_len(attr) % sizeof(struct sock_filter)) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "not an array of struct sock_filter");
		return -EINVAL;
	}
	err = mbc_ruleset_add_prog(progs, family, nla_data(attr),
				   nla_len(attr) / sizeof(struct sock_filter));
	if (err == -E2BIG)
		NL_SET_ERR_MSG_ATTR(extack, attr, "too many programs");
	else if (err == -ENOMEM)
		NL_SET_ERR_MSG_ATTR(extack, attr, "no memory for a program");
	else if (err == -ELOOP)
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "program leads to one before it or to itself");
	else if (err)
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "the kernel refuses the program");
	return err;
}

static int add_host(struct mbc_ruleset *rs, u8 family,
		    const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	union mbc_addr addr;
	int err;

	err = read_addr(&addr, family, attr, extack);
	if (err)
		return err;
	err = mbc_ruleset_add_host(rs, family, &addr);
	if (err == -E2BIG)
		NL_SET_ERR_MSG_ATTR(extack, attr, "too many hosts");
	else if (err)
		NL_SET_ERR_MSG_ATTR(extack, attr, "no memory for a host");
	return err;
}

static int add(struct mbc_ruleset *rs, const struct nlattr *attr,
	       struct netlink_ext_ack *extack)
{
	switch (nla_type(attr)) {
	case MBC_POLICY_A_TYPE:
		return add_type(rs, attr, extack);
	case MBC_POLICY_A_RULE:
		return add_rule(rs, attr, extack);
	case MBC_POLICY_A_PROG:
		return add_prog(rs->progs, AF_INET, attr, extack);
	case MBC_POLICY_A_PROG6:
		return add_prog(rs->progs, AF_INET6, attr, extack);
	case MBC_POLICY_A_GUARD:
		return add_guard(rs, attr, extack);
	case MBC_POLICY_A_GUARD_PROG:
		return add_prog(rs->guard_progs, AF_INET, attr, extack);
	case MBC_POLICY_A_GUARD_PROG6:
		return add_prog(rs->guard_progs, AF_INET6, attr, extack);
	case MBC_POLICY_A_HOST4:
		return add_host(rs, AF_INET, attr, extack);
	default:	/* the attribute policy lets no other pass */
		return add_host(rs, AF_INET6, attr, extack);
	}
}

int mbc_netlink_load_add(struct sk_buff *skb, struct genl_info *info)
{
	struct mbc_net *mn = mbc_netlink_net(info);
	const struct nlattr *attr;
	struct mbc_ruleset *rs;
	struct mbc_ruleset mark;
	int err = 0, rem;

	mutex_lock(&mn->control);
	rs = loading(mn, info);
	if (!rs) {
		err = -ENOENT;
		goto out;
	}
	mark = *rs;
	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		err = add(rs, attr, info->extack);
		if (err) {
			mbc_ruleset_truncate(rs, &mark);
			break;
		}
	}
out:
	mutex_unlock(&mn->control);
	return err;
}

int mbc_netlink_load_commit(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *version = info->attrs[MBC_POLICY_A_VERSION];
	struct mbc_net *mn = mbc_netlink_net(info);
	struct mbc_ruleset *rs;
	int err = 0;

	mutex_lock(&mn->control);
	rs = loading(mn, info);
	if (!rs) {
		err = -ENOENT;
	} else if (!version || nla_get_u64(version) != rs->version) {
		NL_SET_ERR_MSG_ATTR(info->extack, version,
				    "not the version that was begun");
		err = -EINVAL;
	} else if (mbc_hooks_register(mn)) {
		GENL_SET_ERR_MSG(info, "no memory for the hooks");
		err = -ENOMEM;
	} else {
		set_loading(mn, NULL, 0);
		mbc_ruleset_install(mn, rs);
		mbc_event_policy(mn, nla_get_u64(version));
	}
	mutex_unlock(&mn->control);
	return err;
}

/* A socket that is being released runs no command, so that its own number is
 * either there or not: others need not wait for the mutex.
 */
void mbc_netlink_load_forget(struct mbc_net *mn, u32 portid)
{
	struct mbc_ruleset *rs = NULL;

	if (!portid || READ_ONCE(mn->load.portid) != portid)
		return;
	mutex_lock(&mn->control);
	if (mn->load.portid == portid) {
		rs = mn->load.ruleset;
		set_loading(mn, NULL, 0);
	}
	mutex_unlock(&mn->control);
	mbc_ruleset_free(rs);
}
