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
#define BIT4 BIT(MBC_ADDR4)
#define BIT6 BIT(MBC_ADDR6)
#define FLIP 0x55	/* no byte changed so hashes to the same of 256 */

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

/* Instances by the last number of their addresses; of both families. */
static struct mbc_instance instance(u16 n, u32 weight)
{
	return (struct mbc_instance){
		.addr = {
			[MBC_ADDR4] = make_host(AF_INET, n),
			[MBC_ADDR6] = make_host(AF_INET6, n),
		},
		.has = BIT4 | BIT6,
		.weight = weight,
	};
}

static struct mbc_nf_type type_of(struct mbc_instance *instances,
				  unsigned int n)
{
	struct mbc_nf_type type = { .n_instances = n, .instances = instances };

	make_total(&type);
	return type;
}

static bool ends_at_server(unsigned int row)
{
	return rows[row].n &&
	       rows[row].chain[rows[row].n - 1] == rows[row].server;
}

static void test_build(u8 family)
{
	struct mbc_instance instances[15];
	struct mbc_nf_type types[15];
	const struct mbc_nf_type *chain[15];
	union mbc_addr hops[MBC_MAX_HOPS], want;
	enum mbc_reason got;
	struct mbc_tuple t;
	unsigned int i, j, n;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		test_begin("%s: %s", family_name(family), rows[i].name);
		for (j = 0; j < rows[i].n; j++) {
			instances[j] = instance(rows[i].chain[j], 1);
			types[j] = type_of(&instances[j], 1);
			chain[j] = &types[j];
		}
		t = make_tuple(family, make_host(family, CLIENT), 40000,
			       make_host(family, rows[i].server), 80);
		n = 0;
		got = mbc_path_build(hops, &n, chain, rows[i].n, &t, true, &seed, 0);
		EXPECT_EQ(got, rows[i].want_n ? MBC_REASON_NONE :
			  MBC_REASON_CHAIN_LOOP);
		EXPECT_EQ(n, rows[i].want_n);
		for (j = 0; j < n && j < rows[i].want_n; j++) {
			want = make_host(family, rows[i].want[j]);
			EXPECT(mbc_addr_equal(&hops[j], &want), "hop %u", j);
		}

		/* Without mbchain the server is no hop, unless as an NF's. */
		got = mbc_path_build(hops, &n, chain, rows[i].n, &t, false,
				     &seed, 0);
		EXPECT_EQ(got, rows[i].want_n ? MBC_REASON_NONE :
			  MBC_REASON_CHAIN_LOOP);
		if (rows[i].want_n)
			EXPECT_EQ(n, rows[i].want_n - !ends_at_server(i));
	}
}

/* Sessions that each of four instances gets, out of 100,000. */
static void count(const struct mbc_nf_type *type, u8 family,
		  unsigned int *counts)
{
	const enum mbc_addr_slot slot = mbc_addr_slot(family);
	const union mbc_addr *got;
	struct mbc_tuple t;
	unsigned int i, j;
	u32 state = 77;

	memset(counts, 0, 4 * sizeof(*counts));
	for (i = 0; i < 100000; i++) {
		t = make_random_tuple(family, &state);
		got = mbc_path_choose(type, 0, &t, &seed, 0);
		for (j = 0; j < 4; j++)
			counts[j] += got == &type->instances[j].addr[slot];
	}
}

static void test_weights(u8 family)
{
	static const struct {
		const char *name;
		u32 weights[4];	/* 0: has no address of the family */
	} cases[] = {
		{ "equal weights share alike", { 1, 1, 1, 1 } },
		{ "weights of 1, 2, 3, 4 share so", { 1, 2, 3, 4 } },
		{ "the largest weights share alike",
		  { 65535, 65535, 65535, 65535 } },
		{ "a weight of 1 beside large ones gets next to nothing",
		  { 65535, 1, 65535, 65535 } },
		{ "who has no such address gets none, the others share",
		  { 0, 3, 0, 1 } },
		{ "the last may have none", { 2, 1, 1, 0 } },
		{ "one alone gets all", { 0, 0, 5, 0 } },
	};
	const u32 other = family == AF_INET ? BIT6 : BIT4;
	struct mbc_instance instances[4];
	struct mbc_nf_type type;
	unsigned int counts[4], i, j;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		test_begin("%s: %s", family_name(family), cases[i].name);
		for (j = 0; j < 4; j++) {
			const u32 weight = cases[i].weights[j];

			instances[j] = instance(j, weight ? weight : 7);
			if (!weight)
				instances[j].has = other;
		}
		type = type_of(instances, 4);
		count(&type, family, counts);
		for (j = 0; j < 4; j++) {
			const unsigned int want = 100000ull *
				cases[i].weights[j] /
				type.total_weight[mbc_addr_slot(family)];

			/* Five standard deviations are less than 800. */
			EXPECT(counts[j] < want + 800 &&
			       counts[j] + 800 > want,
			       "instance %u: want about %u, got %u", j, want,
			       counts[j]);
			EXPECT(cases[i].weights[j] || !counts[j],
			       "instance %u is chosen", j);
		}
	}
}

