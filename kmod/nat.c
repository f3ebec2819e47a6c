// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conntrack knows what a packet was before it was translated, and that is what
 * the session's entry is for. Uses no symbol of conntrack's, only its headers.
 */
#include "nat.h"

#include <net/netfilter/nf_conntrack.h>
#include "stats.h"

#if IS_ENABLED(CONFIG_NF_CONNTRACK)
/* What the packet was when conntrack first saw it. */
static bool original(struct mbc_tuple *t, const struct mbc_packet *p)
{
	const struct nf_conntrack_tuple *from;
	enum ip_conntrack_info info;
	struct nf_conn *ct = nf_ct_get(p->skb, &info);

	if (!ct || !(ct->status & IPS_NAT_MASK))
		return false;
	from = &ct->tuplehash[CTINFO2DIR(info)].tuple;
	*t = (struct mbc_tuple){
		.sport = from->src.u.all, .dport = from->dst.u.all,
		.proto = from->dst.protonum, .family = from->src.l3num,
	};
	memcpy(&t->saddr, &from->src.u3, mbc_addr_len(t->family));
	memcpy(&t->daddr, &from->dst.u3, mbc_addr_len(t->family));
	return true;
}
#else
static bool original(struct mbc_tuple *t, const struct mbc_packet *p)
{
	return false;
}
#endif

static bool same_destination(const struct mbc_tuple *a,
			     const struct mbc_tuple *b)
{
	return mbc_addr_equal(&a->daddr, &b->daddr) && a->dport == b->dport;
}

struct mbc_entry *mbc_nat_follow(struct mbc_net *mn,
				 const struct mbc_packet *p)
{
	struct mbc_session *s;
	struct mbc_tuple was;
	struct mbc_entry *e;

	if (!original(&was, p))
		return NULL;
	e = mbc_table_find(mn, MBC_OUT, &was);
	if (!e || e->slot != MBC_OUT_RIGHT)
		return NULL;
	s = mbc_entry_session(e);
	/* The last hop of its path is where it was going, not where it goes. */
	if (s->role != MBC_ROLE_MIDDLE || !same_destination(&was, &p->tuple)) {
		mbc_count(mn, MBC_REASON_NAT_ASTRAY);
		return NULL;
	}
	return mbc_session_rename_right(s, &p->tuple) ? e : NULL;
}
