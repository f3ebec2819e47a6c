/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * Generic netlink interface of mbchain: dynamic service chaining.
 *
 * Family "mbchain", version 1, one instance per network namespace: a command
 * acts on the namespace of the socket it is sent on. Every command and both
 * multicast groups need CAP_NET_ADMIN in the user namespace that owns the
 * network namespace; without it the answer is EPERM.
 *
 * Rules that hold for every command:
 *   - Attribute policies are strict: an unknown attribute, a wrong length or
 *     an undefined flag is refused, with an extack message that says which.
 *   - A command changes everything it names or nothing.
 *   - Addresses and ports are in network byte order (__be32, __be16); every
 *     other integer is in host byte order.
 *   - Enumerations and attributes are append-only.
 *
 * Commands, with the attributes each takes and answers:
 *
 * MBC_CMD_GET_INFO: do. Takes nothing; answers one message:
 *   MBC_INFO_A_*
 *
 * MBC_CMD_SET_CONFIG: do. Any subset of MBC_CONFIG_A_*; what is absent stays
 *   as it is. ERANGE when a value is out of the range written beside it.
 *
 * MBC_CMD_SET_KEYS: do. Replaces all set-up keys at once.
 *   MBC_KEYS_A_KEY: nested, 0 to MBC_MAX_KEYS times; the first one signs, all
 *   of them verify. No key: nothing is signed and no header is accepted.
 *       MBC_KEY_A_ID: u32, unique in the message
 *       MBC_KEY_A_SECRET: MBC_KEY_LEN bytes
 *
 * MBC_CMD_POLICY_BEGIN: do. Starts a new policy in this socket's name and
 *   forgets one that the socket began and did not commit. A policy that is
 *   not committed goes when its socket closes. EBUSY while another socket is
 *   loading one.
 *       MBC_POLICY_A_VERSION: u64
 *       MBC_POLICY_A_SEED: MBC_KEY_LEN bytes, key of the instance choice
 *
 * MBC_CMD_POLICY_ADD: do. Appends to the policy begun on this socket, in the
 *   order of the message; ENOENT without one. Any number of:
 *       MBC_POLICY_A_TYPE: nested; types are numbered from 0 in this order
 *           MBC_TYPE_A_NAME: string, at most MBC_TYPE_NAME_LEN - 1 bytes
 *           MBC_TYPE_A_CHOICE: u8, enum mbc_choice; absent: MBC_CHOICE_HASH
 *           MBC_TYPE_A_INSTANCE: nested, 0 to MBC_MAX_INSTANCES times
 *               MBC_INSTANCE_A_ADDR4: __be32 } one of them, or both: a session
 *               MBC_INSTANCE_A_ADDR6: in6_addr } is for instances that have an
 *                   address of its family
 *               MBC_INSTANCE_A_WEIGHT: u32, 1 to 65535
 *       MBC_POLICY_A_RULE: nested; rules are numbered from 1 in this order
 *           MBC_RULE_A_ID: u32, the rule's number in the whole policy (shown
 *               to operators; this host may hold only some of the rules)
 *           MBC_RULE_A_ON_FAILURE: u8, enum mbc_on_failure
 *           MBC_RULE_A_TYPES: array of u16 type numbers, 0 to MBC_MAX_HOPS-1
 *               of them, left to right; none: the session is left alone
 *           MBC_RULE_A_SETUP: u8, enum mbc_setup_way; absent: MBC_SETUP_WAY_AUTO
 *       MBC_POLICY_A_PROG: classic BPF, an array of struct sock_filter, at
 *           most 4096; it sees an IPv4 packet from its IP header on and
 *           returns an answer, see MBC_ANSWER_GO; the first one is run first
 *       MBC_POLICY_A_PROG6: the same for IPv6 packets, which it sees without
 *           extension headers: TCP begins at byte 40
 *       MBC_POLICY_A_GUARD: nested; guards are numbered from 1 in this order. They
 *           are rules for sessions whose server is this host, and say which of
 *           these have to come through their chain
 *           MBC_GUARD_A_ID: u32, the rule's number in the whole policy
 *           MBC_GUARD_A_REQUIRED: flag; what comes otherwise is dropped
 *       MBC_POLICY_A_GUARD_PROG, MBC_POLICY_A_GUARD_PROG6: as PROG and PROG6, run
 *           for what begins a session with this host and came through no chain;
 *           they return numbers of guards
 *       MBC_POLICY_A_HOST4: __be32 } the address of a host that runs mbchain;
 *       MBC_POLICY_A_HOST6: in6_addr } a session whose server is not among
 *           them cannot be chained
 *
 * MBC_CMD_POLICY_COMMIT: do. Replaces the running policy by the one begun on
 *   this socket, at once and whole. Live sessions keep their chain.
 *       MBC_POLICY_A_VERSION: u64, must be the one given to POLICY_BEGIN
 *
 * MBC_CMD_GET_POLICY: do. Answers MBC_POLICY_A_VERSION, MBC_POLICY_A_SEED and
 *   the number of rules, types, programs and hosts (of both families).
 *
 * MBC_CMD_GET_RULE: dump. One message per rule:
 *   MBC_RULE_A_ID, MBC_RULE_A_ON_FAILURE, MBC_RULE_A_TYPES, MBC_RULE_A_HITS,
 *   MBC_RULE_A_SETUP
 *
 * MBC_CMD_GET_SESSION: do, with MBC_SESSION_A_ID: that session or ENOENT.
 *   dump, with nothing: every session. Answers MBC_SESSION_A_*. A dump during
 *   which the table changed shape has NLM_F_DUMP_INTR set: repeat it.
 *
 * MBC_CMD_DEL_SESSION: do, with MBC_SESSION_A_ID. The session is forgotten at
 *   once on this host; its packets are from then on those of a stranger.
 *
 * MBC_CMD_NEW_SESSION: do. Installs a session that the left neighbour's agent
 *   asked for (set-up out-of-band). ENOSPC at MBC_CONFIG_A_MAX_SESSIONS, EEXIST
 *   when the id or the left tuple is another session's, ELOOP when the next hop
 *   is this host, EHOSTUNREACH without a route to it, EADDRNOTAVAIL without a
 *   free pair of ports; the extack message is the counter's name. The same
 *   request again answers the same session.
 *       MBC_SESSION_A_ID
 *       MBC_SESSION_A_SUPER
 *       MBC_SESSION_A_LEFT: with MBC_SIDE_A_TUPLE alone, as the left neighbour
 *           sends it; its destination is an address of this host
 *       MBC_SESSION_A_HOPS or _HOPS6: hosts right of this one, the server last;
 *           neither: this host is the server
 *       MBC_SESSION_A_LIVE: flag; packets of the session have passed elsewhere until
 *           now. It is established, and waits for nothing
 *       MBC_SESSION_A_MIGRATION and _PLAN: with LIVE; makes the record of the
 *           migration by which it comes (MBC_PART_JOINING). A session that is there
 *           without that record is another one (EEXIST), and EBUSY while it is
 *           about to leave this host
 *   Answers MBC_SESSION_A_*; with hops, MBC_SESSION_A_RIGHT is the subsession to
 *   ask the right neighbour for, and the session waits (MBC_SETUP_WAITING) for
 *   SET_SESSION. MBC_SESSION_A_KNOWN: the session stood already, set up in-band.
 *
 * MBC_CMD_SET_SESSION: do. Ends the wait of a session whose MBC_SESSION_A_SETUP
 *   is MBC_SETUP_WAITING: its packets go on, or become what its rule says.
 *   ENOENT without such a session, EALREADY when it does not wait.
 *       MBC_SESSION_A_ID
 *       MBC_SESSION_A_SETUP: MBC_SETUP_DONE; MBC_SETUP_IN_BAND: the same, and the
 *           right neighbour knew the session already, so that it cannot be it
 *           that swallows SYN payload; or MBC_SETUP_FAILED
 *       MBC_SESSION_A_END: with MBC_SETUP_FAILED, the enum mbc_reason to count:
 *           MBC_REASON_NO_ANSWER or MBC_REASON_PEER_REFUSED
 *
 * Changing the chain of a live session: each host that takes part keeps a record
 * of it with its session. A session has one at most, and takes it along when it
 * ends. A command that names another migration than the record's answers ENOENT;
 * EINVAL where it makes no sense for the part that this host plays.
 *
 * MBC_CMD_LOCK_SESSION: do. Makes the record, at a host of the path as it is. EBUSY
 *   when there is another one, or the session is not established or about to leave
 *   this host. The same again is done already.
 *       MBC_SESSION_A_ID
 *       MBC_SESSION_A_MIGRATION: names it in later commands
 *       MBC_SESSION_A_PART: not MBC_PART_JOINING, whose record NEW_SESSION makes
 *       MBC_SESSION_A_PLAN: any bytes; GET_MIGRATION gives them back
 *       MBC_SESSION_A_TIME: optional; for how long a marker waits here for what should
 *           have gone before it, 1 to 60000; 250 without
 *
 * MBC_CMD_BEGIN_MIGRATION: do, at an anchor. From now on packets of a session may
 *   come by another path too, where it changes at one side of this host. What goes
 *   out goes on as it did. EBUSY when the session has begun to end; otherwise as
 *   NEW_SESSION. The same request again gets the same answer.
 *       MBC_SESSION_A_ID
 *       MBC_SESSION_A_MIGRATION
 *       MBC_SESSION_A_HOPS or _HOPS6: left anchor: hosts that will be right of
 *           this one, the server last
 *       MBC_SESSION_A_LEFT: right anchor; with MBC_SIDE_A_TUPLE alone, as the new
 *           left neighbour sends it
 *   Answers MBC_SESSION_A_* of the session as it will be; with hops,
 *   MBC_SESSION_A_RIGHT is the subsession to ask the new right neighbour for.
 *
 * MBC_CMD_PAUSE: do, at an anchor. What would go out by the path that changes waits,
 *   until SWITCH_PATH to either path or END_MIGRATION. When too many packets wait,
 *   or for too long, the module lets all go by the old path, and says so: see
 *   MBC_SESSION_A_OVERFLOW. Nothing happens if it waits already. EALREADY when the
 *   session has left the old path, or its packets have been let go like that.
 *       MBC_SESSION_A_ID
 *       MBC_SESSION_A_MIGRATION
 *       MBC_SESSION_A_TIME: u32 ms, 1 to 60000; absent: MBC_PAUSE_TIME
 *       MBC_SESSION_A_PACKETS: u32, 1 to 65536; absent: MBC_PAUSE_PACKETS
 *       MBC_SESSION_A_BYTES: u32, 1 to 268435456, from the IP headers on; absent:
 *           MBC_PAUSE_BYTES
 *       MBC_SESSION_A_DROP: flag; what comes when too many wait is dropped instead
 *       MBC_SESSION_A_CHECKPOINT: flag, TCP only: what was sent before goes on by
 *           the old path when it is sent again, and so do acknowledgements; see
 *           MBC_SESSION_A_ACK_REACHED
 *
 * MBC_CMD_MARK: do, at an anchor, any time. A marker goes out over the old path,
 *   behind what has gone. Nothing happens for UDP. ENOKEY without a key to sign
 *   with, EHOSTUNREACH without a route.
 *       MBC_SESSION_A_ID
 *       MBC_SESSION_A_MIGRATION
 *
 * MBC_CMD_SWITCH_PATH: do, at an anchor. What goes out takes that path from now
 *   on, what waits first. EALREADY when it is the new one, at the left anchor, and
 *   the module has let what waited go by the old path.
 *       MBC_SESSION_A_ID
 *       MBC_SESSION_A_MIGRATION
 *       MBC_SESSION_A_PATH
 *
 * MBC_CMD_END_MIGRATION: do. The record goes. At an anchor the path that is not in
 *   use is given up; what still comes by it is taken for 1 s more.
 *       MBC_SESSION_A_ID
 *       MBC_SESSION_A_MIGRATION
 *       MBC_SESSION_A_GONE: flag; not at an anchor. The session leaves this host:
 *           packets are passed on for 1 s more, then it ends
 *           (MBC_REASON_END_MOVED)
 *
 * MBC_CMD_GET_MIGRATION: dump, with nothing: every record. Answers
 *   MBC_SESSION_A_ID, _MIGRATION, _PART, _PLAN, _PATH and _PASSED, the flags
 *   _INSTALLED, _PAUSED, _ACK_REACHED, _OVERFLOW and _NEW_PATH_USED, and, with
 *   MBC_SIDE_A_TUPLE alone, _LEFT and _RIGHT where they belong to the new path and
 *   are not those of the old one too.
 *
 * MBC_CMD_SET_HOPS: do. Replaces what GET_SESSION says of the hosts right of this
 *   one, where others have changed. EBUSY while the session is being set up, EINVAL
 *   where there are none or may not be none.
 *       MBC_SESSION_A_ID
 *       MBC_SESSION_A_HOPS or _HOPS6
 *
 * MBC_CMD_GET_PEER: dump. Neighbours to which SYNs with payload do not pass, so
 *   that sessions to them are set up out-of-band. One message for each:
 *   MBC_PEER_A_*
 *
 * MBC_CMD_SET_NF: do. How this host's NF gets the packets of sessions that pass
 *   it. ENODEV when there is no such device here; EINVAL when it is not Ethernet,
 *   or a device is missing or too many.
 *       MBC_NF_A_MODE: u8, enum mbc_nf_mode
 *       MBC_NF_A_DEV: string, name of a device; TAP: one; REDIRECT: two, the one
 *           that packets to the right enter the NF by, and the one they leave
 *           it by
 *
 * MBC_CMD_GET_STATS: do. Answers MBC_STATS_A_COUNTER, nested, once for each
 *   enum mbc_reason from 1 on:
 *       MBC_COUNTER_A_REASON: u32
 *       MBC_COUNTER_A_NAME: string
 *       MBC_COUNTER_A_VALUE: u64, packets or sessions since the namespace
 *           came to be
 *
 * Events, multicast group MBC_GROUP_EVENTS:
 *   MBC_CMD_EVENT_SESSION_NEW: MBC_SESSION_A_*, once a session is installed
 *   MBC_CMD_EVENT_SESSION_END: MBC_SESSION_A_* with final counters and
 *       MBC_SESSION_A_END
 *   MBC_CMD_EVENT_POLICY: MBC_POLICY_A_VERSION, after a commit
 *   MBC_CMD_EVENT_MIGRATION: MBC_SESSION_A_ID, _MIGRATION, _PASSED and the flags
 *       _ACK_REACHED, _OVERFLOW and _NEW_PATH_USED: all that has come true of a
 *       record, whenever one more does
 *
 * Requests, multicast group MBC_GROUP_SETUP: whoever joins it undertakes to set
 * sessions up out-of-band, as agentd does. While nobody has, such sessions fail
 * at once (MBC_REASON_NO_LISTENER).
 *   MBC_CMD_EVENT_SETUP: MBC_SESSION_A_*, once a session waits for its agent
 *       to set up what is right of this host (MBC_SETUP_WAITING)
 */
