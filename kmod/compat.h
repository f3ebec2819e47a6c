/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between the kernels we support (6.1 and 6.12), nowhere else. */
#ifndef MBC_COMPAT_H
#define MBC_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#include <net/gso.h>	/* skb_gso_validate_network_len() */
#else
#include <linux/skbuff.h>
#endif

#endif /* MBC_COMPAT_H */
