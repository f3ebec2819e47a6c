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

/** struct mbc_instance - one host that offers an NF type */
struct mbc_instance {
	__be32 addr;
	u32 weight;	/* 1 to 65535 */
};

/** struct mbc_nf_type - a set of interchangeable instances */
struct mbc_nf_type {
	char name[MBC_TYPE_NAME_LEN];
	u32 total_weight;		/* sum over the instances */
	u32 n_instances;		/* 1 to MBC_MAX_INSTANCES */
	struct mbc_instance *instances;
};

/**
 * mbc_path_choose() - weighted hash choice of one instance
 * @type: the NF type
 * @index: position in the chain, from 0: the same type twice in one chain
 *	may give two instances
 * @super: supersession, client to server
 * @seed: the policy's
 *
 * @seed is its MBC_KEY_LEN bytes as two little-endian numbers.
 * h = SipHash-2-4(seed, saddr daddr sport dport proto index), with the tuple
 * in network byte order and proto and index as one byte each, 14 bytes;
 * point = ((h >> 32) * total_weight) >> 32; the answer is the first instance
 * whose running sum of weights exceeds point.
 *
 * Return: that instance, never NULL; it lives as long as @type.
 */
const struct mbc_instance *mbc_path_choose(const struct mbc_nf_type *type,
					   unsigned int index,
					   const struct mbc_tuple *super,
					   const siphash_key_t *seed);

/**
 * mbc_path_build() - the hosts a session passes, server included
 * @hops: the result, left to right, MBC_MAX_HOPS of them at most
 * @n_hops: how many there are
 * @types: the chain, left to right
 * @n_types: 0 to MBC_MAX_HOPS - 1
 * @super: supersession, client to server
 * @seed: the policy's
 *
 * Two neighbouring hops on one host become one. The server, @super->daddr,
 * is the last hop; an instance on the server's own address just before it
 * becomes one with it.
 *
 * Return: MBC_REASON_NONE, or MBC_REASON_CHAIN_LOOP when a host would be
 * visited twice or an instance or the server is the client itself; @hops and
 * @n_hops then say nothing.
 */
enum mbc_reason mbc_path_build(__be32 *hops, unsigned int *n_hops,
			       const struct mbc_nf_type *const *types,
			       unsigned int n_types,
			       const struct mbc_tuple *super,
			       const siphash_key_t *seed);

#endif /* MBC_PATH_H */