#ifndef _UAPI_MBCHAIN_H
#define _UAPI_MBCHAIN_H

#include "mbchain_reason.h"

#define MBC_GENL_NAME "mbchain"
#define MBC_GENL_VERSION 1
#define MBC_GROUP_EVENTS "events"
#define MBC_GROUP_SETUP "setup"

#define MBC_ID_LEN 16		/* session id, random bytes */
#define MBC_KEY_LEN 16		/* SipHash-2-4 key */
#define MBC_MAX_KEYS 4		/* old and new during rotation, with room */
#define MBC_MAX_HOPS 16		/* hosts right of the client, server included */
#define MBC_MAX_INSTANCES 256	/* of one NF type */
#define MBC_MAX_TYPES 256	/* of one policy */
#define MBC_MAX_RULES 65536	/* of one policy */
#define MBC_MAX_HOSTS 65536	/* of one policy, for each family */
#define MBC_MAX_PROGS 256	/* of one policy, for each family */
#define MBC_MAX_PLAN 2048	/* bytes, of one migration */
#define MBC_PAUSE_TIME 2000	/* ms that packets of a live session wait */
#define MBC_PAUSE_PACKETS 8192	/* that wait */
#define MBC_PAUSE_BYTES 16777216	/* in them */
#define MBC_TYPE_NAME_LEN 32	/* with its final zero */

