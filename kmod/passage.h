/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What passes over the old path of a session in a migration, each way, and the
 * marker behind it (paper section 5.2).
 *
 * A marker says how far what its sender has sent before it goes. A host that gets
 * it keeps it until so much has left this host, behind the NF, or, at an anchor,
 * has come in: then nothing that went before can still be under way here, whichever
 * processor has it. An old host lets its NF have the marker, which looks like an
 * acknowledgement that says nothing new: it comes out behind all that the NF has kept.
 * Not for ever: packets may be lost, or be dropped by the NF, and markers too.
 *
 * mbc_migration.lock protects all of it. A marker that has waited goes on from a
 * work item, for which mbc_net.markers has the migrations; mbc_net.lock.
 */
#ifndef MBC_PASSAGE_H
#define MBC_PASSAGE_H

#include "marker.h"
#include "packet.h"
#include "table.h"

struct mbc_migration;
struct mbc_session;

#define MBC_MARKER_WAIT 250	/* ms, for the NF, unless the agent says another time */
#define MBC_MARKER_HURRY 5	/* times less, for what was overtaken on the way here */
#define MBC_MARKER_HURRY_IDLE 50 /* where nothing has passed since the lock */

/** enum mbc_wait - a marker's */
enum mbc_wait {
	MBC_WAIT_NONE,		/* there is none */
	MBC_WAIT_PACKETS,	/* until it and enough have passed, or the deadline */
	MBC_WAIT_OVER,		/* enough */
	MBC_WAIT_GRACE,		/* and a grace period, until the last of it is sent */
};

/**
 * struct mbc_passage - one way
 * @known: there is an @end
 * @marked: there is a @mark
 * @through: the marker has come out of the NF, or is not for it
 * @wait: enum mbc_wait
 * @end: sequence number behind the last byte that has passed since the lock; at an
 *	anchor: that was sent, or has come in
 * @mark: the same as its sender has it, of the marker that waits
 * @deadline: when that goes on all the same, jiffies
 * @data: of what an anchor has sent: there was more than acknowledgements
 * @heard: there is @acked
 * @spoken: there are @told and @window
 * @acked: what an anchor has sent is acknowledged up to here
 * @told: what was sent acknowledges the other way up to here
 * @window: of the last packet that was sent, as it is on the wire
 *
 * All numbers are in host byte order. Where the session ends its socket
 * tells what they were at the lock.
 */
struct mbc_passage {
	bool known;
	bool marked;
	bool through;
	bool data;
	bool heard;
	bool spoken;
	u8 wait;
	u16 window;
	u32 end;
	u32 mark;
	u32 acked;
	u32 told;
	unsigned long deadline;
};

/** mbc_passage_acknowledge() - what an anchor has sent is acknowledged up to @ack */
static inline void mbc_passage_acknowledge(struct mbc_passage *w, u32 ack)
{
	if (w->heard && mbc_seq_reaches(w->acked, ack))
		return;
	w->heard = true;
	w->acked = ack;
}

/**
 * mbc_passage_begin() - find out what has passed before the lock
 * @s: is locked
 * @settled: a grace period has gone by since the last time
 *
 * Its socket says so, if this host is where the session ends. RCU read side.
 *
 * Return: 0; -ENOENT: nobody here knows; -EAGAIN: once more, a grace period later.
 */
int mbc_passage_begin(struct mbc_session *s, bool settled);

/**
 * mbc_passage_inbound() - is this packet none of the session's?
 * @p: came in by an entry of @s
 * @dir: the way it travels
 *
 * Softirq, RCU read side; only asked while @s->watched.
 *
 * Return: MBC_DROP: a marker that the NF is not to have, or a RST by a path that
 * nobody speaks over any more; counted.
 */
enum mbc_verdict mbc_passage_inbound(struct mbc_net *mn,
				     const struct mbc_packet *p,
				     struct mbc_session *s, enum mbc_dir dir);

/**
 * mbc_passage_outbound() - a packet is about to leave by @e
 *
 * RCU read side; only for sessions with MBC_NOTED in mbc_session.paused.
 *
 * Return: MBC_DROP: a marker that comes out of the NF.
 */
enum mbc_verdict mbc_passage_outbound(struct mbc_net *mn,
				      const struct mbc_packet *p,
				      const struct mbc_entry *e);

/**
 * mbc_passage_mark() - send the marker over the old path
 * @m: at an anchor; a grace period after what it is to be behind
 *
 * Not for UDP, which promises no order. RCU read side, BH off. Return: 0; -ENOKEY,
 * -EHOSTUNREACH or -ENOMEM.
 */
int mbc_passage_mark(struct mbc_migration *m);

void mbc_passage_net_init(struct mbc_net *mn);
/** mbc_passage_flush() - no marker goes on any more; process context */
void mbc_passage_flush(struct mbc_net *mn);

#endif /* MBC_PASSAGE_H */
