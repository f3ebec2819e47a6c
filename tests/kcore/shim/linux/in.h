/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel adds to its exported <linux/in.h>, as far as kmod uses it. */
#ifndef SHIM_LINUX_IN_H
#define SHIM_LINUX_IN_H

#include <linux/types.h>
#include <asm/byteorder.h>
#include_next <linux/in.h>

static inline bool ipv4_is_zeronet(__be32 addr)
{
	return be32_to_cpu(addr) >> 24 == 0;
}

static inline bool ipv4_is_loopback(__be32 addr)
{
	return be32_to_cpu(addr) >> 24 == 127;
}

static inline bool ipv4_is_multicast(__be32 addr)
{
	return be32_to_cpu(addr) >> 28 == 0xe;
}

static inline bool ipv4_is_lbcast(__be32 addr)
{
	return be32_to_cpu(addr) == INADDR_BROADCAST;
}

#endif /* SHIM_LINUX_IN_H */
