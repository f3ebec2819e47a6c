/* SPDX-License-Identifier: Apache-2.0
 *
 * The protocol that changes the chain of a live session (docs/PROTOCOL.md), as
 * agentd/internal/lock and agentd/internal/migrate play it. States and messages
 * have the names of the Go code; tests/model compares them.
 *
 * A session passes hosts 0, 1, 2, 3. Migration m (0, and 1 if MIGRATIONS is 2)
 * has left anchor m, old host m + 1, right anchor m + 2 and new host 4 + m, so
 * the two want the same hosts in different roles.
 *
 * Time: a time limit may be over at any moment (LIMITS of them in all), except
 * for the left anchor's wait for the last packets, which is longer than these
 * are under way. What is repeated, and who asks, is only so when nothing is on
 * its way any more: a second message that meets the first is a duplicate.
 *
 * Not modelled, for a module or an NF answers within the same step:
 *   locking installing exporting committing
 * and because the lock and its end are one with what comes after:
 *   held
 *
 * The left anchor's module may let go what it holds (a time limit), and its agent
 * hear of that later. What the right one's lets go before its promise is an abort
 * like any other; afterwards order is given up, and somebody says so.
 *
 * Checked after every step: each direction has one complete path. In the end:
 * nothing is locked, the hosts agree, all packets have come, in order where that
 * is promised. Within ROUNDS rounds of timers, and none if nothing has failed.
 *
 * Each BREAK_... takes one guard away, and must make an error.
 */

#ifndef MIGRATIONS
#define MIGRATIONS 1
#endif
#ifndef GUARANTEE
#define GUARANTEE 0 /* 0: loss-free, 1: ordered, 2: substream */
#endif
#ifndef PACKETS
#define PACKETS 0 /* in each direction, between the anchors of migration 0 */
#endif
#ifndef LOSSES
#define LOSSES 0
#endif
#ifndef DUPLICATES
#define DUPLICATES 0
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef LIMITS
#define LIMITS 0
#endif
/* With REFUSALS the right anchor may reject by policy. */
#ifndef ROUNDS
#define ROUNDS 6
#endif

#define HOLDS (GUARANTEE > 0)
#define STREAM (GUARANTEE == 2)

mtype = {
	none, waiting, ready, establishing, draining, joining, prepared, switched,
	handing, drained, closing, aborting, telling, over
};

/* A message and who is to have it: the bit in net[]. */
#define REQUEST_OLD 0
#define REQUEST_RIGHT 1
#define APPROVE_OLD 2
#define APPROVE_LEFT 3
#define REJECT_OLD 4
#define REJECT_LEFT 5
#define CANCEL_OLD 6
#define CANCEL_RIGHT 7
#define SYN_NEW 8
#define SYN_RIGHT 9
#define SYNACK_NEW 10
#define SYNACK_LEFT 11
#define ACK_NEW 12
#define ACK_RIGHT 13
#define REFUSE_LEFT 14
#define FINACK_LEFT 15
#define STATE_NEW 16
#define STATEACK_OLD 17
#define CLOSE_RIGHT 18
#define CLOSE_NEW 19
#define CLOSE_OLD 20
#define CLOSED_RIGHT 21 /* by the right anchor */
#define CLOSED_NEW 22   /* by the new host */
#define ABORT_RIGHT 23
#define ABORT_NEW 24
#define ABORT_OLD 25
#define ABORTED_RIGHT 26
#define ASK_RIGHT 27 /* by the right anchor; to the left one */
#define ASK_NEW 28
#define ASK_OLD 29
#define ASKR_OLD 30 /* by the old host, to the right anchor */

int net[2];

/* Agents: what they forget when they crash. */
mtype left[2] = none, old[2] = none, right[2] = none, new[2] = none;
bit agreed[2], agreedNew[2]; /* has a SYNACK */
bit confirmed[2];            /* has a FINACK */
bit closedRight[2], closedNew[2];
bit imported[2];
byte memory[8]; /* by 4 m + role: 0 unknown, 1 committed, 2 aborted */
#define LEFT 0
#define OLD 1
#define RIGHT 2
#define NEW 3
bit down[6];

/* Modules. */
byte record[6]; /* m + 1, or 0 */
bit holdsLeft[2], holdsRight[2];       /* an anchor's packets are held */
bit letGo[2];                          /* the left one's module has let them go */
bit switchedLeft[2], switchedRight[2]; /* an anchor's packets go on the new path */
bit seenLeft[2];                       /* the left anchor saw the right one's marker */
bit seenRight[2];                      /* the right anchor saw the left one's */
bit seenOldR[2], seenOldL[2];          /* the old host saw the one that goes right, left */
bit ackedLeft[2], ackedRight[2];       /* AckReached was told */
#define QUIET_RIGHT (seenRight[m] && (!STREAM || ackedRight[m]))
#define NOBODY 9
byte toRight[6] = NOBODY, toLeft[6] = NOBODY;
byte fromLeft[6], fromRight[6]; /* bits of hosts whose packets are accepted */

#define hLeft (m)
#define hOld (m + 1)
#define hRight (m + 2)
#define hNew (m + 4)
#define bit_(h) (1 << (h))

