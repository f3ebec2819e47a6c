/* SPDX-License-Identifier: GPL-2.0-only */
/* Where packets enter the module; the packet path begins in hooks.c. */
#ifndef MBC_HOOKS_H
#define MBC_HOOKS_H

struct mbc_net;

/* Process context; -ENOMEM. */
int mbc_hooks_register(struct mbc_net *mn);
void mbc_hooks_unregister(struct mbc_net *mn);

#endif /* MBC_HOOKS_H */