/* Every instance has an address of the other family alone. */
static void test_none(u8 family)
{
	struct mbc_instance of_both[1] = { instance(2, 1) };
	struct mbc_instance of_other[2] = { instance(3, 1), instance(4, 9) };
	const struct mbc_nf_type both = type_of(of_both, 1);
	const struct mbc_tuple t = make_tuple(family, make_host(family, CLIENT),
					      1, make_host(family, SERVER), 2);
	const struct mbc_nf_type *chain[2];
	union mbc_addr hops[MBC_MAX_HOPS];
	struct mbc_nf_type other;
	unsigned int n = 0;

	of_other[0].has = of_other[1].has = family == AF_INET ? BIT6 : BIT4;
	other = type_of(of_other, 2);

	test_begin("%s: a type of the other family has no instance",
		   family_name(family));
	EXPECT(!mbc_path_choose(&other, 0, &t, &seed, 0), "but one is chosen");
	chain[0] = &other;
	EXPECT_EQ(mbc_path_build(hops, &n, chain, 1, &t, true, &seed, 0),
		  MBC_REASON_NO_INSTANCE);
	chain[0] = &both;
	chain[1] = &other;
	EXPECT_EQ(mbc_path_build(hops, &n, chain, 2, &t, true, &seed, 0),
		  MBC_REASON_NO_INSTANCE);
	chain[0] = &other;
	chain[1] = &both;
	EXPECT_EQ(mbc_path_build(hops, &n, chain, 2, &t, true, &seed, 0),
		  MBC_REASON_NO_INSTANCE);
	EXPECT_EQ(mbc_path_build(hops, &n, &chain[1], 1, &t, true, &seed, 0),
		  MBC_REASON_NONE);
}

static void test_inputs(u8 family)
{
	struct mbc_instance instances[256];
	struct mbc_nf_type type;
	static const siphash_key_t other = { { 1, 3 } };
	const struct mbc_tuple t = make_tuple(family, make_host(family, 1),
					      40000, make_host(family, 9), 80);
	const char *name = family_name(family);
	const struct mbc_nf_type *chain[] = { &type, &type, &type };
	const union mbc_addr *want;
	union mbc_addr hops[MBC_MAX_HOPS];
	struct mbc_tuple u;
	unsigned int i, n = 0;

	for (i = 0; i < 256; i++)
		instances[i] = instance(i, 1);
	type = type_of(instances, 256);
	want = mbc_path_choose(&type, 0, &t, &seed, 0);

	test_begin("%s: the same session gets the same instance", name);
	EXPECT(mbc_path_choose(&type, 0, &t, &seed, 0) == want, "another one");

	test_begin("%s: a type that stands twice in a chain chooses twice",
		   name);
	EXPECT_EQ(mbc_path_build(hops, &n, chain, 3, &t, true, &seed, 0),
		  MBC_REASON_NONE);
	EXPECT_EQ(n, 4);
	for (i = 0; i < 3; i++)
		EXPECT(mbc_addr_equal(&hops[i], mbc_path_choose(&type, i, &t,
								&seed, 0)),
		       "hop %u", i);

	test_begin("%s: position and seed matter", name);
	EXPECT(mbc_path_choose(&type, 1, &t, &seed, 0) != want, "position");
	EXPECT(mbc_path_choose(&type, 0, &t, &other, 0) != want, "seed");

	test_begin("%s: every byte of a session's name matters", name);
	for (i = 0; i < offsetof(struct mbc_tuple, family); i++) {
		if (i % 16 >= mbc_addr_len(family) && i < 32)
			continue;	/* 0 in all of IPv4 */
		u = t;
		((u8 *)&u)[i] ^= FLIP;
		EXPECT(mbc_path_choose(&type, 0, &u, &seed, 0) != want,
		       "byte %u", i);
	}
}

/* Sessions of one client, and their turns. */
static void test_methods(u8 family)
{
	struct mbc_instance instances[3];
	struct mbc_nf_type type;
	const char *name = family_name(family);
	const enum mbc_addr_slot slot = mbc_addr_slot(family);
	const union mbc_addr *got, *want = NULL;
	unsigned int i, j, changes = 0, counts[3] = { 0 };
	struct mbc_tuple t;

	for (i = 0; i < 3; i++)
		instances[i] = instance(i, i + 1);
	type = type_of(instances, 3);

	test_begin("%s: by source, all sessions of a client are alike", name);
	type.choice = MBC_CHOICE_SOURCE;
	for (i = 0; i < 1000; i++) {
		t = make_tuple(family, make_host(family, i / 10), 40000 + i,
			       make_host(family, 9 + i), 80 + i);
		got = mbc_path_choose(&type, 0, &t, &seed, i);
		if (i % 10)
			EXPECT(got == want, "session %u", i);
		else if (i)
			changes += got != want;
		want = got;
	}
	EXPECT(changes > 20, "clients do not differ: %u", changes);

	test_begin("%s: in turn, each has its weight of every round", name);
	type.choice = MBC_CHOICE_TURN;
	for (i = 0; i < 60; i++) {
		t = make_tuple(family, make_host(family, 1), 40000,
			       make_host(family, 9), 80);
		got = mbc_path_choose(&type, i % 4, &t, &seed, i);
		for (j = 0; j < 3; j++)
			counts[j] += got == &instances[j].addr[slot];
	}
	for (i = 0; i < 3; i++)
		EXPECT_EQ(counts[i], 10 * (i + 1));
	for (i = 0; i < 3; i++)
		instances[i].has = BIT(!slot);
	type = type_of(instances, 3);
	type.choice = MBC_CHOICE_TURN;
	EXPECT(!mbc_path_choose(&type, 0, &t, &seed, 7), "but one is chosen");
}

void path_test(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		test_build(families[i]);
		test_weights(families[i]);
		test_none(families[i]);
		test_inputs(families[i]);
		test_methods(families[i]);
	}
}
