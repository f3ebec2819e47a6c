// SPDX-License-Identifier: GPL-2.0-only
/* Times of a benchmark; see sample.h. */
#define _GNU_SOURCE
#include "sample.h"

#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

static FILE *json;
static bool first = true;

u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

void sample_add(struct sample *s, u64 start, unsigned int ops)
{
	if (s->n < SAMPLE_MAX)
		s->ns[s->n++] = (double)(now_ns() - start) / ops;
}

void sample_open(const char *path)
{
	json = fopen(path, "w");
	if (!json) {
		perror(path);
		exit(1);
	}
	fputc('[', json);
}

void sample_close(void)
{
	fputs("\n]\n", json);
	fclose(json);
}

void sample_heading(const char *what)
{
	printf("\n%-62s %8s %8s %8s %8s\n", what, "p50", "p90", "p99", "p99.9");
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void sample_report(struct sample *s, const char *subject, const char *what, ...)
{
	static const unsigned int permille[] = { 500, 900, 990, 999 };
	char name[128];
	va_list args;
	unsigned int i;

	va_start(args, what);
	vsnprintf(name, sizeof(name), what, args);
	va_end(args);
	qsort(s->ns, s->n, sizeof(*s->ns), compare);

	printf("%-11s %-50s", subject, name);
	fprintf(json, "%s\n\t{ \"subject\": \"%s\", \"what\": \"%s\", \"ns\": [",
		first ? "" : ",", subject, name);
	for (i = 0; i < sizeof(permille) / sizeof(*permille); i++) {
		const double ns = s->ns[(u64)s->n * permille[i] / 1000];

		printf(" %8.1f", ns);
		fprintf(json, "%s%.1f", i ? ", " : "", ns);
	}
	putchar('\n');
	fflush(stdout);
	fputs("] }", json);
	first = false;
	s->n = 0;
}