/* What a program of a policy returns: the number of a rule, with which the
 * search ends; 0, and the program after it is next; or, with MBC_ANSWER_GO, the
 * number of a rule or 0 in the lowest MBC_ANSWER_SHIFT bits and in those above
 * them the program that is next, numbered from 0 in the order of the message.
 * That must come later: a program that names itself or an earlier one by a
 * constant is refused (ELOOP), and where one computes such an answer, or names
 * a program that is not there, the search ends. Of all rules named on the way
 * the one with the smallest number matches.
 */
#define MBC_ANSWER_GO 0x80000000
#define MBC_ANSWER_SHIFT 17	/* room for MBC_MAX_RULES */

/* SO_PRIORITY of sockets that are never chained: those of the agents and of
 * policyd. Needs CAP_NET_ADMIN, as every priority above 6.
 */
#define MBC_CONTROL_PRIORITY 1835164520	/* "mbch" */

enum mbc_cmd {
	MBC_CMD_UNSPEC,
	MBC_CMD_GET_INFO,
	MBC_CMD_SET_CONFIG,
	MBC_CMD_SET_KEYS,
	MBC_CMD_POLICY_BEGIN,
	MBC_CMD_POLICY_ADD,
	MBC_CMD_POLICY_COMMIT,
	MBC_CMD_GET_POLICY,
	MBC_CMD_GET_RULE,
	MBC_CMD_GET_SESSION,
	MBC_CMD_DEL_SESSION,
	MBC_CMD_GET_STATS,
	MBC_CMD_EVENT_SESSION_NEW,
	MBC_CMD_EVENT_SESSION_END,
	MBC_CMD_EVENT_POLICY,
	MBC_CMD_NEW_SESSION,
	MBC_CMD_SET_SESSION,
	MBC_CMD_GET_PEER,
	MBC_CMD_EVENT_SETUP,
	MBC_CMD_SET_NF,
	MBC_CMD_BEGIN_MIGRATION,
	MBC_CMD_SWITCH_PATH,
	MBC_CMD_END_MIGRATION,
	MBC_CMD_EVENT_MIGRATION,
	MBC_CMD_PAUSE,
	MBC_CMD_LOCK_SESSION,
	MBC_CMD_MARK,
	MBC_CMD_GET_MIGRATION,
	MBC_CMD_SET_HOPS,
	__MBC_CMD_MAX
};
#define MBC_CMD_MAX (__MBC_CMD_MAX - 1)

