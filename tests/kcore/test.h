/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the test files share: how to announce a test, to expect something in
 * it, and to hold a committed file to the text that a function prints.
 */
#ifndef KCORE_TEST_H
#define KCORE_TEST_H

#include <stdbool.h>
#include <stdio.h>

/**
 * test_begin() - the expectations that follow belong to this test
 * @name: the behaviour that it shows; printf format
 */
void test_begin(const char *name, ...)
	__attribute__((format(printf, 1, 2)));

/** test_fail() - say why the test at hand fails, printf format */
void test_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** EXPECT() - the test fails with this message unless @ok */
#define EXPECT(ok, ...) do {						\
	if (!(ok))							\
		test_fail(__FILE__, __LINE__, __VA_ARGS__);		\
} while (0)

/** EXPECT_EQ() - two integers are equal */
#define EXPECT_EQ(got, want) do {					\
	unsigned long long g = (got), w = (want);			\
	EXPECT(g == w, "%s: want %#llx, got %#llx", #got, w, g);	\
} while (0)

/**
 * test_file() - a committed file is exactly what @print prints
 * @path: of the file, from the directory of these tests
 * @print: writes the text
 */
void test_file(const char *path, void (*print)(FILE *out));

/* One function per file of tests. */
void siphash_test(void);
void tuple_test(void);
void xlate_test(void);
void tcp_test(void);
void marker_test(void);
void mss_test(void);
void stamp_test(void);
void setup_test(void);
void crafted_test(void);
void path_test(void);
void choice_test(void);
void quote_test(void);
void corpus_test(void);
void bucket_test(void);
void race_test(void);

/* Committed files; each is printed by `kcore --print NAME`. */
void golden_print(FILE *out);
void choice_print(FILE *out);
void crafted_print(FILE *out);
void crafted6_print(FILE *out);

#endif /* KCORE_TEST_H */
