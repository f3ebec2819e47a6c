/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_LINUX_MATH_H
#define SHIM_LINUX_MATH_H

#include <linux/types.h>

static inline u32 reciprocal_scale(u32 val, u32 end)
{
	return (u64)val * end >> 32;
}

#endif /* SHIM_LINUX_MATH_H */
