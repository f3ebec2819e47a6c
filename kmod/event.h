/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Multicast events of the generic netlink family. Any context; an event that
 * cannot be sent is lost, and listeners learn of that as ENOBUFS.
 */
#ifndef MBC_EVENT_H
#define MBC_EVENT_H

#include "session.h"

/**
 * mbc_event_session() - MBC_CMD_EVENT_SESSION_NEW, _END, or MBC_CMD_EVENT_SETUP
 * @s: installed a moment ago; just taken out of the tables; or waiting
 * @why: MBC_REASON_END_* with _END, else MBC_REASON_NONE
 *
 * RCU read side or mbc_net.lock held. Costs nothing where nobody listens.
 *
 * Return: -ESRCH if nobody in the session's namespace got it.
 */
int mbc_event_session(struct mbc_session *s, enum mbc_cmd cmd,
		       enum mbc_reason why);

struct mbc_migration;

/**
 * mbc_event_migration() - MBC_CMD_EVENT_MIGRATION
 * @s: whose record @m is
 *
 * mbc_migration.lock held, RCU read side.
 */
void mbc_event_migration(const struct mbc_session *s,
			 const struct mbc_migration *m);

/** mbc_event_policy() - MBC_CMD_EVENT_POLICY; process context */
void mbc_event_policy(struct mbc_net *mn, u64 version);

#endif /* MBC_EVENT_H */
