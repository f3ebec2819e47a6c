/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy of one host, compiled: which sessions are chained, and through
 * what (paper section 3.2). Built by netlink in process context, then sealed
 * and read under RCU, unchanged but for the hit counters.
 */
#ifndef MBC_RULESET_H
#define MBC_RULESET_H

#include <linux/atomic.h>
#include <linux/filter.h>
#include "net.h"
#include "path.h"

/** struct mbc_rule - one rule; types are indices into mbc_ruleset.types */
struct mbc_rule {
	u32 id;
	u8 on_failure;
	u8 setup;	/* enum mbc_setup_way */
	u8 n_types;
	u16 types[MBC_MAX_HOPS - 1];
	atomic64_t hits;
};

/** struct mbc_guard - a rule for sessions whose server is this host */
struct mbc_guard {
	u32 id;
	bool required;
};

/** struct mbc_progs - programs for the packets of one family, a search tree */
struct mbc_progs {
	unsigned int n;
	unsigned int room;
	struct bpf_prog **prog;
};

/** struct mbc_hosts - addresses of one family, sorted once sealed */
struct mbc_hosts {
	unsigned int n;
	unsigned int room;
	union mbc_addr *addr;
};

/**
 * struct mbc_ruleset - a policy; arrays grow while it is built
 *
 * @progs, @guard_progs and @hosts by enum mbc_addr_slot. @passed has MBC_PASSED_SLOTS hashes,
 * under @passed_key, of tuples that no rule chains and no guard stops; 0: none.
 */
struct mbc_ruleset {
	u64 version;
	siphash_key_t seed;
	unsigned int n_types;
	unsigned int n_rules;
	unsigned int n_guards;
	unsigned int room_types;
	unsigned int room_rules;
	unsigned int room_guards;
	struct mbc_nf_type *types;
	struct mbc_rule *rules;
	struct mbc_guard *guards;
	struct mbc_progs progs[MBC_N_ADDRS];
	struct mbc_progs guard_progs[MBC_N_ADDRS];
	struct mbc_hosts hosts[MBC_N_ADDRS];
	u64 *passed;
	siphash_key_t passed_key;
};

/*
 * Building one. Each returns 0 or -ENOMEM, -E2BIG (more than the uapi header
 * allows), -EINVAL (a rule names a type that is not there yet; a program that
 * the kernel's checker refuses), -ELOOP (a program after which another one is
 * to run that does not come later). Copies what it is given. mbc_net.control
 * held.
 */
struct mbc_ruleset *mbc_ruleset_new(u64 version, const u8 *seed);
int mbc_ruleset_add_type(struct mbc_ruleset *rs, const char *name, u8 choice,
			 const struct mbc_instance *instances,
			 unsigned int n);
int mbc_ruleset_add_rule(struct mbc_ruleset *rs, u32 id, u8 on_failure,
			 u8 setup, const u16 *types, unsigned int n_types);
int mbc_ruleset_add_guard(struct mbc_ruleset *rs, u32 id, bool required);
/** mbc_ruleset_add_prog() - @progs: @rs->progs or @rs->guard_progs */
int mbc_ruleset_add_prog(struct mbc_progs *progs, u8 family,
			 const struct sock_filter *insns, unsigned int n);
int mbc_ruleset_add_host(struct mbc_ruleset *rs, u8 family,
			 const union mbc_addr *addr);
/** mbc_ruleset_truncate() - forget all that was added since @mark, a copy */
void mbc_ruleset_truncate(struct mbc_ruleset *rs,
			  const struct mbc_ruleset *mark);
/** mbc_ruleset_free() - @rs may be NULL; no reader may be left */
void mbc_ruleset_free(struct mbc_ruleset *rs);

/**
 * mbc_ruleset_install() - @rs becomes the policy in force, at once and whole
 *
 * Process context, mbc_net.control held. Takes @rs over (NULL: no policy any
 * more); frees the old one after a grace period, which it waits for.
 */
void mbc_ruleset_install(struct mbc_net *mn, struct mbc_ruleset *rs);

/**
 * mbc_ruleset_match() - the first rule that matches a packet, or NULL
 * @skb: data at its IP header; IPv6: TCP follows it
 * @family: AF_INET or AF_INET6
 *
 * RCU read side. The rule lives as long as @rs.
 */
struct mbc_rule *mbc_ruleset_match(const struct mbc_ruleset *rs,
				   const struct sk_buff *skb, u8 family);

/**
 * mbc_ruleset_forbids() - does a guard require a packet to come through a chain?
 *
 * As mbc_ruleset_match(); the first guard that matches says so.
 */
bool mbc_ruleset_forbids(const struct mbc_ruleset *rs,
			 const struct sk_buff *skb, u8 family);

#define MBC_PASSED_SLOTS 4096	/* a power of two; 32 KiB */

/**
 * mbc_ruleset_passed() - is it known that no rule chains packets of @tuple?
 * @inbound: or that no guard stops them
 *
 * UDP has no SYN, so every packet without a session might begin one. This asks
 * the programs once for a flow and not once for a packet, as long as no more
 * than some thousand flows are at work. RCU read side.
 */
bool mbc_ruleset_passed(const struct mbc_ruleset *rs,
			const struct mbc_tuple *tuple, bool inbound);
/** mbc_ruleset_pass() - remember it */
void mbc_ruleset_pass(const struct mbc_ruleset *rs,
		      const struct mbc_tuple *tuple, bool inbound);

/** mbc_ruleset_has_host() - does the host at @addr run mbchain? */
bool mbc_ruleset_has_host(const struct mbc_ruleset *rs,
			  const union mbc_addr *addr, u8 family);

#endif /* MBC_RULESET_H */
