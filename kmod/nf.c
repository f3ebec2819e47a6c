// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's NF. mbc_net.control orders changes; packets read mbc_net.nf under
 * RCU. A device that goes away takes its part out: a tap loses its copies, a
 * redirected session its packets, counted.
 */
#include "nf.h"

#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <net/ip.h>
#include <net/rtnetlink.h>
#include "hooks.h"
#include "rewrite.h"
#include "stats.h"

/* Frames to the NF are no host's own, so that no stack on the way takes them
 * for its own; the last byte says which way they travel.
 */
static const u8 frame_source[ETH_ALEN] = { 0x02, 'm', 'b', 'c', 'h', 0xff };

static void free_rcu(struct rcu_head *rcu)
{
	struct mbc_nf *nf = container_of(rcu, struct mbc_nf, rcu);

	dev_put(nf->dev[0]);
	dev_put(nf->dev[1]);
	kfree(nf);
}

/* It has no other end: only who captures on it sees anything. */
static bool is_dummy(const struct net_device *dev)
{
	return dev && dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, "dummy");
}

/* What comes back from a redirect is not for our addresses. */
static void expect(struct mbc_net *mn, enum mbc_nf_mode mode)
{
	spin_lock_bh(&mn->lock);
	mn->inbound_always = mode == MBC_NF_REDIRECT ? ~0ULL : 0;
	WRITE_ONCE(mn->inbound_addresses,
		   mn->inbound_addresses | mn->inbound_always);
	spin_unlock_bh(&mn->lock);
}

int mbc_nf_set(struct mbc_net *mn, enum mbc_nf_mode mode,
	       struct net_device *dev0, struct net_device *dev1)
{
	struct mbc_nf *nf = NULL, *old;
	int err;

	if (mode != MBC_NF_INLINE) {
		nf = kzalloc(sizeof(*nf), GFP_KERNEL);
		if (!nf)
			return -ENOMEM;
		nf->net = mn->net;
		nf->mode = mode;
		nf->dev[0] = dev0;
		nf->dev[1] = dev1;
		nf->dummy = is_dummy(dev0);
	}
	if (mbc_nf_spares(mode)) {
		err = mbc_hooks_add_devices(mn);
		if (err) {
			kfree(nf);
			return err;
		}
	} else {
		mbc_hooks_remove_devices(mn);
	}
	old = rcu_replace_pointer(mn->nf, nf, lockdep_is_held(&mn->control));
	expect(mn, mode);
	if (old)
		call_rcu(&old->rcu, free_rcu);
	return 0;
}

static void push_frame(struct sk_buff *skb, const struct net_device *dev,
		       const u8 *dest, const u8 *source)
{
	struct ethhdr *eth = skb_push(skb, sizeof(*eth));

	skb_reset_mac_header(skb);
	ether_addr_copy(eth->h_dest, dest);
	ether_addr_copy(eth->h_source, source);
	eth->h_proto = skb->protocol;
	skb->dev = (struct net_device *)dev;
}

/* A copy whose headers are its own and which has nothing of the stack's. */
static struct sk_buff *copy(const struct mbc_packet *p)
{
	struct sk_buff *skb = skb_clone(p->skb, GFP_ATOMIC | __GFP_NOWARN);

	if (!skb)
		return NULL;
	if (skb_ensure_writable(skb, p->data_off) ||
	    skb_cow_head(skb, ETH_HLEN)) {
		kfree_skb(skb);
		return NULL;
	}
	skb_dst_drop(skb);
	skb_clear_tstamp(skb);
	skb_scrub_packet(skb, false);
	return skb;
}

void mbc_nf_copy(const struct mbc_nf *nf, const struct mbc_packet *p,
		 const struct mbc_entry *e)
{
	struct mbc_net *mn = mbc_entry_session(e)->mn;
	u8 dest[ETH_ALEN];
	struct sk_buff *skb;

	skb = copy(p);
	if (!skb) {
		mbc_count(mn, MBC_REASON_TAP_LOST);
		return;
	}
	mbc_rewrite_headers(skb, p->tuple.family, p->l4_off,
			    mbc_entry_xlate(e));
	ether_addr_copy(dest, frame_source);
	dest[ETH_ALEN - 1] = mbc_slot_dir(e->slot);
	push_frame(skb, nf->dev[0], dest, frame_source);
	mbc_count(mn, dev_queue_xmit(skb) ? MBC_REASON_TAP_LOST :
					    MBC_REASON_TAPPED);
}

/* The other device of the pair is whom the frame is for: what lies between them
 * passes it on as a bridge does.
 */
enum mbc_verdict mbc_nf_redirect(struct mbc_net *mn, const struct mbc_nf *nf,
				 struct sk_buff *skb, enum mbc_dir dir)
{
	const struct net_device *in = nf->dev[dir == MBC_RIGHT ? 0 : 1];
	const struct net_device *out = nf->dev[dir == MBC_RIGHT ? 1 : 0];

	if (!in || !out) {
		mbc_count(mn, MBC_REASON_REDIRECT_GONE);
		return MBC_DROP;
	}
	if (skb_cow_head(skb, LL_RESERVED_SPACE(in))) {
		mbc_count(mn, MBC_REASON_NOT_WRITABLE);
		return MBC_DROP;
	}
	skb_forward_csum(skb);
	skb_clear_tstamp(skb);
	push_frame(skb, in, out->dev_addr, in->dev_addr);
	mbc_count(mn, MBC_REASON_REDIRECTED);
	dev_queue_xmit(skb);
	return MBC_STOLEN;
}

/* @dev is going: the same NF without it. */
static void forget_device(struct mbc_net *mn, const struct net_device *dev)
{
	struct mbc_nf *nf;
	int i;

	mutex_lock(&mn->control);
	nf = rcu_dereference_protected(mn->nf, lockdep_is_held(&mn->control));
	for (i = 0; nf && i < 2; i++) {
		if (nf->dev[i] != dev)
			continue;
		WRITE_ONCE(nf->dev[i], NULL);
		synchronize_net();
		dev_put((struct net_device *)dev);
	}
	mutex_unlock(&mn->control);
}

static int on_device(struct notifier_block *nb, unsigned long event, void *data)
{
	struct net_device *dev = netdev_notifier_info_to_dev(data);
	struct mbc_net *mn = mbc_net_of(dev_net(dev));

	if (event == NETDEV_REGISTER && mn->ingress &&
	    mbc_hooks_add_device(mn, dev))
		netdev_warn(dev, "mbchain: no express path: no memory\n");
	if (event == NETDEV_UNREGISTER) {
		mbc_hooks_remove_device(mn, dev);
		forget_device(mn, dev);
	}
	return NOTIFY_DONE;
}

static struct notifier_block notifier = { .notifier_call = on_device };

int mbc_nf_register(void)
{
	return register_netdevice_notifier(&notifier);
}

void mbc_nf_unregister(void)
{
	unregister_netdevice_notifier(&notifier);
}

void mbc_nf_net_exit(struct mbc_net *mn)
{
	struct mbc_nf *nf = rcu_dereference_protected(mn->nf, true);

	RCU_INIT_POINTER(mn->nf, NULL);	/* devices go later than we do */
	if (nf)
		free_rcu(&nf->rcu);
}
