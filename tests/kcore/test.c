// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the tests of the module's pure files.
 *
 *	kcore [-v] [GROUP...]	all groups, or these; -v names every test
 *	kcore --print NAME	what testdata/NAME.* has to contain
 */
#define _GNU_SOURCE
#include "test.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIME_LIMIT 60	/* seconds for a group */

static const struct {
	const char *name;
	void (*run)(void);
} groups[] = {
	{ "siphash", siphash_test },
	{ "tuple", tuple_test },
	{ "xlate", xlate_test },
	{ "tcp", tcp_test },
	{ "marker", marker_test },
	{ "mss", mss_test },
	{ "stamp", stamp_test },
	{ "setup", setup_test },
	{ "crafted", crafted_test },
	{ "path", path_test },
	{ "choice", choice_test },
	{ "quote", quote_test },
	{ "corpus", corpus_test },
	{ "bucket", bucket_test },
	{ "race", race_test },
};
#define N_GROUPS (sizeof(groups) / sizeof(groups[0]))

static const struct {
	const char *name;
	void (*print)(FILE *out);
} printers[] = {
	{ "setup", golden_print },
	{ "choice", choice_print },
	{ "crafted", crafted_print },
	{ "crafted6", crafted6_print },
};
#define N_PRINTERS (sizeof(printers) / sizeof(printers[0]))

static const char *program, *group;
static char current[256];
static bool failed, verbose;
static unsigned int n_passed, n_failed;

static void test_end(void)
{
	if (!*current)
		return;
	if (failed)
		n_failed++;
	else
		n_passed++;
	if (verbose && !failed)
		printf("ok   %s: %s\n", group, current);
	*current = '\0';
	failed = false;
}

void test_begin(const char *name, ...)
{
	va_list args;

	test_end();
	va_start(args, name);
	vsnprintf(current, sizeof(current), name, args);
	va_end(args);
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	if (!failed)
		printf("FAIL %s: %s (alone: %s %s)\n", group, current, program,
		       group);
	failed = true;
	printf("     %s:%d: ", file, line);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

void test_file(const char *path, void (*print)(FILE *out))
{
	char *want, *line = NULL;
	size_t size, line_size = 0;
	unsigned int n = 0;
	ssize_t len;
	FILE *f = open_memstream(&want, &size);
	const char *rest;

	print(f);
	fclose(f);
	rest = want;

	f = fopen(path, "r");
	EXPECT(f, "open %s: no such file", path);
	while (f && (len = getline(&line, &line_size, f)) > 0) {
		n++;
		if (strncmp(rest, line, len)) {
			test_fail(path, n, "-%.*s\n+%.*s",
				  (int)strcspn(rest, "\n"), rest,
				  (int)strcspn(line, "\n"), line);
			goto out;
		}
		rest += len;
	}
	EXPECT(!f || !*rest, "%s ends before line %u: %.40s...", path, n + 1,
	       rest);
out:
	free(line);
	if (f)
		fclose(f);
	free(want);
}

/* The program goes no further, so what it may have held does not matter. */
static void too_long(int signal)
{
	(void)signal;
	test_fail(__FILE__, __LINE__, "takes more than %d s", TIME_LIMIT);
	fflush(stdout);
	_exit(1);
}

static int print(const char *name)
{
	unsigned int i;

	for (i = 0; i < N_PRINTERS; i++) {
		if (name && !strcmp(name, printers[i].name)) {
			printers[i].print(stdout);
			return 0;
		}
	}
	fprintf(stderr, "print %s: unknown file\n", name ? name : "");
	return 2;
}

static bool wanted(char **names, const char *name)
{
	if (!*names)
		return true;
	for (; *names; names++) {
		if (!strcmp(*names, name))
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	unsigned int i;

	program = argv[0];
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "--print"))
		return print(argv[2]);
	argv++;
	if (argc > 1 && !strcmp(argv[0], "-v")) {
		verbose = true;
		argv++;
	}

	signal(SIGALRM, too_long);
	for (i = 0; i < N_GROUPS; i++) {
		group = groups[i].name;
		if (!wanted(argv, group))
			continue;
		alarm(TIME_LIMIT);
		groups[i].run();
		test_end();
	}
	printf("%u passed, %u failed\n", n_passed, n_failed);
	return n_failed || !n_passed;
}
