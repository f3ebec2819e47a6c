// SPDX-License-Identifier: GPL-2.0-only
/*
 * Building and reading a policy. Builders run under mbc_net.control; readers
 * are packets, under RCU.
 */
#include "ruleset.h"

#include <linux/bsearch.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>

struct mbc_ruleset *mbc_ruleset_new(u64 version, const u8 *seed)
{
	struct mbc_ruleset *rs = kzalloc(sizeof(*rs), GFP_KERNEL_ACCOUNT);

	if (!rs)
		return NULL;
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

int mbc_ruleset_add_type(struct mbc_ruleset *rs, const char *name,
			 const struct mbc_instance *instances, unsigned int n)
{
	struct mbc_nf_type *t;
	unsigned int i;
	int err;

	if (!n || n > MBC_MAX_INSTANCES)
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
	t->n_instances = n;
	t->total_weight = 0;
	for (i = 0; i < n; i++)
		t->total_weight += instances[i].weight;
	rs->n_types++;
	return 0;
}

int mbc_ruleset_add_rule(struct mbc_ruleset *rs, u32 id, u8 on_failure,
			 const u16 *types, unsigned int n_types)
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
	r->n_types = n_types;
	memcpy(r->types, types, n_types * sizeof(*types));
	atomic64_set(&r->hits, 0);
	return 0;
}

int mbc_ruleset_add_prog(struct mbc_ruleset *rs,
			 const struct sock_filter *insns, unsigned int n)
{
	struct sock_fprog_kern fprog = {
		.len = n, .filter = (struct sock_filter *)insns,
	};
	int err;

	if (!n || n > BPF_MAXINSNS)
		return -E2BIG;
	err = grow(&rs->progs, rs->n_progs, &rs->room_progs, MBC_MAX_PROGS,
		   sizeof(*rs->progs));
	if (err)
		return err;
	err = bpf_prog_create(&rs->progs[rs->n_progs], &fprog);
	if (err)
		return err;
	rs->n_progs++;
	return 0;
}

int mbc_ruleset_add_host(struct mbc_ruleset *rs, __be32 addr)
{
	int err;

	err = grow(&rs->hosts, rs->n_hosts, &rs->room_hosts, MBC_MAX_HOSTS,
		   sizeof(*rs->hosts));
	if (!err)
		rs->hosts[rs->n_hosts++] = addr;
	return err;
}

void mbc_ruleset_truncate(struct mbc_ruleset *rs,
			  const struct mbc_ruleset *mark)
{
	while (rs->n_progs > mark->n_progs)
		bpf_prog_destroy(rs->progs[--rs->n_progs]);
	while (rs->n_types > mark->n_types)
		kfree(rs->types[--rs->n_types].instances);
	rs->n_rules = mark->n_rules;
	rs->n_hosts = mark->n_hosts;
}

void mbc_ruleset_free(struct mbc_ruleset *rs)
{
	static const struct mbc_ruleset nothing;

	if (!rs)
		return;
	mbc_ruleset_truncate(rs, &nothing);
	kvfree(rs->progs);
	kvfree(rs->types);
	kvfree(rs->rules);
	kvfree(rs->hosts);
	kfree(rs);
}

static int compare(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

void mbc_ruleset_install(struct mbc_net *mn, struct mbc_ruleset *rs)
{
	struct mbc_ruleset *old;

	if (rs && rs->n_hosts)
		sort(rs->hosts, rs->n_hosts, sizeof(*rs->hosts), compare, NULL);
	old = rcu_replace_pointer(mn->ruleset, rs,
				  lockdep_is_held(&mn->control));
	if (!old)
		return;
	synchronize_rcu();
	mbc_ruleset_free(old);
}

struct mbc_rule *mbc_ruleset_match(const struct mbc_ruleset *rs,
				   const struct sk_buff *skb)
{
	unsigned int i;
	u32 n;

	for (i = 0; i < rs->n_progs; i++) {
		n = bpf_prog_run_pin_on_cpu(rs->progs[i], skb);
		if (n)
			return n <= rs->n_rules ? &rs->rules[n - 1] : NULL;
	}
	return NULL;
}

bool mbc_ruleset_has_host(const struct mbc_ruleset *rs, __be32 addr)
{
	return bsearch(&addr, rs->hosts, rs->n_hosts, sizeof(addr), compare);
}
