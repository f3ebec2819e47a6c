/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * Why mbchain did what it did: the counters of MBC_CMD_GET_STATS, and the end
 * of a session in MBC_SESSION_A_END. Append-only; their names are those here, in
 * lower case and without the prefix.
 */
#ifndef _UAPI_MBCHAIN_REASON_H
#define _UAPI_MBCHAIN_REASON_H

/* One counter for every outcome. "ordinary": the packet goes on as one that
 * is none of ours. "drop": it is gone. "on-failure": the rule says which.
 */
enum mbc_reason {
	MBC_REASON_NONE,
	/* work done */
	MBC_REASON_REWRITTEN_IN,	/* packet: subsession to supersession */
	MBC_REASON_REWRITTEN_OUT,	/* packet: supersession to subsession */
	MBC_REASON_SETUP_STARTED,	/* session: first SYN at the client */
	MBC_REASON_SETUP_ACCEPTED,	/* session: header from the left accepted */
	MBC_REASON_SETUP_REPEATED,	/* packet: SYN sent again, same session */
	/* a session's end */
	MBC_REASON_END_FIN,		/* closed by both sides */
	MBC_REASON_END_RST,
	MBC_REASON_END_SYN_TIMEOUT,	/* set-up never answered */
	MBC_REASON_END_IDLE,
	MBC_REASON_END_DELETED,		/* MBC_CMD_DEL_SESSION */
	MBC_REASON_END_REPLACED,	/* the client opened the same tuple anew */
	/* set-up header not authentic: ordinary */
	MBC_REASON_HDR_TRUNCATED,	/* payload ends before the header does */
	MBC_REASON_HDR_VERSION,
	MBC_REASON_HDR_LENGTH,		/* length and number of hops disagree */
	MBC_REASON_HDR_FLAGS,		/* a flag or reserved byte is not 0 */
	MBC_REASON_HDR_PROTO,		/* family or protocol not supported */
	MBC_REASON_HDR_HOPS,		/* none, or more than MBC_MAX_HOPS */
	MBC_REASON_HDR_KEY,		/* key id unknown */
	MBC_REASON_HDR_MAC,
	/* set-up header authentic but refused: drop */
	MBC_REASON_HDR_STALE,		/* time outside the freshness window */
	MBC_REASON_HDR_REPLAY,		/* session id seen on another tuple */
	MBC_REASON_HDR_TUPLE,		/* no unicast address, or port 0 */
	MBC_REASON_HDR_RECEIVER,	/* meant for another host */
	MBC_REASON_HDR_LOOP,		/* next hop is this host */
	/* set-up not possible: at the client on-failure, elsewhere drop */
	MBC_REASON_NO_KEY,		/* no key to sign with */
	MBC_REASON_NO_ROUTE,		/* to the next hop */
	MBC_REASON_NO_PORT,		/* no free pair of ports */
	MBC_REASON_NO_MEMORY,
	MBC_REASON_TABLE_FULL,		/* MBC_CONFIG_A_MAX_SESSIONS reached */
	MBC_REASON_SEEN_FULL,		/* too many fresh session ids to remember */
	MBC_REASON_CHAIN_LOOP,		/* the chain visits one host twice */
	MBC_REASON_SYN_TOO_LONG,	/* SYN with header exceeds the next MTU */
	MBC_REASON_TUPLE_TAKEN,		/* the subsession is another session's */
	MBC_REASON_NO_ANSWER,		/* SYN repeated too often unanswered */
	/* what became of a client's packet whose set-up failed */
	MBC_REASON_BLOCKED,		/* drop */
	MBC_REASON_BYPASSED,		/* ordinary */
	/* packets of a session that cannot be rewritten: drop */
	MBC_REASON_BAD_PACKET,		/* TCP header malformed */
	MBC_REASON_NOT_WRITABLE,	/* no memory to unshare it */
	MBC_REASON_ROUTE_GONE,		/* no route to the next hop any more */
	/* packets not looked at: ordinary */
	MBC_REASON_FRAGMENT,		/* fragment, not for this host */
	/* set-up not possible: on-failure */
	MBC_REASON_NO_INSTANCE,		/* a type has none of the session's family */
	/* set-up out-of-band */
	MBC_REASON_SETUP_WAITED,	/* session: its packets wait for the agents */
	MBC_REASON_SETUP_DONE,		/* session: the agents set it up */
	MBC_REASON_HELD,		/* packet: waits; counted again for what became of it */
	MBC_REASON_HOLD_FULL,		/* packet: too many wait: drop */
	MBC_REASON_NO_LISTENER,		/* no agent runs on this host: on-failure */
	MBC_REASON_PEER_REFUSED,	/* a host on the path refused: on-failure */
	MBC_REASON_PEER_NOTED,		/* neighbour: answers no SYN with payload */
	/* ICMP errors, and packets too long for the next hop */
	MBC_REASON_ICMP_IN,		/* error: about a subsession, made one about its
					 * supersession */
	MBC_REASON_ICMP_OUT,		/* error: about a supersession, sent to the
					 * neighbour whose packet it is about */
	MBC_REASON_ICMP_BAD,		/* error: checksum wrong: ordinary */
	MBC_REASON_TOO_BIG,		/* longer than the next hop's MTU and not to be
					 * fragmented: answered by an ICMP error: drop */
	MBC_REASON_FRAGMENT_HELD,	/* fragment: waits for the rest of its packet,
					 * or is of no use for one: drop */
	/* the NF */
	MBC_REASON_EXPRESS,		/* packet: straight from subsession to subsession */
	MBC_REASON_TAPPED,		/* packet: a copy went to the tap */
	MBC_REASON_TAP_LOST,		/* packet: no memory or room for its copy */
	MBC_REASON_REDIRECTED,		/* packet: sent into the NF's device */
	MBC_REASON_REDIRECT_GONE,	/* packet: the NF's device is gone: drop */
	MBC_REASON_NAT_ASTRAY,		/* first packet: an NF on this host changed its
					 * destination, it leaves the chain: ordinary */
	/* set-up not possible: on-failure */
	MBC_REASON_SYN_REFUSED,		/* a RST refused a set-up header: the next host
					 * runs no mbchain, or has other keys */
	/* changing the chain of a live session */
	MBC_REASON_NOT_MOVABLE,		/* migration: refused, for the session is not
					 * established, or is in another one */
	MBC_REASON_MARKER,		/* packet: marker, behind all of a session's by a
					 * path: taken */
	MBC_REASON_LATE_RST,		/* packet: RST by a path that is given up: drop */
	MBC_REASON_PAUSED,		/* packet: waits while its session changes its path;
					 * too many of them: MBC_REASON_HOLD_FULL */
	MBC_REASON_PAUSE_OVER,		/* session: what waited was let go by the old path,
					 * for it was too much or took too long */
	MBC_REASON_MARKER_LATE,		/* marker: went on without all that should have
					 * gone before it */
	MBC_REASON_MARKER_STRANGE,	/* packet: marker of another migration, or signed
					 * with no key of ours: drop */
	MBC_REASON_END_MOVED,		/* session: its path leads past this host now */
	MBC_REASON_ACK_AHEAD,		/* packet: waits, and what it acknowledges went
					 * ahead: counted as one that waits, too */
	MBC_REASON_PAUSE_SPLIT,		/* packet: what has been sent before went on, the
					 * rest waits: counted likewise */
	/* a rule that is required */
	MBC_REASON_UNCHAINED,		/* packet: begins a session with this host past the
					 * chain that a guard requires: drop */
	__MBC_REASON_MAX
};
#define MBC_REASON_MAX (__MBC_REASON_MAX - 1)

#endif /* _UAPI_MBCHAIN_REASON_H */
