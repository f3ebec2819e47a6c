// SPDX-License-Identifier: GPL-2.0-only
/*
 * Vectors of the instance choice, in testdata/choice.txt: policy/choose.go has
 * to choose the same.
 */
#include "make.h"
#include "path.h"
#include "test.h"

#include <linux/in.h>
#include <asm/byteorder.h>

#define N_VECTORS 72

static const u8 seeds[][MBC_KEY_LEN] = {
	{ 0 },
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	{ 0x9b, 0x0c, 0x52, 0xe1, 0x77, 0x3e, 0xd4, 0x08,
	  0x61, 0xaf, 0x2d, 0x90, 0x44, 0xf6, 0x13, 0xc5 },
};

static const u16 counts[] = { 1, 2, 3, 5, 8, 16 };

/* Small weights put many sessions on the border between two instances. */
static u32 weight(unsigned int vector, u32 *state)
{
	switch (vector % 4) {
	case 0: return 1;
	case 1: return 1 + make_random(state) % 3;
	case 2: return 1 + make_random(state) % 65535;
	default: return 65535;
	}
}

static void print_tuple(FILE *out, const struct mbc_tuple *t)
{
	print_addr(out, &t->saddr, t->family);
	fputc(' ', out);
	print_addr(out, &t->daddr, t->family);
	fprintf(out, " %u %u %u", be16_to_cpu(t->sport), be16_to_cpu(t->dport),
		t->proto);
}

/* @mixed: every third has both addresses, every fifth that of the other family
 * only.
 */
static struct mbc_instance instance(u8 family, bool mixed, unsigned int i)
{
	const u32 both = BIT(MBC_ADDR4) | BIT(MBC_ADDR6);
	const u32 own = BIT(mbc_addr_slot(family));
	struct mbc_instance in = { .has = own };

	if (mixed && i % 5 == 4)
		in.has = both & ~own;
	else if (mixed && i % 3 == 2)
		in.has = both;
	in.addr[MBC_ADDR4] = make_host(AF_INET, i);
	in.addr[MBC_ADDR6] = make_host(AF_INET6, i);
	in.addr[MBC_ADDR6].ip6[1] = cpu_to_be32(0x01010101 * i);
	return in;
}

static void print_instance(FILE *out, const struct mbc_instance *in)
{
	if (in->has & BIT(MBC_ADDR4))
		print_addr(out, &in->addr[MBC_ADDR4], AF_INET);
	if (in->has == (BIT(MBC_ADDR4) | BIT(MBC_ADDR6)))
		fputc('+', out);
	if (in->has & BIT(MBC_ADDR6)) {
		fputc('[', out);
		print_addr(out, &in->addr[MBC_ADDR6], AF_INET6);
		fputc(']', out);
	}
	fprintf(out, ":%u", in->weight);
}

static const char *const choices[] = {
	[MBC_CHOICE_HASH] = "hash",
	[MBC_CHOICE_SOURCE] = "source",
	[MBC_CHOICE_TURN] = "turn",
};

static void print_vector(FILE *out, u8 family, bool mixed, unsigned int vector,
			 u8 choice, u32 *state)
{
	struct mbc_instance instances[MBC_MAX_INSTANCES];
	struct mbc_nf_type type = {
		.n_instances = vector == N_VECTORS - 1 ? MBC_MAX_INSTANCES :
			       counts[vector % ARRAY_SIZE(counts)],
		.instances = instances,
		.choice = choice,
	};
	const u32 turn = vector * 1000003;
	const u8 *seed_bytes = seeds[vector / 2 % ARRAY_SIZE(seeds)];
	const siphash_key_t seed = make_key(seed_bytes);
	const unsigned int index = vector % (MBC_MAX_HOPS - 1);
	struct mbc_tuple t = make_random_tuple(family, state);
	unsigned int i;

	if (vector % 7 == 6)
		t.proto = IPPROTO_UDP;
	print_hex(out, seed_bytes, MBC_KEY_LEN);
	fprintf(out, " %u ", index);
	print_tuple(out, &t);
	fprintf(out, " %s %u", choices[choice], turn);
	for (i = 0; i < type.n_instances; i++) {
		instances[i] = instance(family, mixed, i);
		instances[i].weight = weight(vector, state);
		fputc(i ? ',' : ' ', out);
		print_instance(out, &instances[i]);
	}
	make_total(&type);
	fputs(" -> ", out);
	print_addr(out, mbc_path_choose(&type, index, &t, &seed, turn),
		   family);
	fputc('\n', out);
}

void choice_print(FILE *out)
{
	unsigned int i, choice;
	u32 state = 2025;

	fputs("# SPDX-License-Identifier: GPL-2.0-only\n"
	      "# Which instance a session gets. Made by `kcore --print choice`.\n"
	      "# seed index saddr daddr sport dport proto choice turn addr:weight,... -> addr\n"
	      "# An instance's IPv6 address is in brackets, behind + if it has both.\n",
	      out);
	for (i = 0; i < N_VECTORS; i++)
		print_vector(out, AF_INET, false, i, MBC_CHOICE_HASH, &state);
	for (i = 0; i < N_VECTORS; i++)
		print_vector(out, AF_INET6, true, i, MBC_CHOICE_HASH, &state);
	for (i = 0; i < N_VECTORS; i++)
		print_vector(out, AF_INET, true, i, MBC_CHOICE_HASH, &state);
	for (choice = MBC_CHOICE_SOURCE; choice < __MBC_CHOICE_MAX; choice++)
		for (i = 0; i < N_VECTORS; i++)
			print_vector(out, i % 2 ? AF_INET6 : AF_INET, true, i,
				     choice, &state);
}

void choice_test(void)
{
	test_begin("the choices are those of testdata/choice.txt");
	test_file("testdata/choice.txt", choice_print);
}
