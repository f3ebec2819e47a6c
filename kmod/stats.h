/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One counter per enum mbc_reason and network namespace, per CPU. A packet
 * never disappears, falls back or is refused without one of them going up.
 */
#ifndef MBC_STATS_H
#define MBC_STATS_H

#include <linux/percpu.h>
#include "net.h"

struct mbc_stats {
	u64 count[MBC_REASON_MAX + 1];
};

/** mbc_count() - one more of @reason; any context */
static inline void mbc_count(struct mbc_net *mn, enum mbc_reason reason)
{
	this_cpu_inc(mn->stats->count[reason]);
}

/** mbc_stats_read() - sum over all CPUs; not a snapshot */
u64 mbc_stats_read(const struct mbc_net *mn, enum mbc_reason reason);

/** mbc_reason_name() - "table_full" for MBC_REASON_TABLE_FULL; never NULL */
const char *mbc_reason_name(enum mbc_reason reason);

#endif /* MBC_STATS_H */