/* Wires between the anchors, in order. */
#define MARKER 9
#define ACK_OF 10 /* added to the number of a packet */
chan oldLO[2] = [6] of { byte };
chan oldOR[2] = [6] of { byte };
chan oldRO[2] = [6] of { byte };
chan oldOL[2] = [6] of { byte };
#if PACKETS > 0
chan newLN = [6] of { byte };
chan newNR = [6] of { byte };
chan newRN = [6] of { byte };
chan newNL = [6] of { byte };
byte sentR, sentL;           /* the last packet that came to an anchor */
byte passedR, passedL;       /* the last one that it let go */
byte gotR, gotL;             /* the last one that came out at the other anchor */
byte ackR, ackL;             /* the last one acknowledged */
byte heldAckR, heldAckL;     /* an acknowledgement that waits: at the right anchor that has promised, or for BREAK_HOLD_ACKS */
byte beyondR, beyondL;       /* checkpoints */
bit used;                    /* the right anchor, or the new host, had one from the left on the new path */
bit stateThere;              /* the new NF has the old one's state, whatever its agent remembers */
bit copied, spoiled;         /* the old NF's state; and a packet came after that */
bit released;                /* order was given up */
#endif

byte losses, duplicates, crashes, limits, rounds;
#define FAULTY (losses + crashes + limits > 0)

hidden byte at, steps, next;

/* Fails, in any state, unless both directions lead from end to end. */
proctype monitor() {
end:	do
	:: d_step {
		at = 0; steps = 0;
		do
		:: at != 3 && steps < 6 ->
			next = toRight[at];
			if
			:: record[at] > 0 && record[at] - 1 == at && switchedLeft[record[at] - 1] -> next = 3 + record[at]
			:: else
			fi;
			assert(next != NOBODY);
			assert(fromLeft[next] & bit_(at));
			at = next; steps++
		:: else -> break
		od;
		assert(at == 3);
		steps = 0;
		do
		:: at != 0 && steps < 6 ->
			next = toLeft[at];
			if
			:: record[at] > 0 && record[at] + 1 == at && switchedRight[record[at] - 1] -> next = 3 + record[at]
			:: else
			fi;
			assert(next != NOBODY);
			assert(fromRight[next] & bit_(at));
			at = next; steps++
		:: else -> break
		od;
		assert(at == 0);
		at = 0; steps = 0; next = 0
	}
	od
}

#define GOT(x) (net[m] & (1 << (x)))

/* What the network loses it loses at once. */
inline send(x) {
	if
	:: net[m] = net[m] | (1 << (x))
	:: losses < LOSSES -> losses++
	fi
}

/* Takes a message off the network, unless it is there twice. */
inline take(x) {
	if
	:: net[m] = net[m] & ~(1 << (x))
	:: duplicates < DUPLICATES -> duplicates++
	fi
}

inline put(c, x) {
	if
	:: nfull(c) -> c!x
	:: full(c) && x == MARKER
	:: losses < LOSSES && x == MARKER -> losses++
	fi
}

/* The order of Unlock. */
inline unlock(h) {
	if
	:: record[h] == m + 1 -> record[h] = 0
	:: else
	fi
}

inline remember(role, outcome) {
	if
	:: memory[4 * m + role] == 0 -> memory[4 * m + role] = outcome
	:: else
	fi
}
#define FORGOT(role) (memory[4 * m + (role)] == 0)

/* Packets: what an anchor sends into the segment, and what is held. */
inline flushLeft() {
	holdsLeft[m] = 0;
#if PACKETS > 0
	do
	:: m == 0 && passedR < sentR ->
		passedR++;
		if
		:: switchedLeft[0] -> newLN!passedR
		:: else -> oldLO[0]!passedR
		fi
	:: else -> break
	od;
	if
	:: m == 0 && heldAckR > 0 ->
		if
		:: switchedLeft[0] -> newLN!(ACK_OF + heldAckR)
		:: else -> oldLO[0]!(ACK_OF + heldAckR)
		fi;
		heldAckR = 0
	:: else
	fi
#endif
}

inline flushRight() {
	holdsRight[m] = 0;
#if PACKETS > 0
	do
	:: m == 0 && passedL < sentL ->
		passedL++;
		if
		:: switchedRight[0] -> newRN!passedL
		:: else -> oldRO[0]!passedL
		fi
	:: else -> break
	od;
	if
	:: m == 0 && heldAckL > 0 ->
		if
		:: switchedRight[0] -> newRN!(ACK_OF + heldAckL)
		:: else -> oldRO[0]!(ACK_OF + heldAckL)
		fi;
		heldAckL = 0
	:: else
	fi
#endif
}

/* The left anchor's orders. */
inline abort() {
	if
	:: holdsLeft[m] -> flushLeft()
	:: else
	fi;
	remember(LEFT, 2);
	left[m] = aborting; send(ABORT_RIGHT);
#ifdef BREAK_FORGET_BEFORE_ABORTED
	gaveUpNew();
#endif
}

inline gaveUpNew() {
	fromRight[hLeft] = fromRight[hLeft] & ~bit_(hNew);
	unlock(hLeft);
	send(ABORT_NEW); send(ABORT_OLD);
	left[m] = telling
}

inline decide() {
	if
#ifdef BREAK_COMMIT_BEFORE_MARKER
	:: left[m] == establishing && agreed[m] ->
#else
	:: left[m] == establishing && agreed[m] && (!HOLDS || seenLeft[m]) ->
#endif
		if
#ifndef BREAK_COMMIT_AFTER_OVERFLOW
		:: letGo[m] -> abort()
#endif
		:: else -> commit()
		fi
	:: else
	fi
}