enum mbc_info_attr {
	MBC_INFO_A_UNSPEC,
	MBC_INFO_A_PAD,
	MBC_INFO_A_VERSION,		/* string, module version */
	MBC_INFO_A_SESSIONS,		/* u32, live now */
	MBC_INFO_A_SESSION_BYTES,	/* u32, memory of one session */
	MBC_INFO_A_POLICY_VERSION,	/* u64, 0: none loaded */
	MBC_INFO_A_RULES,		/* u32 */
	MBC_INFO_A_KEY_ID,		/* u32, once per key, signing key first */
	MBC_INFO_A_CONFIG,		/* nested, MBC_CONFIG_A_* */
	MBC_INFO_A_NF,			/* nested, MBC_NF_A_* */
	MBC_INFO_A_TABLE_BYTES,		/* u64, memory of the tables that lead to sessions */
	__MBC_INFO_A_MAX
};
#define MBC_INFO_A_MAX (__MBC_INFO_A_MAX - 1)

enum mbc_config_attr {
	MBC_CONFIG_A_UNSPEC,
	MBC_CONFIG_A_MAX_SESSIONS,	/* u32, 1 to 16777216 */
	MBC_CONFIG_A_SYN_TIMEOUT,	/* u32 ms, 1000 to 600000: set-up unanswered */
	MBC_CONFIG_A_IDLE_TIMEOUT,	/* u32 ms, 1000 to 864000000: established */
	MBC_CONFIG_A_CLOSE_TIMEOUT,	/* u32 ms, 100 to 600000: after FIN or RST */
	MBC_CONFIG_A_FRESHNESS,		/* u32 s, 1 to 3600: age of a set-up header */
	MBC_CONFIG_A_PORT_MIN,		/* u16, 1024 to 65535 */
	MBC_CONFIG_A_PORT_MAX,		/* u16, PORT_MIN + 63 to 65535 */
	MBC_CONFIG_A_UDP_TIMEOUT,	/* u32 ms, 1000 to 864000000: UDP, a question and
					 * its answer */
	MBC_CONFIG_A_UDP_STREAM_TIMEOUT, /* u32 ms, 1000 to 864000000: UDP that went
					 * both ways for more than 2 s */
	MBC_CONFIG_A_SETUP_TIMEOUT,	/* u32 ms, 100 to 60000: set-up out-of-band */
	MBC_CONFIG_A_GATEWAY,		/* u8, 0 or 1: rules hold for forwarded sessions
					 * of hosts that run no mbchain, too */
	__MBC_CONFIG_A_MAX
};
#define MBC_CONFIG_A_MAX (__MBC_CONFIG_A_MAX - 1)

