/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules that are required: at the server's host, what came past their chain. */
#ifndef MBC_GUARD_H
#define MBC_GUARD_H

#include "packet.h"

/**
 * mbc_guard() - a packet came in that no session claims: may it?
 * @p: as it came
 *
 * Softirq, under RCU. Return: MBC_DROP, counted, if it begins a session with this
 * host that a guard requires to come through a chain; MBC_ACCEPT otherwise.
 */
enum mbc_verdict mbc_guard(struct mbc_net *mn, struct mbc_packet *p);

#endif /* MBC_GUARD_H */