inline commit() {
	switchedLeft[m] = 1;
#if PACKETS > 0
	assert(m != 0 || !copied || !spoiled || released);
#endif
	flushLeft();
	if
	:: !HOLDS -> put(oldLO[m], MARKER)
	:: else
	fi;
	remember(LEFT, 1);
	send(ACK_NEW);
	left[m] = draining
}

inline drain() {
	if
	:: left[m] == draining && confirmed[m] && seenLeft[m] -> closeNew()
	:: else
	fi
}

inline closeNew() {
	left[m] = closing;
	send(CLOSE_RIGHT); send(CLOSE_NEW);
#ifdef BREAK_FORGET_BEFORE_CLOSED
	closedRight[m] = 1; closedNew[m] = 1; gaveUpOld();
#endif
}

inline gaveUpOld() {
	if
	:: left[m] == closing && closedRight[m] && closedNew[m] ->
		toRight[hLeft] = hNew;
		switchedLeft[m] = 0;
		fromRight[hLeft] = fromRight[hLeft] & ~bit_(hOld);
		unlock(hLeft);
		send(CLOSE_OLD);
		left[m] = telling
	:: else
	fi
}

/* What a host says of a migration that it has no part in. */
inline recall(role, close_, abort_) {
	remember(role, 2);
	if
	:: memory[4 * m + role] == 1 -> send(close_)
#ifdef BREAK_PRESUME_COMMIT
	:: else -> send(close_)
#else
	:: else -> send(abort_)
#endif
	fi
}

/* The right anchor's. */
inline markRight() {
	if
	:: STREAM /* when it promises */
	:: else -> put(oldRO[m], MARKER)
	fi
}

inline markLeft() {
	if
	:: STREAM && !ackedLeft[m]
	:: else -> put(oldLO[m], MARKER)
	fi
}

inline promise() {
	if
#ifdef BREAK_PROMISE_BEFORE_MARKER
	:: right[m] == draining ->
#else
	:: right[m] == draining && QUIET_RIGHT ->
#endif
		right[m] = prepared;
		if
		:: STREAM -> put(oldRO[m], MARKER)
		:: else
		fi;
		send(SYNACK_NEW)
	:: else
	fi
}

inline back() {
	switchedRight[m] = 0;
	flushRight();
	fromLeft[hRight] = fromLeft[hRight] & ~bit_(hNew);
	unlock(hRight);
	remember(RIGHT, 2);
	right[m] = over
}

inline know() {
	if
	:: HOLDS -> switchedRight[m] = 1; flushRight()
	:: else
	fi;
	right[m] = switched;
	if
	:: seenRight[m] -> send(FINACK_LEFT)
	:: else
	fi
}

inline closeRight() {
	toLeft[hRight] = hNew;
	switchedRight[m] = 0;
	fromLeft[hRight] = fromLeft[hRight] & ~bit_(hOld);
	unlock(hRight);
	remember(RIGHT, 1);
	right[m] = over;
	send(CLOSED_RIGHT)
}

/* The old host's. */
inline leaveOld() {
	toRight[hOld] = NOBODY; toLeft[hOld] = NOBODY;
	fromLeft[hOld] = 0; fromRight[hOld] = 0;
	unlock(hOld);
	remember(OLD, 1);
	old[m] = over
}

inline stayOld() {
	unlock(hOld);
	remember(OLD, 2);
	old[m] = over
}

/* Both markers have come by. */
inline emptyOld() {
	if
	:: old[m] == ready && seenOldR[m] && seenOldL[m] ->
		if
#ifndef BREAK_OLD_LEAVES_EARLY
		:: HOLDS ->
#if PACKETS > 0
			copied = 1;
#endif
			old[m] = handing; send(STATE_NEW)
		:: else -> old[m] = drained /* and knows of the commit */
#else
		:: leaveOld()
#endif
		fi
	:: else
	fi
}

/* The new host's. */
inline agree() {
	if
#ifdef BREAK_AGREE_BEFORE_STATE
	:: new[m] == joining && agreedNew[m] ->
#else
	:: new[m] == joining && agreedNew[m] && (!HOLDS || imported[m]) ->
#endif
		new[m] = prepared; send(SYNACK_LEFT)
	:: else
	fi
}

inline leaveNew() {
	toRight[hNew] = NOBODY; toLeft[hNew] = NOBODY;
	fromLeft[hNew] = 0; fromRight[hNew] = 0;
	unlock(hNew);
	remember(NEW, 2);
	new[m] = over
}

#if PACKETS > 0
/* Which path packets of an anchor take. */
#define leftUsesNew (switchedLeft[0] || toRight[0] == 4)
#define rightUsesNew (switchedRight[0] || toLeft[2] == 4)

inline ackLeftward(x) {
	if
	:: STREAM ->
#ifdef BREAK_HOLD_ACKS
		if
		:: holdsRight[0] -> heldAckL = x
		:: else -> sendAckLeftward(x)
		fi
#elif defined(BREAK_ACKS_BY_OLD)
		sendAckLeftward(x)
#else
		if
		:: holdsRight[0] && right[0] == prepared -> heldAckL = x
		:: else -> sendAckLeftward(x)
		fi
#endif
	:: else
	fi
}
inline sendAckLeftward(x) {
	if
	:: rightUsesNew -> put(newRN, ACK_OF + x)
	:: else -> assert(!used || released); put(oldRO[0], ACK_OF + x)
	fi
}
inline ackRightward(x) {
	if
	:: STREAM ->
#ifdef BREAK_HOLD_ACKS
		if
		:: holdsLeft[0] -> heldAckR = x
		:: else -> sendAckRightward(x)
		fi
#else
		sendAckRightward(x)
#endif
	:: else
	fi
}
inline sendAckRightward(x) {
	if
	:: leftUsesNew -> put(newLN, ACK_OF + x)
	:: else -> put(oldLO[0], ACK_OF + x)
	fi
}

