/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzz targets: each takes any bytes and stops the program where a promise of
 * a header in kmod does not hold. libFuzzer drives them one at a time,
 * corpus_test.c with the committed corpus in every run of the tests.
 */
#ifndef KCORE_FUZZ_H
#define KCORE_FUZZ_H

#include <linux/types.h>

typedef void fuzz_target(const u8 *data, size_t len);

fuzz_target fuzz_setup, fuzz_mss, fuzz_stamp, fuzz_path, fuzz_tcp, fuzz_xlate,
	    fuzz_quote, fuzz_marker;

/** MUST() - a promise */
#define MUST(ok) do {							\
	if (!(ok))							\
		fuzz_broken(__FILE__, __LINE__, #ok);			\
} while (0)

void fuzz_broken(const char *file, int line, const char *promise)
	__attribute__((noreturn));

/** struct fuzz_input - bytes still to be used; reads zeros at the end */
struct fuzz_input {
	const u8 *data;
	size_t len;
};

/** fuzz_take() - the next @n bytes as a number, at most 4 */
u32 fuzz_take(struct fuzz_input *in, unsigned int n);

#define FUZZ_HEADER 60

/**
 * fuzz_header() - a TCP header of zeros with what is left as its options
 * @header: FUZZ_HEADER bytes
 *
 * Return: its length, 20 to FUZZ_HEADER.
 */
size_t fuzz_header(const struct fuzz_input *in, u8 *header);

/** fuzz_copy() - @len bytes in memory of just that size; free() it */
u8 *fuzz_copy(const u8 *data, size_t len);

#endif /* KCORE_FUZZ_H */
