// SPDX-License-Identifier: GPL-2.0-only
/* Commands that tell of the policy in force; RCU readers of it. */
#include "netlink.h"

#include <linux/netlink.h>
#include <net/sock.h>
#include "ruleset.h"

static int put_policy(struct sk_buff *skb, const struct mbc_ruleset *rs)
{
	static const struct mbc_ruleset none;
	unsigned int n_progs, n_hosts;
	__le64 seed[2];

	rs = rs ?: &none;
	n_progs = rs->progs[MBC_ADDR4].n + rs->progs[MBC_ADDR6].n;
	n_hosts = rs->hosts[MBC_ADDR4].n + rs->hosts[MBC_ADDR6].n;
	seed[0] = cpu_to_le64(rs->seed.key[0]);
	seed[1] = cpu_to_le64(rs->seed.key[1]);
	if (nla_put_u64_64bit(skb, MBC_POLICY_A_VERSION, rs->version,
			      MBC_POLICY_A_PAD) ||
	    nla_put(skb, MBC_POLICY_A_SEED, sizeof(seed), seed) ||
	    nla_put_u32(skb, MBC_POLICY_A_N_TYPES, rs->n_types) ||
	    nla_put_u32(skb, MBC_POLICY_A_N_RULES, rs->n_rules) ||
	    nla_put_u32(skb, MBC_POLICY_A_N_PROGS, n_progs) ||
	    nla_put_u32(skb, MBC_POLICY_A_N_HOSTS, n_hosts))
		return -EMSGSIZE;
	return 0;
}

int mbc_netlink_get_policy(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *answer;
	void *hdr;
	int err;

	answer = mbc_netlink_answer(info, GENLMSG_DEFAULT_SIZE, &hdr);
	if (!answer)
		return -ENOMEM;
	rcu_read_lock();
	err = put_policy(answer,
			 rcu_dereference(mbc_netlink_net(info)->ruleset));
	rcu_read_unlock();
	if (err)
		GENL_SET_ERR_MSG(info, "the answer does not fit");
	return mbc_netlink_reply(answer, hdr, info, err);
}

/* Where a dump of rules stands: behind @next rules of the policy @rs, which is
 * compared and never read through.
 */
struct rules_dump {
	const struct mbc_ruleset *rs;
	u64 version;
	unsigned int next;
};

static_assert(sizeof(struct rules_dump) <=
	      sizeof_field(struct netlink_callback, ctx));

static int put_rule(struct sk_buff *skb, struct netlink_callback *cb,
		    const struct mbc_rule *r)
{
	void *hdr;

	hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			  &mbc_genl_family, NLM_F_MULTI, MBC_CMD_GET_RULE);
	if (!hdr)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, hdr);
	if (nla_put_u32(skb, MBC_RULE_A_ID, r->id) ||
	    nla_put_u8(skb, MBC_RULE_A_ON_FAILURE, r->on_failure) ||
	    nla_put(skb, MBC_RULE_A_TYPES, r->n_types * sizeof(*r->types),
		    r->types) ||
	    nla_put_u64_64bit(skb, MBC_RULE_A_HITS, atomic64_read(&r->hits),
			      MBC_RULE_A_PAD) ||
	    nla_put_u8(skb, MBC_RULE_A_SETUP, r->setup)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

int mbc_netlink_dump_rules(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct mbc_net *mn = mbc_net_of(sock_net(skb->sk));
	struct rules_dump *at = (struct rules_dump *)cb->ctx;
	const struct mbc_ruleset *rs;

	rcu_read_lock();
	rs = rcu_dereference(mn->ruleset);
	/* Another policy than before: begin again, and say so. */
	if (!cb->seq || rs != at->rs || (rs && rs->version != at->version)) {
		at->rs = rs;
		at->version = rs ? rs->version : 0;
		at->next = 0;
		cb->seq++;
	}
	while (rs && at->next < rs->n_rules) {
		if (put_rule(skb, cb, &rs->rules[at->next]))
			break;
		at->next++;
	}
	rcu_read_unlock();
	return skb->len;
}
