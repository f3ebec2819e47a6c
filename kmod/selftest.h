/* SPDX-License-Identifier: GPL-2.0-only */
/* Known answers, checked when a DEBUG module is loaded: a wrong one fails it. */
#ifndef MBC_SELFTEST_H
#define MBC_SELFTEST_H

#ifdef MBC_DEBUG
int mbc_selftest(void);
#else
static inline int mbc_selftest(void)
{
	return 0;
}
#endif

#endif /* MBC_SELFTEST_H */
