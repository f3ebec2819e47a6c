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

/* Each namespace has its own, so that a hook need not look for what is its. */
int mbc_hooks_register(struct mbc_net *mn)
{
	int i;

	memcpy(mn->ops, ops, sizeof(ops));
	for (i = 0; i < MBC_N_OPS; i++)
		mn->ops[i].priv = mn;
	return nf_register_net_hooks(mn->net, mn->ops, MBC_N_OPS);
}

void mbc_hooks_unregister(struct mbc_net *mn)
{
	nf_unregister_net_hooks(mn->net, mn->ops, MBC_N_OPS);
}
