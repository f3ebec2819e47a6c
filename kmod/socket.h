/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a TCP socket of this host knows of its connection: how far it has come at the
 * moment, which packets alone do not tell while none passes.
 */
#ifndef MBC_SOCKET_H
#define MBC_SOCKET_H

#include "tuple.h"

struct net;

/**
 * struct mbc_progress - how far a TCP connection has come
 * @sent: sequence number behind the last byte sent
 * @acked: this much of it is acknowledged
 * @received: sequence number behind the last byte received without a gap
 * @told: this much of it has been acknowledged
 * @window: offered with @told, as it is on the wire
 *
 * All numbers are in host byte order.
 */
struct mbc_progress {
	u32 sent;
	u32 acked;
	u32 received;
	u32 told;
	u16 window;
};

/**
 * mbc_socket_progress() - how far has the socket of a connection come?
 * @local: its tuple, this host's address as the source
 * @progress: set if there is one
 *
 * RCU read side. Return: 0; -ENOENT: no socket here has this tuple; -EAGAIN: a
 * process is at work on it, and may have sent what @progress does not have yet: a
 * grace period later it has.
 */
int mbc_socket_progress(struct net *net, const struct mbc_tuple *local,
			struct mbc_progress *progress);

#endif /* MBC_SOCKET_H */
