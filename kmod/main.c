// SPDX-License-Identifier: GPL-2.0-only
/* The order in which the module comes up and goes down. */
#include <linux/init.h>
#include <linux/module.h>
#include "net.h"
#include "netlink.h"
#include "nf.h"
#include "seen.h"
#include "selftest.h"
#include "session.h"

static int __init mbc_init(void)
{
	int err;

	err = mbc_selftest();
	if (err)
		return err;
	err = mbc_session_cache_init();
	if (err)
		return err;
	err = mbc_seen_cache_init();
	if (err)
		goto err_session;
	err = mbc_net_register();
	if (err)
		goto err_seen;
	err = mbc_nf_register();
	if (err)
		goto err_net;
	err = mbc_netlink_register();
	if (err)
		goto err_nf;
	return 0;

err_nf:
	mbc_nf_unregister();
err_net:
	mbc_net_unregister();
	rcu_barrier();
err_seen:
	mbc_seen_cache_exit();
err_session:
	mbc_session_cache_exit();
	return err;
}

static void __exit mbc_exit(void)
{
	mbc_netlink_unregister();	/* no command runs any more */
	mbc_nf_unregister();		/* no device tells us that it goes */
	mbc_net_unregister();		/* no packet, no timer, no session */
	rcu_barrier();			/* no callback into this code */
	mbc_seen_cache_exit();
	mbc_session_cache_exit();
}

module_init(mbc_init);
module_exit(mbc_exit);

MODULE_DESCRIPTION("Dynamic service chaining: packet rewriting");
MODULE_LICENSE("GPL");
MODULE_VERSION(MBC_VERSION);
