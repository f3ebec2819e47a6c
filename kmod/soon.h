/* SPDX-License-Identifier: GPL-2.0-only */
/* A work item that has to run at the earliest of several times. */
#ifndef MBC_SOON_H
#define MBC_SOON_H

#include <linux/jiffies.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

/**
 * mbc_soon() - run @w in @delay jiffies at the latest
 *
 * Any context. What it does must be worked out anew each time: it may run sooner.
 */
static inline void mbc_soon(struct delayed_work *w, unsigned long delay)
{
	bool later = timer_pending(&w->timer) &&
		     time_after(READ_ONCE(w->timer.expires), jiffies + delay);

	if (!delay || !delayed_work_pending(w) || later)
		mod_delayed_work(system_unbound_wq, w, delay);
}

#endif /* MBC_SOON_H */
