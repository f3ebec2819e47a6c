/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a rule to a path: which instance of each NF type of the chain this
 * session gets (paper section 3.2: the choice is delegated to the agents).
 * Pure: no skb, lock or allocation. policy/choose.go computes the same, and
 * tests/kcore/testdata/choice.txt holds both to it.
 */
#ifndef MBC_PATH_H
#define MBC_PATH_H

#include <linux/siphash.h>
#include "tuple.h"
#include "uapi/mbchain.h"

/** enum mbc_addr_slot - an instance's addresses, by family */
enum mbc_addr_slot {
	MBC_ADDR4,
	MBC_ADDR6,
	MBC_N_ADDRS
};

static inline enum mbc_addr_slot mbc_addr_slot(u8 family)
{
	return family == AF_INET6 ? MBC_ADDR6 : MBC_ADDR4;
}

/**
 * struct mbc_instance - one host that offers an NF type
 * @addr: its addresses, by enum mbc_addr_slot; all zero where it has none
 * @has: bit per enum mbc_addr_slot: it has one; at least one is set
 * @weight: 1 to 65535
 */
struct mbc_instance {
	union mbc_addr addr[MBC_N_ADDRS];
	u32 has;
	u32 weight;
};

/** struct mbc_nf_type - a set of interchangeable instances */
struct mbc_nf_type {
	char name[MBC_TYPE_NAME_LEN];
	u8 choice;			/* enum mbc_choice */
	u32 total_weight[MBC_N_ADDRS];	/* of instances with such an address */
	u32 n_instances;		/* 0 to MBC_MAX_INSTANCES */
	struct mbc_instance *instances;
};

/**
 * mbc_path_choose() - weighted choice of one instance
 * @type: the NF type
 * @index: position in the chain, from 0: the same type twice in one chain
 *	may give two instances
 * @super: supersession, client to server
 * @seed: the policy's
 * @turn: how many sessions its rule has had on this host before
 *
 * @seed is its MBC_KEY_LEN bytes as two little-endian numbers.
 * h = SipHash-2-4(seed, saddr daddr sport dport proto index), with the tuple
 * in network byte order and proto and index as one byte each, 14 bytes for
 * IPv4 and 38 for IPv6; point = ((h >> 32) * total_weight) >> 32. With
 * MBC_CHOICE_SOURCE the hash is of saddr and index alone, 5 or 17 bytes; with
 * MBC_CHOICE_TURN there is none, and point = turn modulo total_weight. Of the
 * instances that have an address of the session's family the answer is the
 * first whose running sum of weights exceeds point.
 *
 * Return: its address of that family, which lives as long as @type; NULL if no
 * instance has one.
 */
const union mbc_addr *mbc_path_choose(const struct mbc_nf_type *type,
				      unsigned int index,
				      const struct mbc_tuple *super,
				      const siphash_key_t *seed, u32 turn);

/**
 * mbc_path_build() - the hosts a session passes, the server last
 * @hops: the result, left to right, MBC_MAX_HOPS of them at most
 * @n_hops: how many there are
 * @types: the chain, left to right
 * @n_types: 0 to MBC_MAX_HOPS - 1
 * @super: supersession, client to server
 * @server_joins: the server runs mbchain; if not, the path ends at the last
 *	middlebox, and is empty without any
 * @seed: the policy's
 * @turn: see mbc_path_choose()
 *
 * Two neighbouring hops on one host become one. The server, @super->daddr,
 * is the last hop; an instance on the server's own address just before it
 * becomes one with it.
 *
 * Return: MBC_REASON_NONE; MBC_REASON_CHAIN_LOOP when a host would be visited
 * twice or an instance or the server is the client itself;
 * MBC_REASON_NO_INSTANCE when a type has none of the session's family. @hops
 * and @n_hops then say nothing.
 */
enum mbc_reason mbc_path_build(union mbc_addr *hops, unsigned int *n_hops,
			       const struct mbc_nf_type *const *types,
			       unsigned int n_types,
			       const struct mbc_tuple *super,
			       bool server_joins,
			       const siphash_key_t *seed, u32 turn);

#endif /* MBC_PATH_H */
