// SPDX-License-Identifier: GPL-2.0-only
/* Tuples and hops that a command brings, checked; and why it is refused. */
#include "netlink.h"

#include <linux/netlink.h>
#include <net/ipv6.h>

const struct nla_policy mbc_tuple_attrs[MBC_TUPLE_A_MAX + 1] = {
	[MBC_TUPLE_A_SADDR4] = { .type = NLA_U32 },
	[MBC_TUPLE_A_DADDR4] = { .type = NLA_U32 },
	[MBC_TUPLE_A_SPORT] = { .type = NLA_U16 },
	[MBC_TUPLE_A_DPORT] = { .type = NLA_U16 },
	[MBC_TUPLE_A_PROTO] = { .type = NLA_U8 },
	[MBC_TUPLE_A_SADDR6] = NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr)),
	[MBC_TUPLE_A_DADDR6] = NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr)),
};

const struct nla_policy mbc_side_attrs[MBC_SIDE_A_TUPLE + 1] = {
	[MBC_SIDE_A_TUPLE] = NLA_POLICY_NESTED(mbc_tuple_attrs),
};

int mbc_netlink_refuse(struct netlink_ext_ack *extack,
		       const struct nlattr *attr, const char *message)
{
	extack->_msg = message;	/* lives as long as the module */
	NL_SET_BAD_ATTR(extack, attr);
	return -EINVAL;
}

/* Both addresses, of one family; 0 or -EINVAL. */
static int read_addrs(struct mbc_tuple *t, struct nlattr **tb)
{
	if (tb[MBC_TUPLE_A_SADDR4] && tb[MBC_TUPLE_A_DADDR4] &&
	    !tb[MBC_TUPLE_A_SADDR6] && !tb[MBC_TUPLE_A_DADDR6]) {
		t->family = AF_INET;
		t->saddr.ip = nla_get_in_addr(tb[MBC_TUPLE_A_SADDR4]);
		t->daddr.ip = nla_get_in_addr(tb[MBC_TUPLE_A_DADDR4]);
		return 0;
	}
	if (tb[MBC_TUPLE_A_SADDR6] && tb[MBC_TUPLE_A_DADDR6] &&
	    !tb[MBC_TUPLE_A_SADDR4] && !tb[MBC_TUPLE_A_DADDR4]) {
		t->family = AF_INET6;
		nla_memcpy(&t->saddr, tb[MBC_TUPLE_A_SADDR6], sizeof(t->saddr));
		nla_memcpy(&t->daddr, tb[MBC_TUPLE_A_DADDR6], sizeof(t->daddr));
		return 0;
	}
	return -EINVAL;
}

int mbc_netlink_read_tuple(struct mbc_tuple *t, const struct nlattr *attr,
			   struct netlink_ext_ack *extack)
{
	struct nlattr *tb[MBC_TUPLE_A_MAX + 1];
	int err;

	err = nla_parse_nested(tb, MBC_TUPLE_A_MAX, attr, mbc_tuple_attrs,
			       extack);
	if (err)
		return err;
	*t = (struct mbc_tuple){};
	if (read_addrs(t, tb) || !tb[MBC_TUPLE_A_SPORT] ||
	    !tb[MBC_TUPLE_A_DPORT] || !tb[MBC_TUPLE_A_PROTO])
		return mbc_netlink_refuse(extack, attr, "the tuple is not complete");
	t->sport = nla_get_be16(tb[MBC_TUPLE_A_SPORT]);
	t->dport = nla_get_be16(tb[MBC_TUPLE_A_DPORT]);
	t->proto = nla_get_u8(tb[MBC_TUPLE_A_PROTO]);
	if (!mbc_tuple_valid(t))
		return mbc_netlink_refuse(extack, attr, "no session can have this tuple");
	return 0;
}

int mbc_netlink_read_wire(struct mbc_tuple *wire, const struct nlattr *attr,
			  const struct mbc_tuple *of,
			  struct netlink_ext_ack *extack)
{
	struct nlattr *tb[MBC_SIDE_A_TUPLE + 1];
	int err;

	err = nla_parse_nested(tb, MBC_SIDE_A_TUPLE, attr, mbc_side_attrs,
			       extack);
	if (err)
		return err;
	if (!tb[MBC_SIDE_A_TUPLE])
		return mbc_netlink_refuse(extack, attr, "the subsession has no tuple");
	err = mbc_netlink_read_tuple(wire, tb[MBC_SIDE_A_TUPLE], extack);
	if (err)
		return err;
	if (wire->family != of->family || wire->proto != of->proto)
		return mbc_netlink_refuse(extack, attr,
					  "of another family or protocol");
	return 0;
}

int mbc_netlink_read_hops(union mbc_addr *hops, u8 *n, u8 family,
			  struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[family == AF_INET ?
		MBC_SESSION_A_HOPS : MBC_SESSION_A_HOPS6];
	const struct nlattr *wrong = info->attrs[family == AF_INET ?
		MBC_SESSION_A_HOPS6 : MBC_SESSION_A_HOPS];
	unsigned int len = mbc_addr_len(family), i;

	if (wrong)
		return mbc_netlink_refuse(info->extack, wrong,
					  "hops of another family");
	if (!attr)
		return 0;
	if (!nla_len(attr) || nla_len(attr) % len)
		return mbc_netlink_refuse(info->extack, attr,
					  "no list of addresses");
	for (i = 0; i < nla_len(attr) / len; i++, ++*n) {
		memcpy(&hops[i], nla_data(attr) + i * len, len);
		if (!mbc_addr_valid(&hops[i], family))
			return mbc_netlink_refuse(info->extack, attr,
						  "no host can have this address");
	}
	return 0;
}

int mbc_netlink_error(enum mbc_reason reason)
{
	switch (reason) {
	case MBC_REASON_TABLE_FULL:
		return -ENOSPC;
	case MBC_REASON_HDR_REPLAY:
	case MBC_REASON_TUPLE_TAKEN:
		return -EEXIST;
	case MBC_REASON_HDR_LOOP:
		return -ELOOP;
	case MBC_REASON_NO_ROUTE:
		return -EHOSTUNREACH;
	case MBC_REASON_NO_PORT:
		return -EADDRNOTAVAIL;
	case MBC_REASON_NOT_MOVABLE:
		return -EBUSY;
	case MBC_REASON_NO_MEMORY:
		return -ENOMEM;
	default:
		return -EINVAL;
	}
}
