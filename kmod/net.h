/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module keeps for one network namespace. A namespace is a host:
 * nothing is shared between two of them but the slab caches.
 */
#ifndef MBC_NET_H
#define MBC_NET_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/rhashtable-types.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include "bucket.h"
#include "setup.h"
#include "uapi/mbchain.h"

struct mbc_nf;
struct mbc_ruleset;
struct mbc_stats;

/**
 * struct mbc_config - limits and times, ranges in the uapi header
 *
 * Written one field at a time under @mbc_net.control with WRITE_ONCE(), read
 * anywhere with READ_ONCE(); @port_min and @port_max belong together, so they
 * are written, and chosen between, under @mbc_net.lock. Times in ms but for
 * @freshness, in s.
 */
struct mbc_config {
	u32 max_sessions;
	u32 syn_timeout;
	u32 idle_timeout;
	u32 close_timeout;
	u32 udp_timeout;
	u32 udp_stream_timeout;
	u32 setup_timeout;
	u32 freshness;
	u16 port_min;
	u16 port_max;
	bool gateway;
};

/** struct mbc_keys - set-up keys, replaced as a whole under RCU */
struct mbc_keys {
	struct rcu_head rcu;
	unsigned int n;		/* 0 to MBC_MAX_KEYS; the first one signs */
	struct mbc_key key[MBC_MAX_KEYS];
};

/** struct mbc_load - the policy that a netlink socket is loading */
struct mbc_load {
	u32 portid;			/* the socket; valid with @ruleset */
	struct mbc_ruleset *ruleset;	/* owned; NULL: none is being loaded */
};

/** enum mbc_hook - where a packet is looked up */
enum mbc_hook {
	MBC_IN,		/* PRE_ROUTING, by the tuple on the wire */
	MBC_OUT,	/* POST_ROUTING, by the supersession's tuple */
	MBC_N_HOOKS
};

/**
 * struct mbc_table - the tuples of one hook, see table.h
 * @buckets: those of the mbc_entry
 * @mn: its namespace
 * @work: gives it another size
 */
struct mbc_table {
	struct mbc_buckets buckets;
	struct mbc_net *mn;
	struct work_struct work;
};

#define MBC_N_OPS 6	/* hooks.c */

/**
 * struct mbc_net - one network namespace
 * @inbound_addresses: mbc_addr_bit4() or _bit6() of each address that packets
 *	of sessions come in for; bits stay until there is no session; @lock to
 *	change
 * @inbound_always: those of these bits that stay even then
 * @outbound_addresses: the same of those that they go out to
 * @forwards: sessions of others may begin or be here: a gateway; likewise
 * @guards: the policy has guards; changed under @control
 * @net: the namespace
 * @table: sessions by tuple, one table per enum mbc_hook; RCU to read,
 *	@lock to change
 * @ids: sessions by id; likewise
 * @seen: session ids accepted lately, by id; @lock to read and change
 * @seen_age: the same in the order they expire
 * @n_seen: how many
 * @seen_work: forgets the old ones when no new one comes
 * @peers: neighbours that answer no SYN with payload; likewise
 * @peers_age: the same in the order they expire
 * @n_peers: how many
 * @ghosts: paths given up lately, see migration.h; in the order they expire; @lock
 * @ghost_work: forgets them
 * @pauses: migrations whose packets wait; @lock
 * @pause_work: ends what lasts too long
 * @markers: migrations of which a marker waits, see passage.h; @lock
 * @marker_work: lets them go on
 * @n_held: packets that wait for a set-up out-of-band, MBC_MAX_HELD at most
 * @n_paused: packets that wait for a migration, MBC_MAX_PAUSED at most
 * @lock: installing and removing sessions; taken with BH off; never on the
 *	path of a packet whose session stands
 * @n_sessions: sessions that exist, those awaiting a grace period included
 * @keys: set-up keys, never NULL; RCU, changed under @control
 * @ruleset: policy in force, NULL: none; RCU, changed under @control
 * @nf: how its NF gets packets, NULL: inline; RCU, changed under @control
 * @config: limits and times
 * @stats: counters
 * @control: serialises netlink commands that change something
 * @load: policy being loaded; under @control
 * @ops: its hooks
 * @hooked: they are registered; under @control
 * @device_hooks: those of its devices, see hooks.h; RTNL
 * @ingress: new devices get one as well; RTNL
 */
struct mbc_net {
	u64 inbound_addresses;
	u64 inbound_always;
	u64 outbound_addresses;
	bool forwards;
	bool guards;
	struct net *net;
	struct mbc_table table[MBC_N_HOOKS];
	struct rhashtable ids;
	struct rhashtable seen;
	struct list_head seen_age;
	unsigned int n_seen;
	struct delayed_work seen_work;
	struct rhashtable peers;
	struct list_head peers_age;
	unsigned int n_peers;
	struct list_head ghosts;
	struct delayed_work ghost_work;
	struct list_head pauses;
	struct delayed_work pause_work;
	struct list_head markers;
	struct delayed_work marker_work;
	atomic_t n_held;
	atomic_t n_paused;
	spinlock_t lock;
	atomic_t n_sessions;
	struct mbc_keys __rcu *keys;
	struct mbc_ruleset __rcu *ruleset;
	struct mbc_nf __rcu *nf;
	struct mbc_config config;
	struct mbc_stats __percpu *stats;
	struct mutex control;
	struct mbc_load load;
	struct nf_hook_ops ops[MBC_N_OPS];
	bool hooked;
	struct list_head device_hooks;
	bool ingress;
};

/** mbc_net_idle() - no session, no policy, no key: nothing is of interest */
static inline bool mbc_net_idle(const struct mbc_net *mn)
{
	return !atomic_read(&mn->n_sessions) &&
	       !rcu_access_pointer(mn->ruleset) &&
	       !rcu_dereference(mn->keys)->n;
}

extern unsigned int mbc_net_id;

/** mbc_net_of() - the module's part of @net; it lives as long as the hooks */
static inline struct mbc_net *mbc_net_of(const struct net *net)
{
	return net_generic(net, mbc_net_id);
}

/** mbc_net_set_keys() - replace all keys; @control held; 0 or -ENOMEM */
int mbc_net_set_keys(struct mbc_net *mn, const struct mbc_key *keys,
		     unsigned int n);

int mbc_net_register(void);
void mbc_net_unregister(void);

#endif /* MBC_NET_H */
