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
#include "inbound.h"
#include "net.h"
#include "outbound.h"

/* A host with no session and no policy pays for this test alone. (A set-up
 * header is of no use without keys, and keys come before everything else.)
 */
static bool idle(const struct mbc_net *mn)
{
	return !atomic_read(&mn->n_sessions) && !rcu_access_pointer(mn->ruleset) &&
	       !rcu_dereference(mn->keys)->n;
}

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

static unsigned int hook_in(void *priv, struct sk_buff *skb,
			    const struct nf_hook_state *state)
{
	struct mbc_net *mn = mbc_net_of(state->net);

	return idle(mn) ? NF_ACCEPT :
			  verdict(mbc_inbound(mn, skb, state->pf));
}

static unsigned int hook_in_last(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	return verdict(mbc_inbound_route(mbc_net_of(state->net), skb,
					 state->pf));
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

static unsigned int hook_out(void *priv, struct sk_buff *skb,
			     const struct nf_hook_state *state)
{
	struct mbc_net *mn = mbc_net_of(state->net);

	if (idle(mn) || bridged(skb, state))
		return NF_ACCEPT;
	return verdict(mbc_outbound(mn, skb, state->pf, state->in, state->out));
}

static const struct nf_hook_ops ops[] = {
	/* Behind defragmentation, so that a segment is whole; before raw and
	 * conntrack, so that both see the supersession.
	 */
	{
		.hook = hook_in,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP_PRI_CONNTRACK_DEFRAG + 1,
	},
	/* Behind everybody who may set a mark or a destination, as the route
	 * depends on both; the kernel routes right after this.
	 */
	{
		.hook = hook_in_last,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP_PRI_LAST,
	},
	/* Behind source NAT and every filter, so that an NF that is itself a
	 * NAT works and nobody but the next hop sees subsessions; before
	 * conntrack's confirm, which keeps the last place for itself and reads
	 * no address.
	 */
	{
		.hook = hook_out,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_POST_ROUTING,
		.priority = NF_IP_PRI_CONNTRACK_CONFIRM - 1,
	},
	/* The same for IPv6. */
	{
		.hook = hook_in,
		.pf = NFPROTO_IPV6,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP6_PRI_CONNTRACK_DEFRAG + 1,
	},
	{
		.hook = hook_in_last,
		.pf = NFPROTO_IPV6,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP6_PRI_LAST,
	},
	{
		.hook = hook_out,
		.pf = NFPROTO_IPV6,
		.hooknum = NF_INET_POST_ROUTING,
		.priority = NF_IP6_PRI_LAST - 1,
	},
};

static_assert(NFPROTO_IPV4 == AF_INET && NFPROTO_IPV6 == AF_INET6);

int mbc_hooks_register(struct net *net)
{
	return nf_register_net_hooks(net, ops, ARRAY_SIZE(ops));
}

void mbc_hooks_unregister(struct net *net)
{
	nf_unregister_net_hooks(net, ops, ARRAY_SIZE(ops));
}
