/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How this host's NF gets the packets of the sessions that pass it (design
 * section 4): through the host's own stack, as copies, by a pair of devices, or
 * not at all. One NF for a namespace: a namespace is a host.
 */
#ifndef MBC_NF_H
#define MBC_NF_H

#include "packet.h"
#include "session.h"

/**
 * struct mbc_nf - the NF, replaced as a whole under RCU
 * @mode: enum mbc_nf_mode; INLINE has none of this
 * @dummy: TAP: copies go nowhere; only who captures on @dev sees them
 * @dev: TAP: where copies go. REDIRECT: where packets to the right go and those
 *	to the left come back, and the other way round; references held
 */
struct mbc_nf {
	struct rcu_head rcu;
	struct net *net;
	u8 mode;
	bool dummy;
	struct net_device *dev[2];
};

/** mbc_nf_spares() - does an NF of this mode do without the packets themselves? */
static inline bool mbc_nf_spares(u8 mode)
{
	return mode == MBC_NF_TAP || mode == MBC_NF_NONE;
}

/**
 * mbc_nf_set() - RTNL and mbc_net.control held; takes the devices over
 *
 * Return: 0; -ENOMEM, or -EOPNOTSUPP from a kernel without CONFIG_NETFILTER_INGRESS,
 * and nothing has changed.
 */
int mbc_nf_set(struct mbc_net *mn, enum mbc_nf_mode mode,
	       struct net_device *dev0, struct net_device *dev1);

/* Can anybody see copies? */
static inline bool mbc_nf_watched(const struct mbc_nf *nf)
{
	struct net_device *dev = READ_ONCE(nf->dev[0]);

	return dev && dev->flags & IFF_UP &&
	       (!nf->dummy || dev_nit_active(dev));
}

/** mbc_nf_copy() - mbc_nf_tap() where somebody can see it */
void mbc_nf_copy(const struct mbc_nf *nf, const struct mbc_packet *p,
		 const struct mbc_entry *e);

/**
 * mbc_nf_tap() - send a copy with the supersession's tuple to the tap, if there is one
 * @p: as it came in, its headers writable or not
 * @e: the entry of its tuple
 *
 * Costs a test while nobody can see the copies: the device is down, or a dummy
 * that nobody captures on. RCU read side.
 */
static inline void mbc_nf_tap(const struct mbc_nf *nf,
			      const struct mbc_packet *p,
			      const struct mbc_entry *e)
{
	if (nf->mode == MBC_NF_TAP && mbc_nf_watched(nf))
		mbc_nf_copy(nf, p, e);
}

/**
 * mbc_nf_redirect() - send a restored packet into the NF's device
 * @dir: which way it travels
 *
 * Return: MBC_STOLEN, or MBC_DROP when the device is gone.
 */
enum mbc_verdict mbc_nf_redirect(struct mbc_net *mn, const struct mbc_nf *nf,
				 struct sk_buff *skb, enum mbc_dir dir);

/** mbc_nf_returns() - does a packet on @dev come back from the NF? */
static inline bool mbc_nf_returns(const struct mbc_nf *nf,
				  const struct net_device *dev)
{
	return nf && nf->mode == MBC_NF_REDIRECT &&
	       (dev == nf->dev[0] || dev == nf->dev[1]);
}

/** mbc_nf_net_exit() - nobody is left to read it */
void mbc_nf_net_exit(struct mbc_net *mn);
int mbc_nf_register(void);
void mbc_nf_unregister(void);

#endif /* MBC_NF_H */
