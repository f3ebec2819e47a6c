/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The generic netlink family: uapi/mbchain.h says what each command does.
 * netlink.c holds the family and the commands about the namespace,
 * netlink_load.c those that load a policy, netlink_setup.c those by which
 * agents set up sessions, netlink_record.c and netlink_migration.c those by which
 * they change a session's chain, netlink_nf.c that about its NF, netlink_policy.c and
 * netlink_session.c those about what is there.
 */
#ifndef MBC_NETLINK_H
#define MBC_NETLINK_H

#include <net/genetlink.h>
#include "net.h"

struct mbc_migration;
struct mbc_session;
struct mbc_tuple;

extern struct genl_family mbc_genl_family;

int mbc_netlink_register(void);
void mbc_netlink_unregister(void);

/** enum mbc_group - multicast groups, MBC_GROUP_* */
enum mbc_group {
	MBC_EVENTS,
	MBC_SETUPS,
};

/**
 * mbc_netlink_listened() - does anybody listen to a group in @net?
 *
 * Also true if somebody does so in another namespace: the kernel keeps one
 * answer for all. Also false while there is no family to send them by, for packets come
 * earlier and go on longer. RCU read side, until the event is sent.
 */
bool mbc_netlink_listened(struct net *net, enum mbc_group group);

/**
 * mbc_netlink_put_session() - MBC_SESSION_A_* of @s into @skb
 *
 * RCU read side or mbc_net.lock held. Return: 0 or -EMSGSIZE.
 */
int mbc_netlink_put_session(struct sk_buff *skb, const struct mbc_session *s);

/* bytes that mbc_netlink_put_session() takes at most, with room */
#define MBC_NETLINK_SESSION_SIZE 1024

/** mbc_netlink_net() - the namespace that a command is for */
static inline struct mbc_net *mbc_netlink_net(struct genl_info *info)
{
	return mbc_net_of(genl_info_net(info));
}

/**
 * mbc_netlink_answer() - begin the answer to a command
 * @size: bytes of attributes
 * @hdr: set, for genlmsg_end()
 *
 * Return: NULL, with a message in extack, when memory is short.
 */
struct sk_buff *mbc_netlink_answer(struct genl_info *info, size_t size,
				   void **hdr);

/**
 * mbc_netlink_reply() - send what mbc_netlink_answer() began, or forget it
 * @err: 0, or why there is no answer
 */
int mbc_netlink_reply(struct sk_buff *answer, void *hdr,
		      struct genl_info *info, int err);

/* netlink_load.c */
extern const struct nla_policy mbc_load_begin_attrs[];
extern const struct nla_policy mbc_load_add_attrs[];
extern const struct nla_policy mbc_load_commit_attrs[];
int mbc_netlink_load_begin(struct sk_buff *skb, struct genl_info *info);
int mbc_netlink_load_add(struct sk_buff *skb, struct genl_info *info);
int mbc_netlink_load_commit(struct sk_buff *skb, struct genl_info *info);
/** mbc_netlink_load_forget() - what the socket @portid has begun */
void mbc_netlink_load_forget(struct mbc_net *mn, u32 portid);

/* netlink_tuple.c */
extern const struct nla_policy mbc_tuple_attrs[MBC_TUPLE_A_MAX + 1];
extern const struct nla_policy mbc_side_attrs[MBC_SIDE_A_TUPLE + 1];
/** mbc_netlink_read_tuple() - MBC_TUPLE_A_* that a session can have; 0 or -errno */
int mbc_netlink_read_tuple(struct mbc_tuple *t, const struct nlattr *attr,
			   struct netlink_ext_ack *extack);
/**
 * mbc_netlink_read_wire() - MBC_SIDE_A_TUPLE, of a subsession
 * @of: its supersession, either way
 *
 * Return: 0 or -errno.
 */
int mbc_netlink_read_wire(struct mbc_tuple *wire, const struct nlattr *attr,
			  const struct mbc_tuple *of,
			  struct netlink_ext_ack *extack);
/**
 * mbc_netlink_read_hops() - MBC_SESSION_A_HOPS or _HOPS6, that of @family
 * @hops: as many as the command's policy lets in
 * @n: goes up by how many there are
 */
int mbc_netlink_read_hops(union mbc_addr *hops, u8 *n, u8 family,
			  struct genl_info *info);
/** mbc_netlink_refuse() - @message, which stays, about @attr; -EINVAL */
int mbc_netlink_refuse(struct netlink_ext_ack *extack,
		       const struct nlattr *attr, const char *message);
/** mbc_netlink_error() - the errno for a set-up or migration that cannot be */
int mbc_netlink_error(enum mbc_reason reason);

