/* SPDX-License-Identifier: GPL-2.0-only */
/* Where packets enter the module; the packet path begins in hooks.c. */
#ifndef MBC_HOOKS_H
#define MBC_HOOKS_H

#include <net/net_namespace.h>

int mbc_hooks_register(struct net *net);
void mbc_hooks_unregister(struct net *net);

#endif /* MBC_HOOKS_H */