enum mbc_keys_attr {
	MBC_KEYS_A_UNSPEC,
	MBC_KEYS_A_KEY,			/* nested, MBC_KEY_A_* */
	__MBC_KEYS_A_MAX
};
#define MBC_KEYS_A_MAX (__MBC_KEYS_A_MAX - 1)

enum mbc_key_attr {
	MBC_KEY_A_UNSPEC,
	MBC_KEY_A_ID,			/* u32 */
	MBC_KEY_A_SECRET,		/* MBC_KEY_LEN bytes */
	__MBC_KEY_A_MAX
};
#define MBC_KEY_A_MAX (__MBC_KEY_A_MAX - 1)

enum mbc_policy_attr {
	MBC_POLICY_A_UNSPEC,
	MBC_POLICY_A_PAD,
	MBC_POLICY_A_VERSION,		/* u64 */
	MBC_POLICY_A_SEED,		/* MBC_KEY_LEN bytes */
	MBC_POLICY_A_TYPE,		/* nested, MBC_TYPE_A_* */
	MBC_POLICY_A_RULE,		/* nested, MBC_RULE_A_* */
	MBC_POLICY_A_PROG,		/* struct sock_filter[] */
	MBC_POLICY_A_HOST4,		/* __be32 */
	MBC_POLICY_A_N_TYPES,		/* u32, answer only */
	MBC_POLICY_A_N_RULES,		/* u32, answer only */
	MBC_POLICY_A_N_PROGS,		/* u32, answer only */
	MBC_POLICY_A_N_HOSTS,		/* u32, answer only */
	MBC_POLICY_A_PROG6,		/* struct sock_filter[] */
	MBC_POLICY_A_HOST6,		/* struct in6_addr */
	MBC_POLICY_A_GUARD,		/* nested, MBC_GUARD_A_* */
	MBC_POLICY_A_GUARD_PROG,	/* struct sock_filter[] */
	MBC_POLICY_A_GUARD_PROG6,	/* struct sock_filter[] */
	__MBC_POLICY_A_MAX
};
#define MBC_POLICY_A_MAX (__MBC_POLICY_A_MAX - 1)

