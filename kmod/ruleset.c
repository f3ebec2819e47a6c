// SPDX-License-Identifier: GPL-2.0-only
/*
 * Building and reading a policy. Builders run under mbc_net.control; readers
 * are packets, under RCU.
 */
#include "ruleset.h"

#include <linux/bsearch.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/sort.h>

struct mbc_ruleset *mbc_ruleset_new(u64 version, const u8 *seed)
{
	struct mbc_ruleset *rs = kzalloc(sizeof(*rs), GFP_KERNEL_ACCOUNT);

	if (!rs)
		return NULL;
	rs->passed = kvcalloc(MBC_PASSED_SLOTS, sizeof(*rs->passed),
			      GFP_KERNEL_ACCOUNT);
	if (!rs->passed) {
		kfree(rs);
		return NULL;
	}
	get_random_bytes(&rs->passed_key, sizeof(rs->passed_key));
	rs->version = version;
	memcpy(&rs->seed, seed, sizeof(rs->seed));
	le64_to_cpus(&rs->seed.key[0]);
	le64_to_cpus(&rs->seed.key[1]);
	return rs;
}

/* Room for one more of @size bytes in *@array, which holds @n. */
static int grow(void *array, unsigned int n, unsigned int *room,
		unsigned int max, size_t size)
{
	void **p = array;
	unsigned int want;
	void *bigger;

	if (n < *room)
		return 0;
	if (n >= max)
		return -E2BIG;
	want = min(max, n ? 2 * n : 16);
	bigger = kvcalloc(want, size, GFP_KERNEL_ACCOUNT);
	if (!bigger)
		return -ENOMEM;
	if (n)
		memcpy(bigger, *p, n * size);
	kvfree(*p);
	*p = bigger;
	*room = want;
	return 0;
}

int mbc_ruleset_add_type(struct mbc_ruleset *rs, const char *name, u8 choice,
			 const struct mbc_instance *instances, unsigned int n)
{
	struct mbc_nf_type *t;
	unsigned int i, slot;
	int err;

	if (n > MBC_MAX_INSTANCES)
		return -E2BIG;
	err = grow(&rs->types, rs->n_types, &rs->room_types, MBC_MAX_TYPES,
		   sizeof(*rs->types));
	if (err)
		return err;

	t = &rs->types[rs->n_types];
	t->instances = kmemdup(instances, n * sizeof(*instances),
			       GFP_KERNEL_ACCOUNT);
	if (!t->instances)
		return -ENOMEM;
	strscpy(t->name, name, sizeof(t->name));
	t->choice = choice;
	t->n_instances = n;
	memset(t->total_weight, 0, sizeof(t->total_weight));
	for (i = 0; i < n; i++)
		for (slot = 0; slot < MBC_N_ADDRS; slot++)
			if (instances[i].has & BIT(slot))
				t->total_weight[slot] += instances[i].weight;
	rs->n_types++;
	return 0;
}

int mbc_ruleset_add_rule(struct mbc_ruleset *rs, u32 id, u8 on_failure,
			 u8 setup, const u16 *types, unsigned int n_types)
{
	struct mbc_rule *r;
	unsigned int i;
	int err;

	if (n_types > ARRAY_SIZE(r->types))
		return -E2BIG;
	for (i = 0; i < n_types; i++)
		if (types[i] >= rs->n_types)
			return -EINVAL;
	err = grow(&rs->rules, rs->n_rules, &rs->room_rules, MBC_MAX_RULES,
		   sizeof(*rs->rules));
	if (err)
		return err;

	r = &rs->rules[rs->n_rules++];
	r->id = id;
	r->on_failure = on_failure;
	r->setup = setup;
	r->n_types = n_types;
	memcpy(r->types, types, n_types * sizeof(*types));
	atomic64_set(&r->hits, 0);
	return 0;
}

int mbc_ruleset_add_guard(struct mbc_ruleset *rs, u32 id, bool required)
{
	int err = grow(&rs->guards, rs->n_guards, &rs->room_guards,
		       MBC_MAX_RULES, sizeof(*rs->guards));

	if (!err)
		rs->guards[rs->n_guards++] = (struct mbc_guard){ id, required };
	return err;
}

/* An answer with MBC_ANSWER_GO: the program that is next. */
static unsigned int next_of(u32 answer)
{
	return (answer & ~MBC_ANSWER_GO) >> MBC_ANSWER_SHIFT;
}

/* Does one of the constants that program number @index returns lead back? */
static bool leads_back(const struct sock_filter *insns, unsigned int n,
		       unsigned int index)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (insns[i].code == (BPF_RET | BPF_K) &&
		    insns[i].k & MBC_ANSWER_GO && next_of(insns[i].k) <= index)
			return true;
	}
	return false;
}

int mbc_ruleset_add_prog(struct mbc_progs *progs, u8 family,
			 const struct sock_filter *insns, unsigned int n)
{
	struct sock_fprog_kern fprog = {
		.len = n, .filter = (struct sock_filter *)insns,
	};
	int err;

	progs += mbc_addr_slot(family);
	if (!n || n > BPF_MAXINSNS)
		return -E2BIG;
	err = grow(&progs->prog, progs->n, &progs->room, MBC_MAX_PROGS,
		   sizeof(*progs->prog));
	if (err)
		return err;
	if (leads_back(insns, n, progs->n))
		return -ELOOP;
	err = bpf_prog_create(&progs->prog[progs->n], &fprog);
	if (err)
		return err;
	progs->n++;
	return 0;
}

