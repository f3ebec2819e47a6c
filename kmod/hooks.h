/* SPDX-License-Identifier: GPL-2.0-only */
/* Where packets enter the module; the packet path begins in hooks.c. */
#ifndef MBC_HOOKS_H
#define MBC_HOOKS_H

struct mbc_net;
struct net_device;

/** mbc_hooks_init() - of a namespace; no packet is shown to the module yet */
void mbc_hooks_init(struct mbc_net *mn);

/**
 * mbc_hooks_register() - packets are, from now on
 *
 * Process context, mbc_net.control held; done by the first who gives the namespace
 * a key, a policy or a session: packets of all others pay nothing. Return: 0, also
 * if they were before; -ENOMEM.
 */
int mbc_hooks_register(struct mbc_net *mn);

/** mbc_hooks_unregister() - packets are not any more; the namespace goes */
void mbc_hooks_unregister(struct mbc_net *mn);

/**
 * mbc_hooks_add_devices() - frames of all devices go to mbc_ingress() first
 *
 * RTNL held; no more than one hook for a device. Return: 0; -ENOMEM or -EOPNOTSUPP,
 * and those that had none before have none.
 */
int mbc_hooks_add_devices(struct mbc_net *mn);

/** mbc_hooks_add_device() - those of one more; likewise */
int mbc_hooks_add_device(struct mbc_net *mn, struct net_device *dev);

/** mbc_hooks_remove_devices() - they do not any more; RTNL held */
void mbc_hooks_remove_devices(struct mbc_net *mn);

/** mbc_hooks_remove_device() - those of one, which goes; RTNL held */
void mbc_hooks_remove_device(struct mbc_net *mn, const struct net_device *dev);

#endif /* MBC_HOOKS_H */
