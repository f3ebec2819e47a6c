// SPDX-License-Identifier: GPL-2.0-only
/*
 * The session table against the kernel's rhashtable: the same keys in the same
 * order, natively, and in turns, so that what else the machine does is fair to
 * both. Reports and judges nothing.
 *
 * Hot: 512 sessions over and over, all of it in the nearest caches. Cold: all
 * sessions in random order. Waiting: the next lookup begins when the item of
 * this one has been read, so that none hides behind another.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <linux/string.h>
#include "make.h"
#include "sample.h"
#include "store.h"

#define BATCH 32	/* operations between two looks at the clock */
#define N_TURNS 10
#define N_BATCHES 400	/* of a turn */
#define N_WARM_UP 32	/* more of them, first */
#define MIX 100		/* operations of which one is an insert */
#define N_HOT 512
#define N_MAX 1000000
#define SESSION 512	/* bytes from one item to the next, as in a slab */
#define N_FILLS 5

static const struct store *const stores[] = {
	&store_buckets, &store_rhashtable
};
#define N_STORES ARRAY_SIZE(stores)
static const unsigned int sizes[] = { 1000, 100000, N_MAX };

static u8 *sessions;		/* N_MAX in the table, N_MAX of strangers */
static struct mbc_tuple *order;	/* tuples, shuffled: what packets carry */
static struct mbc_tuple *strangers;
static u64 sink;		/* stays 0: the pad of every tuple */

static struct item *item(unsigned int i)
{
	return (struct item *)(sessions + (size_t)i * SESSION);
}

static void shuffle(struct mbc_tuple *t, unsigned int n, u32 *state)
{
	struct mbc_tuple swap;
	unsigned int j;

	while (n-- > 1) {
		j = make_random(state) % (n + 1);
		swap = t[n];
		t[n] = t[j];
		t[j] = swap;
	}
}

/* Clients and ports vary, servers less: what a middlebox sees. */
static struct mbc_tuple some_tuple(u8 family, unsigned int i)
{
	return make_tuple(family, make_host(family, i / 16), 1024 + i % 50000,
			  make_host(family, i % 16), 443 + i / 1000000);
}

static void prepare(u8 family, unsigned int n)
{
	u32 state = 5;
	unsigned int i;

	for (i = 0; i < n; i++) {
		item(i)->tuple = some_tuple(family, i);
		order[i] = item(i)->tuple;
		strangers[i] = some_tuple(family, i + N_MAX);
	}
	shuffle(order, n, &state);
	shuffle(strangers, n, &state);
	/* The last batch goes beyond the last key, to the first ones. */
	memcpy(order + n, order, MIX * sizeof(*order));
	memcpy(strangers + n, strangers, MIX * sizeof(*order));
}

static void fill(const struct store *s, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (!s->insert(item(i)))
			abort();
		s->work();
	}
}

/* Reads the item, as translating a packet would; a stranger has none. */
static u64 touch(const struct item *found)
{
	return found ? found->tuple.pad[0] : 0;
}

static void find(const struct store *s, const struct mbc_tuple *keys,
		 unsigned int from, unsigned int n)
{
	(void)n;
	for (unsigned int i = 0; i < BATCH; i++)
		sink += touch(s->find(&keys[from + i]));
}

/* Pads are 0, but that is not known before one is read. */
static void find_waiting(const struct store *s, const struct mbc_tuple *keys,
			 unsigned int from, unsigned int n)
{
	(void)n;
	for (unsigned int i = 0; i < BATCH; i++)
		sink = touch(s->find(&keys[from + i + sink]));
}

/* Which session is the next to change; far from the last. */
static struct item *changing(unsigned int i, unsigned int n)
{
	return item((u64)i * 7919 % n);
}

static void insert(const struct store *s, const struct mbc_tuple *keys,
		   unsigned int from, unsigned int n)
{
	(void)keys;
	for (unsigned int i = 0; i < BATCH; i++)
		s->insert(changing(from + i, n));
}

static void take_out(const struct store *s, const struct mbc_tuple *keys,
		     unsigned int from, unsigned int n)
{
	(void)keys;
	for (unsigned int i = 0; i < BATCH; i++)
		s->remove(changing(from + i, n));
}

static void take_out_one(const struct store *s, const struct mbc_tuple *keys,
			 unsigned int from, unsigned int n)
{
	(void)keys;
	s->remove(changing(from, n));
}

/* One in a hundred is a session that comes. */
static void find_and_insert(const struct store *s, const struct mbc_tuple *keys,
			    unsigned int from, unsigned int n)
{
	for (unsigned int i = 0; i < MIX - 1; i++)
		sink = touch(s->find(&keys[from + i + sink]));
	s->insert(changing(from, n));
}

/* What is measured is @run, of @ops operations, with the keys or sessions from
 * one number on; @before and @after make it repeatable.
 */
typedef void step(const struct store *s, const struct mbc_tuple *keys,
		  unsigned int from, unsigned int n);