int mbc_ruleset_add_host(struct mbc_ruleset *rs, u8 family,
			 const union mbc_addr *addr)
{
	struct mbc_hosts *hosts = &rs->hosts[mbc_addr_slot(family)];
	int err;

	err = grow(&hosts->addr, hosts->n, &hosts->room, MBC_MAX_HOSTS,
		   sizeof(*hosts->addr));
	if (!err)
		hosts->addr[hosts->n++] = *addr;
	return err;
}

static void truncate_progs(struct mbc_progs *progs, unsigned int n)
{
	while (progs->n > n)
		bpf_prog_destroy(progs->prog[--progs->n]);
}

void mbc_ruleset_truncate(struct mbc_ruleset *rs,
			  const struct mbc_ruleset *mark)
{
	unsigned int slot;

	for (slot = 0; slot < MBC_N_ADDRS; slot++) {
		truncate_progs(&rs->progs[slot], mark->progs[slot].n);
		truncate_progs(&rs->guard_progs[slot],
			       mark->guard_progs[slot].n);
		rs->hosts[slot].n = mark->hosts[slot].n;
	}
	while (rs->n_types > mark->n_types)
		kfree(rs->types[--rs->n_types].instances);
	rs->n_rules = mark->n_rules;
	rs->n_guards = mark->n_guards;
}

void mbc_ruleset_free(struct mbc_ruleset *rs)
{
	static const struct mbc_ruleset nothing;
	unsigned int slot;

	if (!rs)
		return;
	mbc_ruleset_truncate(rs, &nothing);
	for (slot = 0; slot < MBC_N_ADDRS; slot++) {
		kvfree(rs->progs[slot].prog);
		kvfree(rs->guard_progs[slot].prog);
		kvfree(rs->hosts[slot].addr);
	}
	kvfree(rs->types);
	kvfree(rs->rules);
	kvfree(rs->guards);
	kvfree(rs->passed);
	kfree(rs);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(union mbc_addr));
}

static void seal(struct mbc_ruleset *rs)
{
	unsigned int slot;

	for (slot = 0; slot < MBC_N_ADDRS; slot++) {
		struct mbc_hosts *hosts = &rs->hosts[slot];

		if (hosts->n)
			sort(hosts->addr, hosts->n, sizeof(*hosts->addr),
			     compare, NULL);
	}
}

void mbc_ruleset_install(struct mbc_net *mn, struct mbc_ruleset *rs)
{
	struct mbc_ruleset *old;

	if (rs)
		seal(rs);
	old = rcu_replace_pointer(mn->ruleset, rs,
				  lockdep_is_held(&mn->control));
	WRITE_ONCE(mn->guards, rs && rs->n_guards);
	if (!old)
		return;
	synchronize_rcu();
	mbc_ruleset_free(old);
}

/* The smallest number that the programs return; U32_MAX: none. */
static u32 search(const struct mbc_progs *progs, const struct sk_buff *skb)
{
	u32 answer, rule, first = U32_MAX;
	unsigned int i, next;

	for (i = 0; i < progs->n; i = next) {
		answer = bpf_prog_run_pin_on_cpu(progs->prog[i], skb);
		if (answer & MBC_ANSWER_GO) {
			rule = answer & (BIT(MBC_ANSWER_SHIFT) - 1);
			next = next_of(answer);
		} else {
			rule = answer;
			next = answer ? progs->n : i + 1;
		}
		if (rule)
			first = min(first, rule);
		if (next <= i)	/* computed: see leads_back() */
			break;
	}
	return first;
}

struct mbc_rule *mbc_ruleset_match(const struct mbc_ruleset *rs,
				   const struct sk_buff *skb, u8 family)
{
	u32 first = search(&rs->progs[mbc_addr_slot(family)], skb);

	return first <= rs->n_rules ? &rs->rules[first - 1] : NULL;
}

bool mbc_ruleset_forbids(const struct mbc_ruleset *rs,
			 const struct sk_buff *skb, u8 family)
{
	u32 first = search(&rs->guard_progs[mbc_addr_slot(family)], skb);

	return first <= rs->n_guards && rs->guards[first - 1].required;
}

/* 64 bits under a key that nobody knows stand for the tuple. 0 stands for none,
 * so that a tuple may have it which is just never known.
 */
static u64 hash_tuple(const struct mbc_ruleset *rs,
		      const struct mbc_tuple *tuple)
{
	if (tuple->family == AF_INET)
		return siphash_4u32((__force u32)tuple->saddr.ip,
				    (__force u32)tuple->daddr.ip,
				    (__force u32)tuple->sport << 16 |
				    (__force u32)tuple->dport,
				    tuple->proto, &rs->passed_key);
	return siphash(tuple, sizeof(*tuple), &rs->passed_key);
}

/* What is known of a tuple that goes out says nothing of the same one coming in. */
static u64 hash(const struct mbc_ruleset *rs, const struct mbc_tuple *tuple,
		bool inbound)
{
	u64 h = hash_tuple(rs, tuple);

	return inbound ? ~h : h;
}

bool mbc_ruleset_passed(const struct mbc_ruleset *rs,
			const struct mbc_tuple *tuple, bool inbound)
{
	u64 h = hash(rs, tuple, inbound);

	return h && READ_ONCE(rs->passed[h % MBC_PASSED_SLOTS]) == h;
}

void mbc_ruleset_pass(const struct mbc_ruleset *rs,
		      const struct mbc_tuple *tuple, bool inbound)
{
	u64 h = hash(rs, tuple, inbound);

	WRITE_ONCE(rs->passed[h % MBC_PASSED_SLOTS], h);
}

bool mbc_ruleset_has_host(const struct mbc_ruleset *rs,
			  const union mbc_addr *addr, u8 family)
{
	const struct mbc_hosts *hosts = &rs->hosts[mbc_addr_slot(family)];

	return bsearch(addr, hosts->addr, hosts->n, sizeof(*addr), compare);
}
