// SPDX-License-Identifier: GPL-2.0-only
/* Multicast events. No lock of its own; callers hold what event.h says. */
#include "event.h"

#include "netlink.h"

/* Tell listeners that there was an event which they will not get. */
static void lose(struct net *net, enum mbc_group group)
{
	genl_set_err(&mbc_genl_family, net, 0, group, -ENOBUFS);
}

int mbc_event_session(struct mbc_session *s, enum mbc_cmd cmd,
		      enum mbc_reason why)
{
	enum mbc_group group = cmd == MBC_CMD_EVENT_SETUP ? MBC_SETUPS :
							    MBC_EVENTS;
	struct net *net = s->mn->net;
	struct sk_buff *skb;
	void *hdr;

	if (likely(!mbc_netlink_listened(net, group)))
		return -ESRCH;
	skb = genlmsg_new(MBC_NETLINK_SESSION_SIZE, GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		goto err;
	hdr = genlmsg_put(skb, 0, 0, &mbc_genl_family, 0, cmd);
	if (!hdr || mbc_netlink_put_session(skb, s) ||
	    (why && nla_put_u32(skb, MBC_SESSION_A_END, why)))
		goto err_skb;
	genlmsg_end(skb, hdr);
	return genlmsg_multicast_netns(&mbc_genl_family, net, skb, 0, group,
				       GFP_ATOMIC);

err_skb:
	nlmsg_free(skb);
err:
	lose(net, group);
	return -ENOBUFS;
}

void mbc_event_migration(const struct mbc_session *s,
			 const struct mbc_migration *m)
{
	struct net *net = s->mn->net;
	struct sk_buff *skb;
	void *hdr;

	if (!mbc_netlink_listened(net, MBC_EVENTS))
		return;
	skb = genlmsg_new(MBC_NETLINK_FACTS_SIZE, GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		goto err;
	hdr = genlmsg_put(skb, 0, 0, &mbc_genl_family, 0,
			  MBC_CMD_EVENT_MIGRATION);
	if (!hdr || mbc_netlink_put_facts(skb, s, m))
		goto err_skb;
	genlmsg_end(skb, hdr);
	genlmsg_multicast_netns(&mbc_genl_family, net, skb, 0, MBC_EVENTS,
				GFP_ATOMIC);
	return;

err_skb:
	nlmsg_free(skb);
err:
	lose(net, MBC_EVENTS);
}

void mbc_event_policy(struct mbc_net *mn, u64 version)
{
	struct sk_buff *skb;
	void *hdr;

	rcu_read_lock();
	if (!mbc_netlink_listened(mn->net, MBC_EVENTS))
		goto out;
	skb = genlmsg_new(nla_total_size_64bit(sizeof(version)), GFP_ATOMIC);
	if (!skb)
		goto err;
	hdr = genlmsg_put(skb, 0, 0, &mbc_genl_family, 0,
			  MBC_CMD_EVENT_POLICY);
	if (!hdr || nla_put_u64_64bit(skb, MBC_POLICY_A_VERSION, version,
				      MBC_POLICY_A_PAD))
		goto err_skb;
	genlmsg_end(skb, hdr);
	genlmsg_multicast_netns(&mbc_genl_family, mn->net, skb, 0,
				MBC_EVENTS, GFP_ATOMIC);
	goto out;

err_skb:
	nlmsg_free(skb);
err:
	lose(mn->net, MBC_EVENTS);
out:
	rcu_read_unlock();
}
