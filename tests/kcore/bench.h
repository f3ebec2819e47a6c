/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KCORE_BENCH_H
#define KCORE_BENCH_H

/** bench_table() - the session table, beside the kernel's rhashtable */
void bench_table(void);

#endif /* KCORE_BENCH_H */