/* A packet comes out at the right anchor, at the left one; an acknowledgement of
 * what went right, left, at the anchor that let it go. */
inline arriveRight(x) {
	assert(!HOLDS || released || x == gotR + 1);
	gotR++;
	ackLeftward(gotR)
}
inline arriveLeft(x) {
	assert(!HOLDS || released || x == gotL + 1);
	gotL++;
	ackRightward(gotL)
}
inline arriveAckR(x) {
	ackR = x - ACK_OF;
	if
	:: holdsLeft[0] && !ackedLeft[0] && ackR >= beyondR -> ackedLeft[0] = 1; put(oldLO[0], MARKER)
	:: else
	fi
}
inline arriveAckL(x) {
	ackL = x - ACK_OF;
	if
	:: holdsRight[0] && !ackedRight[0] && ackL >= beyondL -> ackedRight[0] = 1
	:: else
	fi
}

proctype traffic() {
	byte x;
end:	do
	:: atomic { sentR < PACKETS -> sentR++;
		if
		:: holdsLeft[0]
		:: else -> passedR = sentR;
			if
			:: leftUsesNew -> newLN!sentR
			:: else -> oldLO[0]!sentR
			fi
		fi }
	:: atomic { sentL < PACKETS -> sentL++;
		if
		:: holdsRight[0]
		:: else -> passedL = sentL;
			if
			:: rightUsesNew -> newRN!sentL
			:: else -> oldRO[0]!sentL
			fi
		fi }
	:: atomic { newLN?x -> used = 1; assert(!HOLDS || stateThere || released); newNR!x }
	:: atomic { newRN?x -> assert(!HOLDS || stateThere || released); newNL!x }
	:: atomic { newNR?x -> used = 1;
		if
		:: x < MARKER -> arriveRight(x)
		:: else -> arriveAckL(x)
		fi }
	:: atomic { newNL?x ->
		if
		:: x < MARKER -> arriveLeft(x)
		:: else -> arriveAckR(x)
		fi }
	od
}
#endif

