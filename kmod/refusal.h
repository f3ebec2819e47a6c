/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A neighbour that takes a SYN with a set-up header for an ordinary one, because
 * it runs no mbchain or has other keys, answers it with a RST which acknowledges
 * the header too. No end host would believe that one. Each host takes its own
 * header off the acknowledgement and puts the one to its left on, so that the
 * client's host sees it, and the rule says what becomes of the connection.
 */
#ifndef MBC_REFUSAL_H
#define MBC_REFUSAL_H

#include "packet.h"
#include "session.h"

/**
 * mbc_refusal_is() - does a packet refuse the header that this host has sent?
 * @p: as it came, with MBC_TCP_RST
 * @e: what there is for it in the table of MBC_IN
 */
bool mbc_refusal_is(const struct mbc_packet *p, const struct mbc_entry *e);

/**
 * mbc_refusal_take() - it now acknowledges the SYN alone
 *
 * Softirq, under RCU; takes mbc_session.lock.
 *
 * Return: MBC_ACCEPT: a RST as any other, to be restored; MBC_DROP: the client
 * will send its SYN again, past the chain. Counted.
 */
enum mbc_verdict mbc_refusal_take(struct mbc_net *mn, struct mbc_packet *p,
				  struct mbc_session *s);

/**
 * mbc_refusal_tell() - the left neighbour is to see it too
 * @p: the RST as the NF leaves it
 *
 * Return: false, counted, when memory is short.
 */
bool mbc_refusal_tell(struct mbc_net *mn, struct mbc_packet *p,
		      const struct mbc_session *s);

#endif /* MBC_REFUSAL_H */
