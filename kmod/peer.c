// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of neighbours that swallow SYN payload. mbc_net.lock protects it
 * all; it is only touched when a session is set up.
 */
#include "peer.h"

#include <linux/jiffies.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include "stats.h"

static const struct rhashtable_params params = {
	.key_len = sizeof(struct mbc_peer_key),
	.key_offset = offsetof(struct mbc_peer, key),
	.head_offset = offsetof(struct mbc_peer, node),
	.automatic_shrinking = true,
};

static void forget(struct mbc_net *mn, struct mbc_peer *peer)
{
	rhashtable_remove_fast(&mn->peers, &peer->node, params);
	list_del(&peer->age);
	mn->n_peers--;
	kfree(peer);
}

static struct mbc_peer *oldest(struct mbc_net *mn)
{
	return list_first_entry_or_null(&mn->peers_age, struct mbc_peer, age);
}

/* At most two at a time, so that no session pays for all: one that is found a
 * little too late is set up out-of-band, no more.
 */
static void forget_old(struct mbc_net *mn)
{
	struct mbc_peer *peer;
	int i;

	for (i = 0; i < 2; i++) {
		peer = oldest(mn);
		if (!peer || time_before(jiffies, peer->expires))
			return;
		forget(mn, peer);
	}
}

static struct mbc_peer *find(struct mbc_net *mn, const union mbc_addr *addr,
			     u8 family)
{
	const struct mbc_peer_key key = { .addr = *addr, .family = family };

	lockdep_assert_held(&mn->lock);
	forget_old(mn);
	return rhashtable_lookup_fast(&mn->peers, &key, params);
}

static struct mbc_peer *add(struct mbc_net *mn, const union mbc_addr *addr,
			    u8 family)
{
	struct mbc_peer *peer;

	if (mn->n_peers >= MBC_MAX_PEERS)
		forget(mn, oldest(mn));
	peer = kzalloc(sizeof(*peer), GFP_ATOMIC | __GFP_NOWARN);
	if (!peer)
		return NULL;
	peer->key.addr = *addr;
	peer->key.family = family;
	if (rhashtable_insert_fast(&mn->peers, &peer->node, params)) {
		kfree(peer);
		return NULL;
	}
	list_add_tail(&peer->age, &mn->peers_age);
	mn->n_peers++;
	mbc_count(mn, MBC_REASON_PEER_NOTED);
	return peer;
}

void mbc_peer_note(struct mbc_net *mn, const union mbc_addr *addr, u8 family)
{
	struct mbc_peer *peer = find(mn, addr, family);

	if (!peer)
		peer = add(mn, addr, family);
	if (!peer)
		return;		/* the next session will find out again */
	peer->expires = jiffies + MBC_PEER_TIME * HZ;
	list_move_tail(&peer->age, &mn->peers_age);
}

bool mbc_peer_noted(struct mbc_net *mn, const union mbc_addr *addr, u8 family)
{
	struct mbc_peer *peer = find(mn, addr, family);

	if (peer)
		peer->sessions++;
	return peer;
}

int mbc_peer_net_init(struct mbc_net *mn)
{
	INIT_LIST_HEAD(&mn->peers_age);
	return rhashtable_init(&mn->peers, &params);
}

static void free_one(void *peer, void *unused)
{
	kfree(peer);
}

void mbc_peer_net_exit(struct mbc_net *mn)
{
	rhashtable_free_and_destroy(&mn->peers, free_one, NULL);
}