static const struct task {
	const char *name;
	struct mbc_tuple **keys;
	unsigned int most;
	unsigned int ops;
	step *run, *before, *after;
} tasks[] = {
	{ "find, hot, hit", &order, N_HOT, BATCH, find, NULL, NULL },
	{ "find, hot, miss", &strangers, N_HOT, BATCH, find, NULL, NULL },
	{ "find, cold, hit", &order, N_MAX, BATCH, find, NULL, NULL },
	{ "find, cold, miss", &strangers, N_MAX, BATCH, find, NULL, NULL },
	{ "find, cold, hit, waiting", &order, N_MAX, BATCH, find_waiting, NULL,
	  NULL },
	{ "the same with 1 % inserts", &order, N_MAX, MIX, find_and_insert,
	  take_out_one, NULL },
	{ "insert", &order, N_MAX, BATCH, insert, take_out, NULL },
	{ "remove", &order, N_MAX, BATCH, take_out, NULL, insert },
};

static void turn(const struct store *s, const struct task *t, unsigned int n,
		 unsigned int from, struct sample *sample)
{
	unsigned int batch;
	u64 start;

	for (batch = 0; batch < N_WARM_UP + N_BATCHES; batch++) {
		if (t->before)
			t->before(s, *t->keys, from, n);
		start = now_ns();
		t->run(s, *t->keys, from, n);
		if (batch >= N_WARM_UP)
			sample_add(sample, start, t->ops);
		if (t->after)
			t->after(s, *t->keys, from, n);
		from = from + t->ops < n ? from + t->ops : 0;
	}
}

/* A task of every table, a turn each at a time. */
static void measure(const struct task *t, u8 family, unsigned int n)
{
	static struct sample samples[N_STORES];
	const unsigned int keys = n < t->most ? n : t->most;
	unsigned int i, j;

	for (i = 0; i < N_TURNS; i++)
		for (j = 0; j < N_STORES; j++)
			turn(stores[j], t, keys, keys / N_TURNS * i,
			     &samples[j]);
	for (j = 0; j < N_STORES; j++)
		sample_report(&samples[j], stores[j]->name, "%s %u: %s",
			      family_name(family), n, t->name);
}

static void steady(u8 family, unsigned int n)
{
	unsigned int i;

	prepare(family, n);
	for (i = 0; i < N_STORES; i++) {
		stores[i]->init();
		fill(stores[i], n);
	}
	for (i = 0; i < ARRAY_SIZE(tasks); i++)
		measure(&tasks[i], family, n);
	for (i = 0; i < N_STORES; i++)
		stores[i]->destroy();
}

/* Instructions that @n lookups take, counted one by one in a process of their
 * own; 0 where that is not allowed.
 */
static long count(const struct store *s, const struct mbc_tuple *keys,
		  unsigned int n)
{
	const pid_t child = fork();
	long steps = 0;
	int status;

	if (!child) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(1);
		raise(SIGSTOP);
		for (unsigned int i = 0; i < n; i++)
			s->find(&keys[i]);
		_exit(0);
	}
	while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
		steps++;
	}
	return WIFEXITED(status) && !WEXITSTATUS(status) ? steps : 0;
}

static void instructions(u8 family, unsigned int n)
{
	const unsigned int lookups = 1000;
	unsigned int i;

	prepare(family, n);
	for (i = 0; i < N_STORES; i++) {
		const struct store *s = stores[i];

		s->init();
		fill(s, n);
		printf("%-11s %s %u: instructions a lookup: hit %.1f, miss %.1f\n",
		       s->name, family_name(family), n,
		       (double)(count(s, order, lookups) - count(s, order, 0)) /
				lookups,
		       (double)(count(s, strangers, lookups) -
				count(s, strangers, 0)) / lookups);
		s->destroy();
	}
}

/* What else the machine does makes an insert longer, never shorter: of each
 * the shortest of several fills counts.
 */
static void growth(const struct store *s)
{
	static u32 shortest[N_MAX];
	unsigned int i, run, longest = 0;
	u64 total, best = ~0ull, start, ns;

	for (run = 0; run < N_FILLS; run++) {
		s->init();
		total = 0;
		for (i = 0; i < N_MAX; i++) {
			start = now_ns();
			s->insert(item(i));
			ns = now_ns() - start;
			total += ns;
			if (!run || ns < shortest[i])
				shortest[i] = ns;
			s->work();
		}
		s->destroy();
		best = total < best ? total : best;
	}
	for (i = 0; i < N_MAX; i++)
		longest = shortest[i] > longest ? shortest[i] : longest;
	printf("%-11s fill to %u: %.1f ns an insert, the longest %.1f us\n",
	       s->name, N_MAX, (double)best / N_MAX, longest / 1000.0);
}

void bench_table(void)
{
	unsigned int f, i, j;

	sessions = pages_alloc((size_t)N_MAX * SESSION);
	order = pages_alloc((N_MAX + MIX) * sizeof(*order));
	strangers = pages_alloc((N_MAX + MIX) * sizeof(*strangers));
	for (f = 0; f < ARRAY_SIZE(families); f++) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			sample_heading("session tables, ns per operation");
			steady(families[f], sizes[i]);
		}
	}
	putchar('\n');
	for (f = 0; f < ARRAY_SIZE(families); f++)
		instructions(families[f], 100000);
	prepare(AF_INET, N_MAX);
	for (j = 0; j < N_STORES; j++)
		growth(stores[j]);
}
