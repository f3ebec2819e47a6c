/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between the kernels we support (6.1 and 6.12), nowhere else. */
#ifndef MBC_COMPAT_H
#define MBC_COMPAT_H

#include <linux/version.h>

#endif /* MBC_COMPAT_H */