proctype migration(byte m) {
	byte x;
end:	do
	/* The left anchor. */
	:: atomic { left[m] == none && !down[hLeft] ->
		if
#ifdef BREAK_BUSY
		:: toRight[hLeft] == hOld ->
#else
		:: record[hLeft] == 0 && toRight[hLeft] == hOld ->
#endif
			record[hLeft] = m + 1; left[m] = waiting; send(REQUEST_OLD)
		:: else -> remember(LEFT, 2); left[m] = over
		fi }
	:: atomic { GOT(APPROVE_LEFT) && !down[hLeft] -> take(APPROVE_LEFT);
		if
		:: left[m] == waiting ->
			fromRight[hLeft] = fromRight[hLeft] | bit_(hNew);
			left[m] = establishing;
			if
			:: HOLDS ->
				holdsLeft[m] = 1;
#if PACKETS > 0
				beyondR = passedR; ackedLeft[m] = (ackR >= beyondR);
#endif
				markLeft()
			:: else
			fi;
#ifdef BREAK_SWITCH_BEFORE_SYNACK
			switchedLeft[m] = 1;
#endif
			send(SYN_NEW)
		:: else
		fi }
	:: atomic { GOT(REJECT_LEFT) && !down[hLeft] -> take(REJECT_LEFT);
		if
		:: left[m] == waiting ->
#ifndef BREAK_REJECTED_KEEPS_LOCK
			unlock(hLeft);
#endif
			remember(LEFT, 2);
			left[m] = over
		:: else
		fi }
	:: atomic { left[m] == waiting && limits < LIMITS && !down[hLeft] -> limits++;
		unlock(hLeft); remember(LEFT, 2); left[m] = over; send(CANCEL_OLD) }
	:: atomic { left[m] == establishing && limits < LIMITS && !down[hLeft] -> limits++; abort() }
#if PACKETS > 0
	:: atomic { holdsLeft[m] && !letGo[m] && limits < LIMITS -> limits++;
		letGo[m] = 1; flushLeft() }
	:: atomic { left[m] == establishing && letGo[m] && !down[hLeft] -> abort() }
#endif
	:: atomic { GOT(REFUSE_LEFT) && !down[hLeft] -> take(REFUSE_LEFT);
		if
		:: left[m] == establishing -> abort()
		:: else
		fi }
	:: atomic { GOT(SYNACK_LEFT) && !down[hLeft] -> take(SYNACK_LEFT);
		if
		:: left[m] == establishing -> agreed[m] = 1; decide()
		:: else
		fi }
	:: atomic { GOT(FINACK_LEFT) && !down[hLeft] -> take(FINACK_LEFT);
		if
		:: left[m] == draining -> confirmed[m] = 1; drain()
		:: else
		fi }
	:: atomic { GOT(CLOSED_RIGHT) && !down[hLeft] -> take(CLOSED_RIGHT);
		if
		:: left[m] == closing -> closedRight[m] = 1; gaveUpOld()
		:: else
		fi }
	:: atomic { GOT(CLOSED_NEW) && !down[hLeft] -> take(CLOSED_NEW);
		if
		:: left[m] == closing -> closedNew[m] = 1; gaveUpOld()
		:: else
		fi }
	:: atomic { GOT(ABORTED_RIGHT) && !down[hLeft] -> take(ABORTED_RIGHT);
		if
		:: left[m] == aborting -> gaveUpNew()
		:: else
		fi }
	:: atomic { GOT(ASK_RIGHT) && !down[hLeft] -> take(ASK_RIGHT);
		if
		:: left[m] == draining -> send(ACK_RIGHT)
		:: left[m] == closing -> send(CLOSE_RIGHT)
		:: left[m] == aborting -> send(ABORT_RIGHT)
		:: left[m] == telling || left[m] == over -> recall(LEFT, CLOSE_RIGHT, ABORT_RIGHT)
		:: else
		fi }
	:: atomic { GOT(ASK_NEW) && !down[hLeft] -> take(ASK_NEW);
		if
		:: left[m] == draining -> send(ACK_NEW)
		:: left[m] == closing -> send(CLOSE_NEW)
		:: left[m] == telling || left[m] == over -> recall(LEFT, CLOSE_NEW, ABORT_NEW)
		:: else
		fi }
	:: atomic { GOT(ASK_OLD) && !down[hLeft] -> take(ASK_OLD);
		if
		:: left[m] == telling || left[m] == over -> recall(LEFT, CLOSE_OLD, ABORT_OLD)
		:: else
		fi }

	/* The old host. */
	:: atomic { GOT(REQUEST_OLD) && !down[hOld] -> take(REQUEST_OLD);
		if
		:: old[m] == none && FORGOT(OLD) ->
			if
#ifdef BREAK_BUSY
			:: toLeft[hOld] == hLeft && toRight[hOld] == hRight ->
#else
			:: record[hOld] == 0 && toLeft[hOld] == hLeft && toRight[hOld] == hRight ->
#endif
				record[hOld] = m + 1; old[m] = waiting; send(REQUEST_RIGHT)
			:: else -> remember(OLD, 2); old[m] = over; send(REJECT_LEFT)
			fi
		:: else
		fi }
	:: atomic { GOT(APPROVE_OLD) && !down[hOld] -> take(APPROVE_OLD);
		if
		:: old[m] == waiting -> old[m] = ready; send(APPROVE_LEFT)
		:: else
		fi }
	:: atomic { GOT(REJECT_OLD) && !down[hOld] -> take(REJECT_OLD);
		if
		:: old[m] == waiting ->
#ifdef BREAK_REJECT_PASSED_LOCKED
			old[m] = over; remember(OLD, 2);
#else
			stayOld();
#endif
			send(REJECT_LEFT)
		:: else
		fi }
	:: atomic { GOT(CANCEL_OLD) && !down[hOld] -> take(CANCEL_OLD);
		if
		:: old[m] == waiting || old[m] == ready -> stayOld(); send(CANCEL_RIGHT)
		:: old[m] == none -> remember(OLD, 2)
		:: else
		fi }
	:: atomic { old[m] == waiting && limits < LIMITS && !down[hOld] -> limits++;
		stayOld(); send(REJECT_LEFT); send(CANCEL_RIGHT) }
	:: atomic { old[m] == ready && seenOldR[m] && seenOldL[m] && !down[hOld] -> emptyOld() }
	:: atomic { GOT(STATEACK_OLD) && !down[hOld] -> take(STATEACK_OLD);
		if
		:: old[m] == handing -> old[m] = drained
		:: else
		fi }
	:: atomic { GOT(ABORT_OLD) && !down[hOld] -> take(ABORT_OLD);
		if
		:: old[m] == drained && !HOLDS -> leaveOld()
		:: old[m] == ready || old[m] == handing || old[m] == drained && HOLDS -> stayOld()
		:: old[m] == waiting -> stayOld(); send(CANCEL_RIGHT)
		:: old[m] == none -> remember(OLD, 2)
		:: else
		fi }
	:: atomic { GOT(CLOSE_OLD) && !down[hOld] -> take(CLOSE_OLD);
		if
		:: old[m] == ready || old[m] == handing || old[m] == drained -> leaveOld()
		:: else
		fi }

	/* The right anchor. */
	:: atomic { GOT(REQUEST_RIGHT) && !down[hRight] -> take(REQUEST_RIGHT);
		if
		:: right[m] == none && FORGOT(RIGHT) ->
			if
#ifdef BREAK_BUSY
			:: toLeft[hRight] == hOld ->
#else
			:: record[hRight] == 0 && toLeft[hRight] == hOld ->
#endif
				record[hRight] = m + 1; right[m] = ready; send(APPROVE_OLD)
#ifdef REFUSALS
			:: record[hRight] == 0 -> remember(RIGHT, 2); right[m] = over; send(REJECT_OLD) /* by policy */
#endif
			:: else -> remember(RIGHT, 2); right[m] = over; send(REJECT_OLD)
			fi
		:: else
		fi }
	:: atomic { GOT(CANCEL_RIGHT) && !down[hRight] -> take(CANCEL_RIGHT);
		if
		:: right[m] == ready -> unlock(hRight); remember(RIGHT, 2); right[m] = over
		:: right[m] == none -> remember(RIGHT, 2)
		:: else
		fi }
	:: atomic { right[m] == ready && limits < LIMITS && !down[hRight] -> limits++;
		unlock(hRight); remember(RIGHT, 2); right[m] = over }
	:: atomic { GOT(SYN_RIGHT) && !down[hRight] -> take(SYN_RIGHT);
		if
#ifdef BREAK_SYN_UNCHECKED
		:: right[m] == ready || right[m] == none || right[m] == over ->
#else
		:: right[m] == ready ->
#endif
			fromLeft[hRight] = fromLeft[hRight] | bit_(hNew);
			if
			:: HOLDS ->
				holdsRight[m] = 1;
#if PACKETS > 0
				beyondL = passedL; ackedRight[m] = (ackL >= beyondL);
#endif
				markRight();
				right[m] = draining;
				promise()
			:: else ->
				switchedRight[m] = 1;
				put(oldRO[m], MARKER);
				right[m] = prepared;
				send(SYNACK_NEW)
			fi
		:: right[m] == prepared -> send(SYNACK_NEW)
		:: else ->
			if
			:: right[m] == none || right[m] == over -> remember(RIGHT, 2); send(REFUSE_LEFT)
			:: else
			fi
		fi }
	:: atomic { right[m] == draining && QUIET_RIGHT && !down[hRight] -> promise() }
	:: atomic { right[m] == draining && limits < LIMITS && !down[hRight] -> limits++;
		back(); send(REFUSE_LEFT) }
#ifdef BREAK_RIGHT_LEAVES_PREPARED
	:: atomic { right[m] == prepared && limits < LIMITS && !down[hRight] -> limits++;
		back(); send(REFUSE_LEFT) }
#endif
#if PACKETS > 0
	:: atomic { m == 0 && right[m] == prepared && holdsRight[m] && limits < LIMITS && !down[hRight] -> limits++;
		released = 1; flushRight() }
	:: atomic { m == 0 && right[m] == prepared && used && !down[hRight] -> know() }
#endif
	:: atomic { GOT(ACK_RIGHT) && !down[hRight] -> take(ACK_RIGHT);
		if
		:: right[m] == prepared -> know()
		:: right[m] == switched && seenRight[m] -> send(FINACK_LEFT)
		:: else
		fi }
	:: atomic { right[m] == prepared && !HOLDS && seenRight[m] && !down[hRight] -> know() }
	:: atomic { GOT(CLOSE_RIGHT) && !down[hRight] -> take(CLOSE_RIGHT);
		if
		:: right[m] == prepared -> know(); closeRight()
		:: right[m] == switched -> closeRight()
		:: right[m] == none || right[m] == over -> send(CLOSED_RIGHT)
		:: else
		fi }
	:: atomic { GOT(ABORT_RIGHT) && !down[hRight] -> take(ABORT_RIGHT);
		if
		:: right[m] == ready -> unlock(hRight); remember(RIGHT, 2); right[m] = over; send(ABORTED_RIGHT)
		:: right[m] == draining || right[m] == prepared -> back(); send(ABORTED_RIGHT)
		:: right[m] == none || right[m] == over -> remember(RIGHT, 2); send(ABORTED_RIGHT)
		:: else
		fi }
	:: atomic { GOT(ASKR_OLD) && !down[hRight] -> take(ASKR_OLD);
		if
		:: right[m] == none || right[m] == over -> recall(RIGHT, CLOSE_OLD, ABORT_OLD)
		:: else
		fi }

	/* The new host. */
	:: atomic { GOT(SYN_NEW) && !down[hNew] -> take(SYN_NEW);
		if
		:: new[m] == none && FORGOT(NEW) ->
			if
			:: record[hNew] == 0 && toRight[hNew] == NOBODY ->
				record[hNew] = m + 1;
				toRight[hNew] = hRight; toLeft[hNew] = hLeft;
				fromLeft[hNew] = bit_(hLeft); fromRight[hNew] = bit_(hRight);
				new[m] = joining; send(SYN_RIGHT)
			:: else -> remember(NEW, 2); new[m] = over; send(REFUSE_LEFT)
			fi
		:: new[m] == joining -> send(SYN_RIGHT)
		:: new[m] == prepared -> send(SYNACK_LEFT)
		:: else
		fi }
#ifdef BREAK_NEW_LEAVES
	:: atomic { new[m] == joining && limits < LIMITS && !down[hNew] -> limits++;
		leaveNew(); send(REFUSE_LEFT) }
#endif
	:: atomic { GOT(SYNACK_NEW) && !down[hNew] -> take(SYNACK_NEW); agreedNew[m] = 1; agree() }
	:: atomic { GOT(STATE_NEW) && !down[hNew] -> take(STATE_NEW);
		if
		:: new[m] == joining -> imported[m] = 1;
#if PACKETS > 0
			stateThere = 1;
#endif
			send(STATEACK_OLD); agree()
		:: imported[m] -> send(STATEACK_OLD)
		:: else
		fi }
	:: atomic { GOT(ACK_NEW) && !down[hNew] -> take(ACK_NEW);
		if
		:: new[m] == joining || new[m] == prepared || new[m] == switched -> new[m] = switched; send(ACK_RIGHT)
		:: else
		fi }
	:: atomic { GOT(CLOSE_NEW) && !down[hNew] -> take(CLOSE_NEW);
		if
		:: new[m] == joining || new[m] == prepared || new[m] == switched ->
			unlock(hNew); remember(NEW, 1); new[m] = over; send(CLOSED_NEW)
		:: new[m] == none || new[m] == over -> send(CLOSED_NEW)
		fi }
	:: atomic { GOT(ABORT_NEW) && !down[hNew] -> take(ABORT_NEW);
		if
		:: new[m] == joining || new[m] == prepared -> leaveNew()
		:: new[m] == none || new[m] == over -> remember(NEW, 2)
		:: else
		fi }

	/* Modules: what comes along the old path. */
	:: atomic { oldLO[m]?x ->
		if
		:: x == MARKER && record[hOld] == m + 1 -> seenOldR[m] = 1
		:: else
		fi;
#if PACKETS > 0
		if
		:: x < MARKER && copied -> spoiled = 1; assert(released || left[0] != draining)
		:: else
		fi;
#endif
		put(oldOR[m], x) }
	:: atomic { oldRO[m]?x ->
		if
		:: x == MARKER && record[hOld] == m + 1 -> seenOldL[m] = 1
		:: else
		fi;
#if PACKETS > 0
		if
		:: x < MARKER && copied -> spoiled = 1; assert(released || left[0] != draining)
		:: else
		fi;
#endif
		put(oldOL[m], x) }
	:: atomic { oldOR[m]?x ->
		if
		:: x == MARKER ->
			if
			:: record[hRight] == m + 1 -> seenRight[m] = 1
			:: else
			fi;
			if
			:: right[m] == switched && !down[hRight] -> send(FINACK_LEFT)
			:: else
			fi
#if PACKETS > 0
		:: x < MARKER -> arriveRight(x)
		:: x > MARKER -> arriveAckL(x)
#endif
		fi }
	:: atomic { oldOL[m]?x ->
		if
		:: x == MARKER ->
			if
			:: record[hLeft] == m + 1 -> seenLeft[m] = 1
			:: else
			fi;
			if
			:: !down[hLeft] -> decide(); drain()
			:: else
			fi
#if PACKETS > 0
		:: x < MARKER -> arriveLeft(x)
		:: x > MARKER -> arriveAckR(x)
#endif
		fi }

	od
}