enum mbc_guard_attr {
	MBC_GUARD_A_UNSPEC,
	MBC_GUARD_A_ID,			/* u32 */
	MBC_GUARD_A_REQUIRED,		/* flag */
	__MBC_GUARD_A_MAX
};
#define MBC_GUARD_A_MAX (__MBC_GUARD_A_MAX - 1)

enum mbc_type_attr {
	MBC_TYPE_A_UNSPEC,
	MBC_TYPE_A_NAME,		/* string */
	MBC_TYPE_A_INSTANCE,		/* nested, MBC_INSTANCE_A_* */
	MBC_TYPE_A_CHOICE,		/* u8, enum mbc_choice */
	__MBC_TYPE_A_MAX
};
#define MBC_TYPE_A_MAX (__MBC_TYPE_A_MAX - 1)

/* By what a session gets one of a type's instances, each with a likelihood or as
 * often as its weight says.
 */
enum mbc_choice {
	MBC_CHOICE_HASH,		/* a hash of its five-tuple */
	MBC_CHOICE_SOURCE,		/* a hash of its client's address */
	MBC_CHOICE_TURN,		/* how many have matched its rule on this host */
	__MBC_CHOICE_MAX
};

enum mbc_instance_attr {
	MBC_INSTANCE_A_UNSPEC,
	MBC_INSTANCE_A_ADDR4,		/* __be32 */
	MBC_INSTANCE_A_WEIGHT,		/* u32 */
	MBC_INSTANCE_A_ADDR6,		/* struct in6_addr */
	__MBC_INSTANCE_A_MAX
};
#define MBC_INSTANCE_A_MAX (__MBC_INSTANCE_A_MAX - 1)

enum mbc_rule_attr {
	MBC_RULE_A_UNSPEC,
	MBC_RULE_A_PAD,
	MBC_RULE_A_ID,			/* u32 */
	MBC_RULE_A_ON_FAILURE,		/* u8, enum mbc_on_failure */
	MBC_RULE_A_TYPES,		/* u16[] */
	MBC_RULE_A_HITS,		/* u64, sessions; answer only */
	MBC_RULE_A_SETUP,		/* u8, enum mbc_setup_way */
	__MBC_RULE_A_MAX
};
#define MBC_RULE_A_MAX (__MBC_RULE_A_MAX - 1)

/* What becomes of a session whose chain cannot be set up. */
enum mbc_on_failure {
	MBC_ON_FAILURE_BLOCK,		/* its packets are dropped */
	MBC_ON_FAILURE_BYPASS,		/* it goes straight to the server */
	__MBC_ON_FAILURE_MAX
};

/* How the client's host has the chain set up. UDP is always set up out-of-band. */
enum mbc_setup_way {
	MBC_SETUP_WAY_AUTO,		/* in-band, but past neighbours that answer no SYN
					 * with payload */
	MBC_SETUP_WAY_IN_BAND,		/* in-band whatever the neighbour does */
	MBC_SETUP_WAY_OUT_OF_BAND,	/* by the agents */
	__MBC_SETUP_WAY_MAX
};

