// SPDX-License-Identifier: GPL-2.0-only
/*
 * A QEMU plugin that counts how often each piece of the guest's kernel runs
 * between two marks: exact, unlike a profile by samples, and at no cost that
 * the guest could see. For one processor (tests/vm/run --icount --plugin).
 *
 * A mark is a no-operation with a number in it, see mark_amd64.s: START clears
 * the counts, STOP appends a section to the file that the argument "out" names:
 *
 *	stop USER			instructions in user space
 *	ADDRESS INSTRUCTIONS TIMES	a piece of code that ran
 *
 * Debian's QEMU loads plugins but comes without qemu-plugin.h, so what is used
 * of version 1 of its interface is declared here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

struct qemu_plugin_info {
	const char *target_name;
	struct {
		int min;
		int cur;
	} version;
	bool system_emulation;
	union {
		struct {
			int smp_vcpus;
			int max_vcpus;
		} system;
	};
};

enum { CB_NO_REGS = 0, INLINE_ADD_U64 = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(
	qemu_plugin_id_t id,
	void (*cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op,
					      void *ptr, uint64_t imm);
void qemu_plugin_register_vcpu_insn_exec_cb(
	struct qemu_plugin_insn *insn,
	void (*cb)(unsigned int cpu, void *data), int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

#define KERNEL (UINT64_C(1) << 63)	/* addresses from here are the kernel's */

/* A translated block: straight code, entered at its first instruction. The
 * same address may have blocks of several lengths, and they come and go in
 * QEMU's cache; a piece stays.
 */
struct piece {
	uint64_t addr;
	uint64_t insns;
	uint64_t times;
	struct piece *next;
};

static struct piece *buckets[1 << 16];
static uint64_t user;
static FILE *out;

static struct piece *piece_of(uint64_t addr, uint64_t insns)
{
	struct piece **bucket = &buckets[(addr ^ addr >> 16) & 0xffff];
	struct piece *p;

	for (p = *bucket; p; p = p->next)
		if (p->addr == addr && p->insns == insns)
			return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	p->addr = addr;
	p->insns = insns;
	p->next = *bucket;
	*bucket = p;
	return p;
}

static void start(unsigned int cpu, void *data)
{
	user = 0;
	for (size_t i = 0; i < sizeof(buckets) / sizeof(*buckets); i++)
		for (struct piece *p = buckets[i]; p; p = p->next)
			p->times = 0;
}

static void stop(unsigned int cpu, void *data)
{
	fprintf(out, "stop %" PRIu64 "\n", user);
	for (size_t i = 0; i < sizeof(buckets) / sizeof(*buckets); i++)
		for (struct piece *p = buckets[i]; p; p = p->next)
			if (p->times)
				fprintf(out, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n",
					p->addr, p->insns, p->times);
	fflush(out);
}

static void look_for_marks(struct qemu_plugin_tb *tb)
{
	/* nopl "mbc"+number(%rax,%rax) */
	static const unsigned char mark[] = { 0x0f, 0x1f, 0x84, 0, 0, 'c', 'b', 'm' };
	unsigned char code[sizeof(mark)];

	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		unsigned char number;

		if (qemu_plugin_insn_size(insn) != sizeof(mark))
			continue;
		memcpy(code, qemu_plugin_insn_data(insn), sizeof(mark));
		number = code[4];
		code[4] = 0;
		if (memcmp(code, mark, sizeof(mark)) || number < 1 || number > 2)
			continue;
		qemu_plugin_register_vcpu_insn_exec_cb(
			insn, number == 1 ? start : stop, CB_NO_REGS, NULL);
	}
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	uint64_t addr = qemu_plugin_tb_vaddr(tb);
	uint64_t insns = qemu_plugin_tb_n_insns(tb);

	if (addr & KERNEL) {
		qemu_plugin_register_vcpu_tb_exec_inline(
			tb, INLINE_ADD_U64, &piece_of(addr, insns)->times, 1);
		return;
	}
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &user,
						 insns);
	look_for_marks(tb);
}

__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_plugin_info *info,
		    int argc, char **argv)
{
	const char *file = NULL;

	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			file = argv[i] + 4;
	if (!file) {
		fprintf(stderr, "count: give out=FILE\n");
		return 1;
	}
	if (!info->system_emulation || info->system.max_vcpus != 1) {
		fprintf(stderr, "count: one processor only\n");
		return 1;
	}
	out = fopen(file, "w");
	if (!out) {
		perror("count: open the file of out");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
