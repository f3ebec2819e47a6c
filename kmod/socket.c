// SPDX-License-Identifier: GPL-2.0-only
#include "socket.h"

#include <linux/tcp.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/net_namespace.h>
#include <net/tcp.h>

/* Not one that is bound to a device, of which we know nothing here. */
static struct sock *find(struct net *net, const struct mbc_tuple *t)
{
	struct inet_hashinfo *sockets = net->ipv4.tcp_death_row.hashinfo;
	struct in6_addr local, remote;

	if (t->family == AF_INET)
		return __inet_lookup_established(net, sockets, t->daddr.ip,
						 t->dport, t->saddr.ip,
						 ntohs(t->sport), 0, 0);
	memcpy(&local, &t->saddr, sizeof(local));
	memcpy(&remote, &t->daddr, sizeof(remote));
	return __inet6_lookup_established(net, sockets, &remote, t->dport,
					  &local, ntohs(t->sport), 0, 0);
}

int mbc_socket_progress(struct net *net, const struct mbc_tuple *local,
			struct mbc_progress *progress)
{
	struct sock *sk = find(net, local);
	const struct tcp_sock *tp;
	int err;

	if (!sk)
		return -ENOENT;
	err = -ENOENT;
	if (!sk_fullsock(sk))
		goto out;
	local_bh_disable();
	bh_lock_sock(sk);
	tp = tcp_sk(sk);
	*progress = (struct mbc_progress){
		.sent = READ_ONCE(tp->snd_nxt),
		.acked = READ_ONCE(tp->snd_una),
		.received = READ_ONCE(tp->rcv_nxt),
		.told = READ_ONCE(tp->rcv_wup),
		.window = min_t(u32, READ_ONCE(tp->rcv_wnd) >> tp->rx_opt.rcv_wscale,
				U16_MAX),
	};
	err = sock_owned_by_user(sk) ? -EAGAIN : 0;
	bh_unlock_sock(sk);
	local_bh_enable();
out:
	sock_gen_put(sk);
	return err;
}