/* Messages for a host's agent: they die with the connections that it had. */
#define FOR_LEFT (1 << APPROVE_LEFT | 1 << REJECT_LEFT | 1 << SYNACK_LEFT | 1 << REFUSE_LEFT | 1 << FINACK_LEFT | \
	1 << CLOSED_RIGHT | 1 << CLOSED_NEW | 1 << ABORTED_RIGHT | 1 << ASK_RIGHT | 1 << ASK_NEW | 1 << ASK_OLD)
#define FOR_OLD (1 << REQUEST_OLD | 1 << APPROVE_OLD | 1 << REJECT_OLD | 1 << CANCEL_OLD | 1 << STATEACK_OLD | \
	1 << CLOSE_OLD | 1 << ABORT_OLD)
#define FOR_RIGHT (1 << REQUEST_RIGHT | 1 << CANCEL_RIGHT | 1 << SYN_RIGHT | 1 << ACK_RIGHT | 1 << CLOSE_RIGHT | \
	1 << ABORT_RIGHT | 1 << ASKR_OLD)
#define FOR_NEW (1 << SYN_NEW | 1 << SYNACK_NEW | 1 << ACK_NEW | 1 << STATE_NEW | 1 << CLOSE_NEW | 1 << ABORT_NEW)

/* An agent begins again, with what its module has. */
inline restore() {
	if
	:: hLeft == h && left[m] != none ->
		net[m] = net[m] & ~(FOR_LEFT);
		memory[4 * m + LEFT] = 0;
		agreed[m] = 0; confirmed[m] = 0; closedRight[m] = 0; closedNew[m] = 0;
		if
		:: record[h] != m + 1 -> left[m] = over
		:: record[h] == m + 1 && switchedLeft[m] ->
			remember(LEFT, 1);
			left[m] = draining; send(ACK_NEW); put(oldLO[m], MARKER)
		:: else -> abort()
		fi
	:: else
	fi;
	if
	:: hOld == h ->
		net[m] = net[m] & ~(FOR_OLD);
		memory[4 * m + OLD] = 0;
		if
		:: record[h] == m + 1 -> old[m] = ready
		:: else -> old[m] = none
		fi
	:: else
	fi;
	if
	:: hRight == h ->
		net[m] = net[m] & ~(FOR_RIGHT);
		memory[4 * m + RIGHT] = 0;
		if
		:: record[h] != m + 1 -> right[m] = none
		:: record[h] == m + 1 && !(fromLeft[h] & bit_(hNew)) -> right[m] = ready
		:: record[h] == m + 1 && (fromLeft[h] & bit_(hNew)) && !HOLDS ->
			switchedRight[m] = 1; put(oldRO[m], MARKER); right[m] = prepared
		:: record[h] == m + 1 && (fromLeft[h] & bit_(hNew)) && HOLDS ->
			if
			:: switchedRight[m] -> know()
			:: !switchedRight[m] && !seenRight[m] -> holdsRight[m] = 1; markRight(); right[m] = draining
			:: else -> right[m] = prepared
			fi
		fi
	:: else
	fi;
	if
	:: hNew == h ->
		net[m] = net[m] & ~(FOR_NEW);
		memory[4 * m + NEW] = 0;
		agreedNew[m] = 0; imported[m] = 0;
		if
		:: record[h] == m + 1 -> new[m] = joining
		:: else -> new[m] = none
		fi
	:: else
	fi
}