enum mbc_session_attr {
	MBC_SESSION_A_UNSPEC,
	MBC_SESSION_A_PAD,
	MBC_SESSION_A_ID,		/* MBC_ID_LEN bytes */
	MBC_SESSION_A_ROLE,		/* u8, enum mbc_role */
	MBC_SESSION_A_STATE,		/* u8, enum mbc_tcp_state */
	MBC_SESSION_A_SUPER,		/* nested, MBC_TUPLE_A_*: client to server */
	MBC_SESSION_A_LEFT,		/* nested, MBC_SIDE_A_*; not at the client */
	MBC_SESSION_A_RIGHT,		/* nested, MBC_SIDE_A_*; not at the server */
	MBC_SESSION_A_RULE,		/* u32, MBC_RULE_A_ID; client only */
	MBC_SESSION_A_POLICY_VERSION,	/* u64; client only */
	MBC_SESSION_A_HOPS,		/* __be32[], hosts right of this one; IPv4 */
	MBC_SESSION_A_AGE,		/* u64 ms since it was installed */
	MBC_SESSION_A_IDLE,		/* u64 ms since its last packet */
	MBC_SESSION_A_END,		/* u32, enum mbc_reason; event only */
	MBC_SESSION_A_HOPS6,		/* struct in6_addr[], the same; IPv6 */
	MBC_SESSION_A_SETUP,		/* u8, enum mbc_setup_state */
	MBC_SESSION_A_KNOWN,		/* flag; answer of MBC_CMD_NEW_SESSION only */
	MBC_SESSION_A_LIVE,		/* flag; MBC_CMD_NEW_SESSION only */
	MBC_SESSION_A_MIGRATION,	/* u64, random; of a session whose path changes */
	MBC_SESSION_A_PATH,		/* u8, enum mbc_path: which one is in use */
	MBC_SESSION_A_PASSED,		/* u8, by which ways all has come over the old
					 * path: 1 to the right, 2 to the left, 3 both */
	MBC_SESSION_A_PART,		/* u8, enum mbc_part */
	MBC_SESSION_A_PLAN,		/* 1 to MBC_MAX_PLAN bytes */
	MBC_SESSION_A_TIME,		/* u32 ms */
	MBC_SESSION_A_PACKETS,		/* u32 */
	MBC_SESSION_A_BYTES,		/* u32 */
	MBC_SESSION_A_DROP,		/* flag */
	MBC_SESSION_A_CHECKPOINT,	/* flag */
	MBC_SESSION_A_GONE,		/* flag; of a session: it leaves this host */
	MBC_SESSION_A_INSTALLED,	/* flag: the new path is there */
	MBC_SESSION_A_PAUSED,		/* flag: packets wait */
	MBC_SESSION_A_ACK_REACHED,	/* flag: of PAUSE with a checkpoint: all that has
					 * gone before is acknowledged */
	MBC_SESSION_A_OVERFLOW,		/* flag: packets that were to wait went by the
					 * old path, too many of them or for too long */
	MBC_SESSION_A_NEW_PATH_USED,	/* flag, new host and right anchor: a packet has
					 * come from the left by the new path */
	__MBC_SESSION_A_MAX
};
#define MBC_SESSION_A_MAX (__MBC_SESSION_A_MAX - 1)

/* Where in the chain this host stands. */
enum mbc_role {
	MBC_ROLE_UNSPEC,
	MBC_ROLE_CLIENT,
	MBC_ROLE_MIDDLE,
	MBC_ROLE_SERVER,
	__MBC_ROLE_MAX
};

/* A UDP session is in SYN until an answer passes, and ESTABLISHED from then on. */
enum mbc_tcp_state {
	MBC_TCP_NONE,
	MBC_TCP_SYN,			/* SYN seen, no answer yet */
	MBC_TCP_ESTABLISHED,		/* SYN-ACK seen */
	MBC_TCP_CLOSING,		/* one side's FIN seen */
	MBC_TCP_CLOSED,			/* both FINs seen and acknowledged */
	MBC_TCP_RESET,			/* RST seen and nothing but RST since */
	__MBC_TCP_MAX
};

/* How what is right of this host came to be. */
enum mbc_setup_state {
	MBC_SETUP_UNSPEC,
	MBC_SETUP_IN_BAND,		/* by the header in the SYN; at the server: no matter */
	MBC_SETUP_WAITING,		/* out-of-band: packets wait for the agent's word */
	MBC_SETUP_DONE,			/* out-of-band: the agents did it */
	MBC_SETUP_FAILED,		/* they could not; for MBC_CMD_SET_SESSION alone */
	MBC_SETUP_BLOCKED,		/* failed: packets are dropped until it is tried anew */
	MBC_SETUP_BYPASSED,		/* failed: packets go straight to the server till then */
	__MBC_SETUP_MAX
};

