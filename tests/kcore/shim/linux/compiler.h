/* SPDX-License-Identifier: GPL-2.0-only */
/* Shim: what the pure files need of the kernel's <linux/compiler.h>. */
#ifndef SHIM_LINUX_COMPILER_H
#define SHIM_LINUX_COMPILER_H

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))

#endif
