/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own types, on top of those that it exports to user space. */
#ifndef SHIM_LINUX_TYPES_H
#define SHIM_LINUX_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include_next <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;

#ifndef __force
#define __force
#endif
#define __rcu
#define __aligned(n) __attribute__((__aligned__(n)))

struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
};

#endif /* SHIM_LINUX_TYPES_H */
