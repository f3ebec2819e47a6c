/* SPDX-License-Identifier: GPL-2.0-only */
/* Times of a benchmark and what is reported of them. */
#ifndef KCORE_SAMPLE_H
#define KCORE_SAMPLE_H

#include <stdio.h>
#include <linux/types.h>

#define SAMPLE_MAX 20000

/** struct sample - nanoseconds per operation, one figure for each batch */
struct sample {
	unsigned int n;
	double ns[SAMPLE_MAX];
};

u64 now_ns(void);

/** sample_add() - a batch of @ops operations began at @start and ends now */
void sample_add(struct sample *s, u64 start, unsigned int ops);

/** sample_open() - write the rows as JSON to @path too */
void sample_open(const char *path);
void sample_close(void);

/** sample_heading() - of the rows that follow */
void sample_heading(const char *what);

/**
 * sample_report() - print one row, and empty the sample
 * @subject: what is measured
 * @what: the operation; printf format
 */
void sample_report(struct sample *s, const char *subject, const char *what, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* KCORE_SAMPLE_H */
