// SPDX-License-Identifier: GPL-2.0-only
/* The command that says how the host's NF gets its packets. */
#include "netlink.h"

#include <linux/if_arp.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include "nf.h"

const struct nla_policy mbc_nf_attrs[MBC_NF_A_MAX + 1] = {
	[MBC_NF_A_MODE] = NLA_POLICY_MAX(NLA_U8, __MBC_NF_MAX - 1),
	[MBC_NF_A_DEV] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
};

static unsigned int devices_of(enum mbc_nf_mode mode)
{
	switch (mode) {
	case MBC_NF_TAP:
		return 1;
	case MBC_NF_REDIRECT:
		return 2;
	default:
		return 0;
	}
}

/* A reference to the device that @attr names. */
static struct net_device *find_device(struct genl_info *info,
				     const struct nlattr *attr)
{
	struct net_device *dev = dev_get_by_name(genl_info_net(info),
						 nla_data(attr));

	if (!dev) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "no such device");
		return ERR_PTR(-ENODEV);
	}
	if (dev->type == ARPHRD_ETHER)
		return dev;
	dev_put(dev);
	NL_SET_ERR_MSG_ATTR(info->extack, attr, "not an Ethernet device");
	return ERR_PTR(-EINVAL);
}

static int find_devices(struct genl_info *info, struct net_device **dev,
		       unsigned int want)
{
	const struct nlattr *attr;
	unsigned int n = 0;
	int rem;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(attr) != MBC_NF_A_DEV)
			continue;
		if (n == want) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr,
					    "too many devices for this mode");
			return -EINVAL;
		}
		dev[n] = find_device(info, attr);
		if (IS_ERR(dev[n])) {
			int err = PTR_ERR(dev[n]);

			dev[n] = NULL;
			return err;
		}
		n++;
	}
	if (n == want && (want < 2 || dev[0] != dev[1]))
		return 0;
	GENL_SET_ERR_MSG(info, "tap takes one device, redirect two");
	return -EINVAL;
}

/* Then nobody would tell us any more when it is gone. */
static bool leaves(const struct mbc_net *mn, const struct net_device *dev)
{
	return dev && (dev->reg_state != NETREG_REGISTERED ||
		       !net_eq(dev_net(dev), mn->net));
}

int mbc_netlink_set_nf(struct sk_buff *skb, struct genl_info *info)
{
	struct mbc_net *mn = mbc_netlink_net(info);
	struct net_device *dev[2] = {};
	enum mbc_nf_mode mode;
	int err;

	if (!info->attrs[MBC_NF_A_MODE]) {
		GENL_SET_ERR_MSG(info, "no mode");
		return -EINVAL;
	}
	mode = nla_get_u8(info->attrs[MBC_NF_A_MODE]);
	err = find_devices(info, dev, devices_of(mode));
	if (err)
		goto err_devices;
	rtnl_lock();
	mutex_lock(&mn->control);
	if (leaves(mn, dev[0]) || leaves(mn, dev[1]))
		err = -ENODEV;
	else
		err = mbc_nf_set(mn, mode, dev[0], dev[1]);
	mutex_unlock(&mn->control);
	rtnl_unlock();
	if (!err)
		return 0;
	if (err == -EOPNOTSUPP)
		GENL_SET_ERR_MSG(info, "this needs a kernel with CONFIG_NETFILTER_INGRESS");
	else
		GENL_SET_ERR_MSG(info, "the device goes, or no memory for the NF");

err_devices:
	dev_put(dev[0]);
	dev_put(dev[1]);
	return err;
}

int mbc_netlink_put_nf(struct sk_buff *skb, const struct mbc_net *mn)
{
	const struct mbc_nf *nf = rcu_dereference(mn->nf);
	struct nlattr *nest = nla_nest_start(skb, MBC_INFO_A_NF);
	int i;

	if (!nest ||
	    nla_put_u8(skb, MBC_NF_A_MODE, nf ? nf->mode : MBC_NF_INLINE))
		return -EMSGSIZE;
	for (i = 0; nf && i < 2; i++) {
		const struct net_device *dev = READ_ONCE(nf->dev[i]);

		if (dev && nla_put_string(skb, MBC_NF_A_DEV, dev->name))
			return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}
