// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paths from chains, and how evenly instances are chosen. Which instance a
 * session gets exactly is in choice.c.
 */
#include "make.h"
#include "path.h"
#include "test.h"

#include <linux/string.h>

#define CLIENT 1
#define SERVER 9

/* Hosts by the last number of their address; chains of one-instance types. */
static const struct {
	const char *name;
	u8 server;
	u8 n, chain[15];
	u8 want_n, want[16];	/* 0: CHAIN_LOOP */
} rows[] = {
	{ "no type leads straight to the server", SERVER, 0, { 0 },
	  1, { SERVER } },
	{ "types follow each other, then the server", SERVER, 3, { 2, 3, 4 },
	  4, { 2, 3, 4, SERVER } },
	{ "two types on one host are one hop", SERVER, 2, { 2, 2 },
	  2, { 2, SERVER } },
	{ "four types on two hosts are two hops", SERVER, 4, { 2, 2, 3, 3 },
	  3, { 2, 3, SERVER } },
	{ "a type on the server is the server", SERVER, 2, { 2, SERVER },
	  2, { 2, SERVER } },
	{ "all types on the server are the server", SERVER, 2,
	  { SERVER, SERVER }, 1, { SERVER } },
	{ "15 types make 16 hops", SERVER, 15,
	  { 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34 }, 16,
	  { 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34,
	    SERVER } },
	{ "15 types on one host make one hop more than none", SERVER, 15,
	  { 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2 }, 2, { 2, SERVER } },
	{ "coming back to a host is a loop", SERVER, 3, { 2, 3, 2 }, 0, { 0 } },
	{ "coming back late is a loop", SERVER, 5, { 2, 3, 4, 5, 3 },
	  0, { 0 } },
	{ "passing the server on the way is a loop", SERVER, 2, { SERVER, 2 },
	  0, { 0 } },
	{ "the client as first hop is a loop", SERVER, 1, { CLIENT }, 0, { 0 } },
	{ "the client as last hop is a loop", SERVER, 2, { 2, CLIENT },
	  0, { 0 } },
	{ "the client as server is a loop", CLIENT, 1, { 2 }, 0, { 0 } },
};

static const siphash_key_t seed = { { 1, 2 } };

static __be32 host(u8 n)
{
	return make_addr(10, 0, 0, n);
}

static void test_build(void)
{
	struct mbc_instance instances[15];
	struct mbc_nf_type types[15];
	const struct mbc_nf_type *chain[15];
	__be32 hops[MBC_MAX_HOPS];
	enum mbc_reason got;
	struct mbc_tuple t;
	unsigned int i, j, n;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		test_begin("%s", rows[i].name);
		for (j = 0; j < rows[i].n; j++) {
			instances[j] = (struct mbc_instance){
				host(rows[i].chain[j]), 1
			};
			types[j] = (struct mbc_nf_type){
				.total_weight = 1, .n_instances = 1,
				.instances = &instances[j],
			};
			chain[j] = &types[j];
		}
		t = make_tuple(host(CLIENT), 40000, host(rows[i].server), 80);
		n = 0;
		got = mbc_path_build(hops, &n, chain, rows[i].n, &t, &seed);
		EXPECT_EQ(got, rows[i].want_n ? MBC_REASON_NONE :
			  MBC_REASON_CHAIN_LOOP);
		EXPECT_EQ(n, rows[i].want_n);
		for (j = 0; j < n && j < rows[i].want_n; j++)
			EXPECT(hops[j] == host(rows[i].want[j]), "hop %u", j);
	}
}

/* Sessions that each of four instances gets, out of 100,000. */
static void count(const struct mbc_nf_type *type, unsigned int index,
		  unsigned int *counts)
{
	struct mbc_tuple t;
	unsigned int i;
	u32 state = 77;

	memset(counts, 0, 4 * sizeof(*counts));
	for (i = 0; i < 100000; i++) {
		t = make_random_tuple(&state);
		counts[mbc_path_choose(type, index, &t, &seed) -
		       type->instances]++;
	}
}

static void test_weights(void)
{
	static const struct {
		const char *name;
		u32 weights[4];
	} cases[] = {
		{ "equal weights share alike", { 1, 1, 1, 1 } },
		{ "weights of 1, 2, 3, 4 share so", { 1, 2, 3, 4 } },
		{ "the largest weights share alike",
		  { 65535, 65535, 65535, 65535 } },
		{ "a weight of 1 beside large ones gets next to nothing",
		  { 65535, 1, 65535, 65535 } },
	};
	struct mbc_instance instances[4] = { 0 };
	struct mbc_nf_type type = { .n_instances = 4, .instances = instances };
	unsigned int counts[4], i, j;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		test_begin("%s", cases[i].name);
		type.total_weight = 0;
		for (j = 0; j < 4; j++) {
			instances[j].weight = cases[i].weights[j];
			type.total_weight += cases[i].weights[j];
		}
		count(&type, 0, counts);
		for (j = 0; j < 4; j++) {
			const unsigned int want = 100000ull *
				instances[j].weight / type.total_weight;

			/* Five standard deviations are less than 800. */
			EXPECT(counts[j] < want + 800 &&
			       counts[j] + 800 > want,
			       "instance %u: want about %u, got %u", j, want,
			       counts[j]);
		}
	}
}

static void test_inputs(void)
{
	struct mbc_instance instances[256];
	struct mbc_nf_type type = {
		.n_instances = 256, .total_weight = 256,
		.instances = instances,
	};
	static const siphash_key_t other = { { 1, 3 } };
	const struct mbc_tuple t = make_tuple(host(1), 40000, host(9), 80);
	struct mbc_tuple u;
	const struct mbc_nf_type *chain[] = { &type, &type, &type };
	const struct mbc_instance *want;
	__be32 hops[MBC_MAX_HOPS];
	unsigned int i, n = 0;

	for (i = 0; i < 256; i++)
		instances[i] = (struct mbc_instance){ host(i), 1 };
	want = mbc_path_choose(&type, 0, &t, &seed);

	test_begin("the same session gets the same instance");
	EXPECT(mbc_path_choose(&type, 0, &t, &seed) == want, "another one");

	test_begin("a type that stands twice in a chain chooses twice");
	EXPECT_EQ(mbc_path_build(hops, &n, chain, 3, &t, &seed),
		  MBC_REASON_NONE);
	EXPECT_EQ(n, 4);
	for (i = 0; i < 3; i++)
		EXPECT(hops[i] == mbc_path_choose(&type, i, &t, &seed)->addr,
		       "hop %u", i);

	test_begin("position, seed and every field of the tuple matter");
	EXPECT(mbc_path_choose(&type, 1, &t, &seed) != want, "position");
	EXPECT(mbc_path_choose(&type, 0, &t, &other) != want, "seed");
	u = make_tuple(host(2), 40000, host(9), 80);
	EXPECT(mbc_path_choose(&type, 0, &u, &seed) != want, "client");
	u = make_tuple(host(1), 40000, host(8), 80);
	EXPECT(mbc_path_choose(&type, 0, &u, &seed) != want, "server");
	u = make_tuple(host(1), 40001, host(9), 80);
	EXPECT(mbc_path_choose(&type, 0, &u, &seed) != want, "source port");
	u = make_tuple(host(1), 40000, host(9), 81);
	EXPECT(mbc_path_choose(&type, 0, &u, &seed) != want, "server port");
	u = t;
	u.proto = 17;
	EXPECT(mbc_path_choose(&type, 0, &u, &seed) != want, "protocol");
}

void path_test(void)
{
	test_build();
	test_weights();
	test_inputs();
}
