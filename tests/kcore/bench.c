// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nanoseconds that one operation of the pure files takes, natively. Reports and
 * judges nothing: on a shared machine the figures are noise.
 */
#define _GNU_SOURCE
#include "bench.h"
#include "make.h"
#include "packet.h"
#include "path.h"
#include "sample.h"
#include "setup.h"

#include <stdlib.h>
#include <linux/string.h>

#define BATCH 256	/* operations between two looks at the clock */
#define N_BATCHES 4000
#define N_WARM_UP 200

static struct mbc_key key = { .id = 7, .secret = { { 1, 2 } } };
static struct mbc_setup setup;
static u8 header[MBC_SETUP_MAX];
static unsigned int header_len;
static struct packet packet;
static struct translation translation;
static struct mbc_instance instances[16];
static struct mbc_nf_type type = { .n_instances = 16, .instances = instances };
static const struct mbc_nf_type *chain[] = { &type };
static u64 sink;	/* what keeps the compiler from dropping the work */

/* What the benchmarks work on, of one family. */
static void prepare(u8 family)
{
	static const u8 payload[1448];
	u32 state = 5;
	struct mbc_tuple to;
	unsigned int i;

	setup = (struct mbc_setup){
		.super = make_random_tuple(family, &state), .n_hops = 2,
	};
	for (i = 0; i < setup.n_hops; i++)
		setup.hops[i] = make_random_tuple(family, &state).daddr;
	header_len = mbc_setup_encode(&setup, &key, header);

	packet_make(&packet, &setup.super, 0, payload, sizeof(payload));
	packet_seal(&packet);
	to = make_random_tuple(family, &state);
	translation_init(&translation, &setup.super, &to);

	for (i = 0; i < ARRAY_SIZE(instances); i++) {
		const enum mbc_addr_slot slot = mbc_addr_slot(family);

		instances[i].addr[slot] = make_host(family, i + 1);
		instances[i].has = BIT(slot);
		instances[i].weight = i + 1;
	}
	make_total(&type);
}

static void bench_encode(u32 i)
{
	setup.time = i;
	sink += mbc_setup_encode(&setup, &key, header);
}

static void bench_decode(u32 i)
{
	struct mbc_setup s;

	sink += mbc_setup_decode(&s, setup.super.family, header, header_len,
				 &key, 1, setup.time + (i & 1), 60);
}

static void bench_refuse(u32 i)
{
	struct mbc_setup s;

	header[header_len - 1] ^= 1;
	sink += mbc_setup_decode(&s, setup.super.family, header, header_len,
				 &key, 1, i, 60);
	header[header_len - 1] ^= 1;
}

static void bench_xlate(u32 i)
{
	packet_xlate(&packet, &translation);
	sink += packet_tcp(&packet)->check + i;
}

static void bench_choose(u32 i)
{
	setup.super.sport = i;
	sink += mbc_path_choose(&type, 0, &setup.super, &key.secret, 0)->ip6[0];
}

static void bench_build(u32 i)
{
	union mbc_addr hops[MBC_MAX_HOPS];
	unsigned int n;

	setup.super.sport = i;
	sink += mbc_path_build(hops, &n, chain, 1, &setup.super, true, &key.secret, 0);
}

static const struct {
	const char *name;
	void (*run)(u32 i);
} benches[] = {
	{ "set-up header encode, 2 hops", bench_encode },
	{ "set-up header decode, 2 hops", bench_decode },
	{ "set-up header refuse, bad MAC", bench_refuse },
	{ "translate a packet", bench_xlate },
	{ "choose one of 16 instances", bench_choose },
	{ "build a path, 1 type", bench_build },
};

static void measure(u8 family, unsigned int i)
{
	static struct sample sample;
	unsigned int batch, op;
	u64 start;

	for (batch = 0; batch < N_WARM_UP + N_BATCHES; batch++) {
		start = now_ns();
		for (op = 0; op < BATCH; op++)
			benches[i].run(op);
		if (batch >= N_WARM_UP)
			sample_add(&sample, start, BATCH);
	}
	sample_report(&sample, family_name(family), "%s", benches[i].name);
}

/* Arguments: the file for the figures. */
int main(int argc, char **argv)
{
	unsigned int i, j;

	if (argc != 2) {
		fprintf(stderr, "usage: bench FILE.json\n");
		return 2;
	}
	sample_open(argv[1]);
	sample_heading("pure functions, ns per operation");
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		prepare(families[i]);
		for (j = 0; j < ARRAY_SIZE(benches); j++)
			measure(families[i], j);
	}
	bench_table();
	puts("The paper, with 100,000 rules: look up 131 ns, insert 251 ns, rewrite 214 ns.");
	sample_close();
	return sink == 0;
}