/* Of the two of a session whose chain is being changed. */
enum mbc_path {
	MBC_PATH_OLD,
	MBC_PATH_NEW,
	__MBC_PATH_MAX
};

/* Of a host in a migration. */
enum mbc_part {
	MBC_PART_LEFT,			/* left anchor: the path changes on its right */
	MBC_PART_RIGHT,			/* right anchor */
	MBC_PART_LEAVING,		/* between them on the old path */
	MBC_PART_JOINING,		/* between them on the new path */
	__MBC_PART_MAX
};

enum mbc_nf_attr {
	MBC_NF_A_UNSPEC,
	MBC_NF_A_MODE,			/* u8, enum mbc_nf_mode */
	MBC_NF_A_DEV,			/* string; twice with REDIRECT */
	__MBC_NF_A_MAX
};
#define MBC_NF_A_MAX (__MBC_NF_A_MAX - 1)

enum mbc_nf_mode {
	MBC_NF_INLINE,			/* through the host's own stack */
	MBC_NF_TAP,			/* copies go to a device; the packets do not wait */
	MBC_NF_REDIRECT,		/* into one device, back by another */
	MBC_NF_NONE,			/* there is none: straight on */
	__MBC_NF_MAX
};

/* A neighbour that answers no SYN with payload. */
enum mbc_peer_attr {
	MBC_PEER_A_UNSPEC,
	MBC_PEER_A_PAD,
	MBC_PEER_A_ADDR4,		/* __be32 */
	MBC_PEER_A_ADDR6,		/* struct in6_addr, instead of ADDR4 */
	MBC_PEER_A_EXPIRES,		/* u64 ms until in-band set-up is tried again */
	MBC_PEER_A_SESSIONS,		/* u64, set up out-of-band since it was noticed */
	__MBC_PEER_A_MAX
};
#define MBC_PEER_A_MAX (__MBC_PEER_A_MAX - 1)

enum mbc_tuple_attr {
	MBC_TUPLE_A_UNSPEC,
	MBC_TUPLE_A_SADDR4,		/* __be32 */
	MBC_TUPLE_A_DADDR4,		/* __be32 */
	MBC_TUPLE_A_SPORT,		/* __be16 */
	MBC_TUPLE_A_DPORT,		/* __be16 */
	MBC_TUPLE_A_PROTO,		/* u8, IPPROTO_* */
	MBC_TUPLE_A_SADDR6,		/* struct in6_addr, instead of SADDR4 */
	MBC_TUPLE_A_DADDR6,		/* struct in6_addr, instead of DADDR4 */
	__MBC_TUPLE_A_MAX
};
#define MBC_TUPLE_A_MAX (__MBC_TUPLE_A_MAX - 1)

/* One subsession as this host sees it. Tuples are in the direction client to
 * server, as on the wire at this host.
 */
enum mbc_side_attr {
	MBC_SIDE_A_UNSPEC,
	MBC_SIDE_A_PAD,
	MBC_SIDE_A_TUPLE,		/* nested, MBC_TUPLE_A_* */
	MBC_SIDE_A_IN_PACKETS,		/* u64, received from this side */
	MBC_SIDE_A_IN_BYTES,		/* u64, length of them with the IP header */
	MBC_SIDE_A_OUT_PACKETS,		/* u64, sent to this side */
	MBC_SIDE_A_OUT_BYTES,		/* u64 */
	__MBC_SIDE_A_MAX
};
#define MBC_SIDE_A_MAX (__MBC_SIDE_A_MAX - 1)

enum mbc_stats_attr {
	MBC_STATS_A_UNSPEC,
	MBC_STATS_A_COUNTER,		/* nested, MBC_COUNTER_A_* */
	__MBC_STATS_A_MAX
};
#define MBC_STATS_A_MAX (__MBC_STATS_A_MAX - 1)

enum mbc_counter_attr {
	MBC_COUNTER_A_UNSPEC,
	MBC_COUNTER_A_PAD,
	MBC_COUNTER_A_REASON,		/* u32, enum mbc_reason */
	MBC_COUNTER_A_NAME,		/* string, lower case with underscores */
	MBC_COUNTER_A_VALUE,		/* u64 */
	__MBC_COUNTER_A_MAX
};
#define MBC_COUNTER_A_MAX (__MBC_COUNTER_A_MAX - 1)

#endif /* _UAPI_MBCHAIN_H */