proctype crash() {
	byte h, m;
end:	do
	:: atomic { crashes < CRASHES -> crashes++;
		if
		:: h = 0
		:: h = 1
		:: h = 2
		:: h = 4
#if MIGRATIONS > 1
		:: h = 3
		:: h = 5
#endif
		fi;
		down[h] = 1 }
	:: atomic { down[h] -> down[h] = 0;
		m = 0; restore();
#if MIGRATIONS > 1
		m = 1; restore();
#endif
		m = 0; h = 0 }
	od
}

#define STILL(m) (net[m] == 0 && empty(oldLO[m]) && empty(oldOR[m]) && empty(oldRO[m]) && empty(oldOL[m]) && \
	left[m] != none && !(left[m] == establishing && letGo[m]) && \
	!(old[m] == ready && seenOldR[m] && seenOldL[m]) && \
	!(right[m] == draining && QUIET_RIGHT) && \
	!(right[m] == prepared && !HOLDS && seenRight[m]))
#define ENDED(m) ((left[m] == over || left[m] == telling) && (old[m] == none || old[m] == over) && \
	(right[m] == none || right[m] == over) && (new[m] == none || new[m] == over))
#if PACKETS > 0
#define EMPTY (empty(newLN) && empty(newNR) && empty(newRN) && empty(newNL) && \
	sentR == PACKETS && sentL == PACKETS && !(right[0] == prepared && used))
