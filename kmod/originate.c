// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connection of this host, or of one behind this gateway, meets the policy:
 * rule, path, ports, session. Runs for the first SYN of a connection only.
 * Under RCU; takes mbc_net.lock.
 */
#include "originate.h"

#include <linux/ipv6.h>
#include <linux/random.h>
#include "path.h"
#include "peer.h"
#include "ruleset.h"
#include "stats.h"
#include "subsession.h"

#define SYN_TRIES 4	/* about 7 s of Linux's SYN timer */

/* The hosts that the session will pass. */
static enum mbc_reason build_path(struct mbc_net *mn,
				  const struct mbc_ruleset *rs,
				  const struct mbc_rule *rule,
				  const struct mbc_tuple *super, u32 turn,
				  union mbc_addr *hops, unsigned int *n)
{
	const struct mbc_nf_type *types[MBC_MAX_HOPS - 1];
	enum mbc_reason reason;
	unsigned int i;

	for (i = 0; i < rule->n_types; i++)
		types[i] = &rs->types[rule->types[i]];
	reason = mbc_path_build(hops, n, types, rule->n_types, super,
				mbc_ruleset_has_host(rs, &super->daddr,
						     super->family),
				&rs->seed, turn);
	if (reason)
		return reason;
	if (mbc_route_is_local(mn->net, &hops[0], super->family))
		return MBC_REASON_CHAIN_LOOP;
	return MBC_REASON_NONE;
}

/* Does the agent set up a session of @proto whose first host is @hop? Holds
 * mbc_net.lock.
 */
static bool by_agents(struct mbc_net *mn, u8 way, u8 proto,
		      const union mbc_addr *hop, u8 family)
{
	if (proto == IPPROTO_UDP || way == MBC_SETUP_WAY_OUT_OF_BAND)
		return true;
	return way == MBC_SETUP_WAY_AUTO && mbc_peer_noted(mn, hop, family);
}

static enum mbc_reason start(struct mbc_net *mn, const struct mbc_packet *p,
			     const struct mbc_ruleset *rs,
			     const struct mbc_rule *rule, u32 turn,
			     struct mbc_session **session)
{
	union mbc_addr hops[MBC_MAX_HOPS];
	u64 id[sizeof_field(struct mbc_session, id) / sizeof(u64)];
	struct mbc_session *s;
	enum mbc_reason reason;
	unsigned int n, i;

	if (p->tuple.proto == IPPROTO_TCP && !rcu_dereference(mn->keys)->n)
		return MBC_REASON_NO_KEY;
	reason = build_path(mn, rs, rule, &p->tuple, turn, hops, &n);
	if (reason)
		return reason;
	s = mbc_session_new(mn, MBC_ROLE_CLIENT, &p->tuple, hops, n, &reason);
	if (!s)
		return reason;

	/* From the pools of each CPU: a third of what get_random_bytes() takes,
	 * and as hard to guess.
	 */
	for (i = 0; i < ARRAY_SIZE(id); i++)
		id[i] = get_random_u64();
	memcpy(s->id, id, sizeof(s->id));
	s->isn = p->tuple.proto == IPPROTO_TCP ? mbc_packet_seq(p) : 0;
	s->rule = rule->id;
	s->on_failure = rule->on_failure;
	s->gateway = p->forwarded;
	s->policy_version = rs->version;
	s->in_band = rule->setup == MBC_SETUP_WAY_IN_BAND;

	spin_lock_bh(&mn->lock);
	if (by_agents(mn, rule->setup, p->tuple.proto, &hops[0],
		      p->tuple.family))
		s->setup = MBC_SETUP_WAITING;
	reason = mbc_subsession_open(s);
	spin_unlock_bh(&mn->lock);
	if (reason) {
		mbc_session_abandon(s);
		return reason;
	}
	*session = s;
	return MBC_REASON_NONE;
}

static enum mbc_verdict refuse(struct mbc_net *mn, u8 on_failure,
			       enum mbc_reason reason)
{
	if (reason)
		mbc_count(mn, reason);
	if (on_failure == MBC_ON_FAILURE_BYPASS) {
		mbc_count(mn, MBC_REASON_BYPASSED);
		return MBC_ACCEPT;
	}
	mbc_count(mn, MBC_REASON_BLOCKED);
	return MBC_DROP;
}

