/* SPDX-License-Identifier: GPL-2.0-only */
/* In-band set-up at every host but the client's (paper section 4.1). */
#ifndef MBC_ADMIT_H
#define MBC_ADMIT_H

#include "packet.h"
#include "session.h"

/**
 * mbc_admit() - a SYN with payload came in: does it set up a session?
 * @p: the SYN; the set-up header is taken out of it if it was a good one
 * @e: the entry of the SYN's tuple or NULL; set to that of the new session
 *
 * Return: MBC_DROP if an authentic header is refused, MBC_ACCEPT otherwise.
 */
enum mbc_verdict mbc_admit(struct mbc_net *mn, struct mbc_packet *p,
			   struct mbc_entry **e);

#endif /* MBC_ADMIT_H */