#else
#define EMPTY 1
#endif
#define ALL_UP (!down[0] && !down[1] && !down[2] && !down[3] && !down[4] && !down[5])
#define QUIET (ALL_UP && STILL(0) && STILL(1) && EMPTY)

/* What is repeated and asked when nothing has come for a while. */
inline remind() {
	if
	:: left[m] == waiting -> unlock(hLeft); remember(LEFT, 2); left[m] = over; send(CANCEL_OLD)
	:: left[m] == establishing && rounds < 2 -> send(SYN_NEW);
		if
		:: HOLDS -> markLeft()
		:: else
		fi
	:: left[m] == establishing -> abort()
	:: left[m] == draining && rounds < 2 -> send(ACK_NEW); put(oldLO[m], MARKER)
	:: left[m] == draining -> closeNew()
	:: left[m] == closing ->
		if
		:: !closedRight[m] -> send(CLOSE_RIGHT)
		:: else
		fi;
		if
		:: !closedNew[m] -> send(CLOSE_NEW)
		:: else
		fi
	:: left[m] == aborting -> send(ABORT_RIGHT)
	:: left[m] == telling || left[m] == over
	fi;
	if
	:: old[m] == waiting -> stayOld(); send(REJECT_LEFT); send(CANCEL_RIGHT)
#ifndef BREAK_NOBODY_ASKS
	:: old[m] == ready || old[m] == drained -> send(ASK_OLD); send(ASKR_OLD)
	:: old[m] == handing -> send(ASK_OLD); send(ASKR_OLD); send(STATE_NEW)
#endif
	:: else
	fi;
	if
	:: right[m] == draining && rounds < 2 -> markRight()
	:: right[m] == draining -> back(); send(REFUSE_LEFT)
#ifndef BREAK_NOBODY_ASKS
	:: right[m] == ready -> send(ASK_RIGHT)
	:: right[m] == prepared || right[m] == switched -> send(ASK_RIGHT); markRight()
#endif
	:: else
	fi;
	if
#ifndef BREAK_NOBODY_ASKS
	:: new[m] == joining || new[m] == prepared || new[m] == switched -> send(ASK_NEW)
#endif
	:: else
	fi
}

proctype timers() {
	byte m;
	do
	:: atomic { QUIET && !(ENDED(0) && ENDED(1)) ->
		assert(FAULTY);
		rounds++;
		assert(rounds <= ROUNDS);
		m = 0; remind();
#if MIGRATIONS > 1
		m = 1; remind();
#endif
		m = 0 }
	:: atomic { QUIET && ENDED(0) && ENDED(1) ->
		assert(record[0] == 0 && record[1] == 0 && record[2] == 0);
		assert(record[3] == 0 && record[4] == 0 && record[5] == 0);
		assert(memory[LEFT] != 1 || toRight[0] == 4);
		assert(memory[4 + LEFT] != 1 || toRight[1] == 5);
#if PACKETS > 0
		assert(gotR == PACKETS && gotL == PACKETS);
#endif
		break }
	od
}

init {
	atomic {
		toRight[0] = 1; toRight[1] = 2; toRight[2] = 3;
		toLeft[1] = 0; toLeft[2] = 1; toLeft[3] = 2;
		fromLeft[1] = bit_(0); fromLeft[2] = bit_(1); fromLeft[3] = bit_(2);
		fromRight[0] = bit_(1); fromRight[1] = bit_(2); fromRight[2] = bit_(3);
		run migration(0);
#if MIGRATIONS > 1
		run migration(1);
#else
		left[1] = over;
#endif
#if PACKETS > 0
		run traffic();
#endif
		run monitor();
		run timers();
#if CRASHES > 0
		run crash()
#endif
	}
}
