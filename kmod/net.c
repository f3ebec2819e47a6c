// SPDX-License-Identifier: GPL-2.0-only
/* A namespace comes and goes; what it holds is in net.h. */
#include "net.h"

#include <linux/percpu.h>
#include <linux/slab.h>
#include "hooks.h"
#include "migration.h"
#include "nf.h"
#include "peer.h"
#include "ruleset.h"
#include "seen.h"
#include "session.h"
#include "stats.h"

unsigned int mbc_net_id __read_mostly;

static const struct mbc_config defaults = {
	.max_sessions = 1 << 20,	/* some 600 MiB */
	.syn_timeout = 120 * MSEC_PER_SEC,	/* Linux repeats a SYN for 127 s */
	.idle_timeout = 7440 * MSEC_PER_SEC,	/* 2 h 4 min: RFC 5382 REQ-5 */
	.close_timeout = 10 * MSEC_PER_SEC,
	.udp_timeout = 30 * MSEC_PER_SEC,	/* as conntrack's */
	.udp_stream_timeout = 300 * MSEC_PER_SEC,	/* RFC 4787 REQ-5 */
	.setup_timeout = 5 * MSEC_PER_SEC,
	.freshness = 30,
	.port_min = 1024,
	.port_max = 65535,
};

int mbc_net_set_keys(struct mbc_net *mn, const struct mbc_key *key,
		     unsigned int n)
{
	struct mbc_keys *keys, *old;

	keys = kzalloc(sizeof(*keys), GFP_KERNEL);
	if (!keys)
		return -ENOMEM;
	keys->n = n;
	if (n)
		memcpy(keys->key, key, n * sizeof(*key));
	old = rcu_replace_pointer(mn->keys, keys,
				  lockdep_is_held(&mn->control));
	/* Secrets do not linger in freed memory. */
	if (old) {
		synchronize_rcu();
		kfree_sensitive(old);
	}
	return 0;
}

static int __net_init net_init(struct net *net)
{
	struct mbc_net *mn = mbc_net_of(net);
	int err;

	mn->net = net;
	mn->config = defaults;
	spin_lock_init(&mn->lock);
	mutex_init(&mn->control);
	atomic_set(&mn->n_sessions, 0);
	atomic_set(&mn->n_held, 0);
	atomic_set(&mn->n_paused, 0);
	mbc_migration_net_init(mn);

	mn->stats = alloc_percpu(struct mbc_stats);
	if (!mn->stats)
		return -ENOMEM;
	mutex_lock(&mn->control);
	err = mbc_net_set_keys(mn, NULL, 0);
	mutex_unlock(&mn->control);
	if (err)
		goto err_stats;
	err = mbc_session_net_init(mn);
	if (err)
		goto err_keys;
	err = mbc_seen_net_init(mn);
	if (err)
		goto err_session;
	err = mbc_peer_net_init(mn);
	if (err)
		goto err_seen;
	mbc_hooks_init(mn);
	return 0;

err_seen:
	mbc_seen_net_exit(mn);
err_session:
	mbc_session_net_exit(mn);
err_keys:
	kfree_sensitive(rcu_dereference_protected(mn->keys, true));
err_stats:
	free_percpu(mn->stats);
	return err;
}

/* From here on no packet comes in; the kernel then waits a grace period. */
static void __net_exit net_pre_exit(struct net *net)
{
	mbc_hooks_unregister(mbc_net_of(net));
}

static void __net_exit net_exit_batch(struct list_head *list)
{
	struct mbc_net *mn;
	struct net *net;

	list_for_each_entry(net, list, exit_list) {
		mbc_session_flush(mbc_net_of(net));
		mbc_migration_flush(mbc_net_of(net));
	}
	/* No timer runs any more and every session is free. */
	rcu_barrier();

	list_for_each_entry(net, list, exit_list) {
		mn = mbc_net_of(net);
		/* Neither a packet nor a command is left to read them. */
		mbc_ruleset_free(mn->load.ruleset);
		mbc_ruleset_free(rcu_dereference_protected(mn->ruleset, true));
		mbc_nf_net_exit(mn);
		mbc_peer_net_exit(mn);
		mbc_seen_net_exit(mn);
		mbc_session_net_exit(mn);
		kfree_sensitive(rcu_dereference_protected(mn->keys, true));
		free_percpu(mn->stats);
	}
}

static struct pernet_operations net_ops = {
	.init = net_init,
	.pre_exit = net_pre_exit,
	.exit_batch = net_exit_batch,
	.id = &mbc_net_id,
	.size = sizeof(struct mbc_net),
};

int mbc_net_register(void)
{
	return register_pernet_subsys(&net_ops);
}

void mbc_net_unregister(void)
{
	unregister_pernet_subsys(&net_ops);
}
