// SPDX-License-Identifier: GPL-2.0-only
/*
 * The netfilter hooks, and the only place that speaks of NF_*. Every hook
 * runs under rcu_read_lock(); none keeps a packet.
 */
#include "hooks.h"

#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include "inbound.h"
#include "ingress.h"
#include "net.h"
#include "outbound.h"

static unsigned int verdict(enum mbc_verdict v)
{
	switch (v) {
	case MBC_DROP:
		return NF_DROP;
	case MBC_STOLEN:
		return NF_STOLEN;
	default:
		return NF_ACCEPT;
	}
}

static unsigned int hook_in4(void *priv, struct sk_buff *skb,
			     const struct nf_hook_state *state)
{
	if (mbc_inbound_passes_by4(priv, skb))
		return NF_ACCEPT;
	return verdict(mbc_inbound4(priv, skb));
}

static unsigned int hook_in6(void *priv, struct sk_buff *skb,
			     const struct nf_hook_state *state)
{
	if (mbc_inbound_passes_by6(priv, skb))
		return NF_ACCEPT;
	return verdict(mbc_inbound6(priv, skb));
}

static unsigned int hook_in_last4(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	if (mbc_packet_is_restored(skb, AF_INET))
		mbc_inbound_route(priv, skb, AF_INET);
	return NF_ACCEPT;
}

static unsigned int hook_in_last6(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	if (mbc_packet_is_restored(skb, AF_INET6))
		mbc_inbound_route(priv, skb, AF_INET6);
	return NF_ACCEPT;
}

/* Does the packet only cross a bridge here? br_netfilter shows such frames to
 * the IP hooks, and they have no input device either, as if they were our own;
 * but nobody routes them.
 */
static bool bridged(const struct sk_buff *skb,
		    const struct nf_hook_state *state)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	return !state->in && nf_bridge_info_exists(skb);
#else
	return false;
#endif
}

static unsigned int hook_out4(void *priv, struct sk_buff *skb,
			      const struct nf_hook_state *state)
{
	if (mbc_outbound_passes_by4(priv, skb, state->in) ||
	    bridged(skb, state))
		return NF_ACCEPT;
	return verdict(mbc_outbound4(priv, skb, state->in, state->out));
}

static unsigned int hook_out6(void *priv, struct sk_buff *skb,
			      const struct nf_hook_state *state)
{
	if (mbc_outbound_passes_by6(priv, skb, state->in) ||
	    bridged(skb, state))
		return NF_ACCEPT;
	return verdict(mbc_outbound6(priv, skb, state->in, state->out));
}

#define OP(function, family, place, order)				\
	{								\
		.hook = function, .pf = NFPROTO_##family,		\
		.hooknum = NF_INET_##place, .priority = order,		\
	}

static const struct nf_hook_ops ops[MBC_N_OPS] = {
	/* Behind defragmentation, so that a segment is whole; before raw and
	 * conntrack, so that both see the supersession.
	 */
	OP(hook_in4, IPV4, PRE_ROUTING, NF_IP_PRI_CONNTRACK_DEFRAG + 1),
	OP(hook_in6, IPV6, PRE_ROUTING, NF_IP6_PRI_CONNTRACK_DEFRAG + 1),
	/* Behind everybody who may set a mark or a destination, as the route
	 * depends on both; the kernel routes right after this.
	 */
	OP(hook_in_last4, IPV4, PRE_ROUTING, NF_IP_PRI_LAST),
	OP(hook_in_last6, IPV6, PRE_ROUTING, NF_IP6_PRI_LAST),
	/* Behind source NAT and every filter, so that an NF that is itself a
	 * NAT works and nobody but the next hop sees subsessions; before
	 * conntrack's confirm, which keeps the last place for itself and reads
	 * no address.
	 */
	OP(hook_out4, IPV4, POST_ROUTING, NF_IP_PRI_CONNTRACK_CONFIRM - 1),
	OP(hook_out6, IPV6, POST_ROUTING, NF_IP6_PRI_LAST - 1),
};

static_assert(NFPROTO_IPV4 == AF_INET && NFPROTO_IPV6 == AF_INET6);

/* That of one device, on a host whose NF does not need the packets. */
struct device_hook {
	struct list_head list;
	struct rcu_head rcu;
	struct nf_hook_ops op;
};

static unsigned int hook_ingress(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	return verdict(mbc_ingress(priv, skb));
}

int mbc_hooks_add_device(struct mbc_net *mn, struct net_device *dev)
{
	struct device_hook *h;
	int err;

	ASSERT_RTNL();
	if (dev->flags & IFF_LOOPBACK)
		return 0;
	h = kzalloc(sizeof(*h), GFP_KERNEL);
	if (!h)
		return -ENOMEM;
	h->op = (struct nf_hook_ops){
		.hook = hook_ingress, .priv = mn, .dev = dev,
		.pf = NFPROTO_NETDEV, .hooknum = NF_NETDEV_INGRESS,
		/* Behind everybody who filters what devices receive, but for
		 * who wants to see what we leave.
		 */
		.priority = INT_MAX - 1,
	};
	err = nf_register_net_hook(mn->net, &h->op);
	if (err) {
		kfree(h);
		return err;
	}
	list_add(&h->list, &mn->device_hooks);
	return 0;
}

int mbc_hooks_add_devices(struct mbc_net *mn)
{
	struct net_device *dev;
	int err;

	ASSERT_RTNL();
	if (mn->ingress)
		return 0;
	for_each_netdev(mn->net, dev) {
		err = mbc_hooks_add_device(mn, dev);
		if (err) {
			mbc_hooks_remove_devices(mn);
			return err;
		}
	}
	mn->ingress = true;
	return 0;
}

/* Netfilter refers to it until all packets that are at the hook have left. */
static void remove(struct mbc_net *mn, struct device_hook *h)
{
	list_del(&h->list);
	nf_unregister_net_hook(mn->net, &h->op);
	kfree_rcu(h, rcu);
}

void mbc_hooks_remove_devices(struct mbc_net *mn)
{
	struct device_hook *h, *next;

	ASSERT_RTNL();
	mn->ingress = false;
	list_for_each_entry_safe(h, next, &mn->device_hooks, list)
		remove(mn, h);
}

void mbc_hooks_remove_device(struct mbc_net *mn, const struct net_device *dev)
{
	struct device_hook *h, *next;

	ASSERT_RTNL();
	list_for_each_entry_safe(h, next, &mn->device_hooks, list) {
		if (h->op.dev == dev)
			remove(mn, h);
	}
}

/* Each namespace has its own, so that a hook need not look for what is its. */
void mbc_hooks_init(struct mbc_net *mn)
{
	int i;

	INIT_LIST_HEAD(&mn->device_hooks);
	memcpy(mn->ops, ops, sizeof(ops));
	for (i = 0; i < MBC_N_OPS; i++)
		mn->ops[i].priv = mn;
}

int mbc_hooks_register(struct mbc_net *mn)
{
	int err;

	lockdep_assert_held(&mn->control);
	if (mn->hooked)
		return 0;
	err = nf_register_net_hooks(mn->net, mn->ops, MBC_N_OPS);
	mn->hooked = !err;
	return err;
}

void mbc_hooks_unregister(struct mbc_net *mn)
{
	/* No command is left to change it. */
	if (mn->ingress) {
		rtnl_lock();
		mbc_hooks_remove_devices(mn);
		rtnl_unlock();
	}
	if (mn->hooked)
		nf_unregister_net_hooks(mn->net, mn->ops, MBC_N_OPS);
}