/* netlink_migration.c */
extern const struct nla_policy mbc_begin_attrs[];
extern const struct nla_policy mbc_pause_attrs[];
extern const struct nla_policy mbc_mark_attrs[];
extern const struct nla_policy mbc_switch_attrs[];
extern const struct nla_policy mbc_end_attrs[];
int mbc_netlink_begin_migration(struct sk_buff *skb, struct genl_info *info);
int mbc_netlink_pause(struct sk_buff *skb, struct genl_info *info);
int mbc_netlink_mark(struct sk_buff *skb, struct genl_info *info);
int mbc_netlink_switch_path(struct sk_buff *skb, struct genl_info *info);
int mbc_netlink_end_migration(struct sk_buff *skb, struct genl_info *info);
/** mbc_netlink_check_migration() - are session and migration named? 0 or -EINVAL */
int mbc_netlink_check_migration(struct genl_info *info);
/** mbc_netlink_find_session() - that which a command names, or NULL; RCU read side */
struct mbc_session *mbc_netlink_find_session(struct genl_info *info);

/* netlink_record.c */
extern const struct nla_policy mbc_lock_attrs[];
int mbc_netlink_lock_session(struct sk_buff *skb, struct genl_info *info);
int mbc_netlink_dump_migrations(struct sk_buff *skb, struct netlink_callback *cb);
/** mbc_netlink_new_migration() - of a command that brings id and plan; NULL: no memory */
struct mbc_migration *mbc_netlink_new_migration(struct genl_info *info,
						enum mbc_part part);
/**
 * mbc_netlink_put_facts() - what MBC_CMD_EVENT_MIGRATION has, into @skb
 * @s: whose record @m is
 *
 * Return: 0 or -EMSGSIZE.
 */
int mbc_netlink_put_facts(struct sk_buff *skb, const struct mbc_session *s,
			  const struct mbc_migration *m);

/* bytes that mbc_netlink_put_facts() takes at most, with room */
#define MBC_NETLINK_FACTS_SIZE 128

/* netlink_setup.c */
extern const struct nla_policy mbc_setup_new_attrs[];
extern const struct nla_policy mbc_setup_set_attrs[];
extern const struct nla_policy mbc_hops_attrs[];
int mbc_netlink_new_session(struct sk_buff *skb, struct genl_info *info);
int mbc_netlink_set_session(struct sk_buff *skb, struct genl_info *info);
int mbc_netlink_set_hops(struct sk_buff *skb, struct genl_info *info);
int mbc_netlink_dump_peers(struct sk_buff *skb, struct netlink_callback *cb);

/* netlink_nf.c */
extern const struct nla_policy mbc_nf_attrs[];
int mbc_netlink_set_nf(struct sk_buff *skb, struct genl_info *info);
/** mbc_netlink_put_nf() - MBC_INFO_A_NF; RCU read side; 0 or -EMSGSIZE */
int mbc_netlink_put_nf(struct sk_buff *skb, const struct mbc_net *mn);

/* netlink_policy.c */
int mbc_netlink_get_policy(struct sk_buff *skb, struct genl_info *info);
int mbc_netlink_dump_rules(struct sk_buff *skb, struct netlink_callback *cb);

/* netlink_session.c */
extern const struct nla_policy mbc_session_attrs[];
int mbc_netlink_get_session(struct sk_buff *skb, struct genl_info *info);
int mbc_netlink_del_session(struct sk_buff *skb, struct genl_info *info);
int mbc_netlink_dump_sessions_start(struct netlink_callback *cb);
int mbc_netlink_dump_sessions(struct sk_buff *skb, struct netlink_callback *cb);
int mbc_netlink_dump_sessions_done(struct netlink_callback *cb);

/**
 * struct mbc_netlink_dump - a dump that walks all sessions
 * @cmd: enum mbc_cmd
 * @takes_nothing: why attributes are refused
 * @has: is there a message of this session?
 * @put: its attributes: 0 or -EMSGSIZE
 */
struct mbc_netlink_dump {
	enum mbc_cmd cmd;
	const char *takes_nothing;
	bool (*has)(const struct mbc_session *s);
	int (*put)(struct sk_buff *skb, const struct mbc_session *s);
};

/**
 * mbc_netlink_dump_walk() - go on with it
 *
 * Between mbc_netlink_dump_sessions_start() and _done(); both callbacks run under
 * RCU.
 */
int mbc_netlink_dump_walk(struct sk_buff *skb, struct netlink_callback *cb,
			  const struct mbc_netlink_dump *dump);
/** mbc_netlink_put_wire() - a subsession's tuple as a side; 0 or -EMSGSIZE */
int mbc_netlink_put_wire(struct sk_buff *skb, int attr,
			 const struct mbc_tuple *wire);

#endif /* MBC_NETLINK_H */