/* The programs of a policy know no IPv6 extension header. */
static enum mbc_reason match(const struct mbc_ruleset *rs,
			     const struct mbc_packet *p,
			     struct mbc_rule **rule)
{
	struct sk_buff *plain;

	if (p->tuple.family == AF_INET ||
	    p->l4_off == sizeof(struct ipv6hdr)) {
		*rule = mbc_ruleset_match(rs, p->skb, p->tuple.family);
		return MBC_REASON_NONE;
	}
	plain = mbc_packet_plain(p);
	if (!plain)
		return MBC_REASON_NO_MEMORY;
	*rule = mbc_ruleset_match(rs, plain, p->tuple.family);
	kfree_skb(plain);
	return MBC_REASON_NONE;
}

/* Whose connections are a matter for this host: its own, and as a gateway those
 * of hosts that run no mbchain and so cannot see to it themselves. What a
 * gateway masquerades is its own by now; what it restored is an answer.
 */
static bool is_client(const struct mbc_net *mn, const struct mbc_ruleset *rs,
		      const struct mbc_packet *p)
{
	const struct mbc_tuple *t = &p->tuple;

	if (!p->forwarded)
		return true;
	return !mbc_packet_is_restored(p->skb, t->family) &&
	       (!mbc_ruleset_has_host(rs, &t->saddr, t->family) ||
		mbc_route_is_local(mn->net, &t->saddr, t->family));
}

/* What the agents and policyd say to each other is never chained, whatever the
 * rules say: chains are set up by it. Only a privileged program can ask for
 * such a priority.
 */
static bool is_control(const struct mbc_packet *p)
{
	return p->skb->priority == MBC_CONTROL_PRIORITY;
}

enum mbc_verdict mbc_originate(struct mbc_net *mn, struct mbc_packet *p,
			       struct mbc_entry **e)
{
	const struct mbc_ruleset *rs = rcu_dereference(mn->ruleset);
	struct mbc_session *s;
	struct mbc_rule *rule;
	enum mbc_reason reason;
	u64 hits = 0;

	if (!rs)
		return MBC_ACCEPT;
	/* First, for each datagram asks; what follows would accept it as well. */
	if (p->tuple.proto == IPPROTO_UDP &&
	    mbc_ruleset_passed(rs, &p->tuple, false))
		return MBC_ACCEPT;
	/* A link-local address means nothing to the next host. */
	if (!mbc_tuple_valid(&p->tuple) || is_control(p) ||
	    !is_client(mn, rs, p))
		return MBC_ACCEPT;
	reason = match(rs, p, &rule);
	if (reason)
		return refuse(mn, MBC_ON_FAILURE_BLOCK, reason);
	if (rule)
		hits = atomic64_inc_return(&rule->hits);
	if (!rule || !rule->n_types) {
		if (p->tuple.proto == IPPROTO_UDP)
			mbc_ruleset_pass(rs, &p->tuple, false);
		return MBC_ACCEPT;
	}

	reason = start(mn, p, rs, rule, (u32)(hits - 1), &s);
	if (!reason) {
		mbc_count(mn, MBC_REASON_SETUP_STARTED);
		*e = &s->entry[MBC_OUT_RIGHT];
		return MBC_ACCEPT;
	}
	return refuse(mn, rule->on_failure, reason);
}

enum mbc_verdict mbc_originate_again(struct mbc_net *mn, struct mbc_packet *p,
				     struct mbc_entry **e)
{
	struct mbc_session *s = mbc_entry_session(*e);

	if (s->isn != mbc_packet_seq(p)) {
		*e = NULL;
		mbc_session_end(s, MBC_REASON_END_REPLACED);
		return mbc_originate(mn, p, e);
	}
	if (s->on_failure == MBC_ON_FAILURE_BYPASS && s->syns >= SYN_TRIES &&
	    s->setup == MBC_SETUP_IN_BAND && s->tcp.state == MBC_TCP_SYN) {
		*e = NULL;
		return mbc_originate_failed(s, MBC_REASON_NO_ANSWER);
	}
	mbc_count(mn, MBC_REASON_SETUP_REPEATED);
	return MBC_ACCEPT;
}

enum mbc_verdict mbc_originate_failed(struct mbc_session *s,
				      enum mbc_reason reason)
{
	u8 on_failure = s->on_failure;
	struct mbc_net *mn = s->mn;

	mbc_session_end(s, reason);
	return refuse(mn, on_failure, MBC_REASON_NONE);
}
