// SPDX-License-Identifier: GPL-2.0-only
/*
 * Progress of sessions: scripts of segments with the state that each leads to.
 * Every script runs at several distances from the wrap of 2^32.
 */
#include "make.h"
#include "tcp.h"
#include "test.h"

#include <linux/string.h>

#define R MBC_RIGHT
#define L MBC_LEFT
#define S MBC_TCP_SYN_FLAG
#define A MBC_TCP_ACK
#define F MBC_TCP_FIN
#define X MBC_TCP_RST

#define NONE MBC_TCP_NONE
#define SYN MBC_TCP_SYN
#define EST MBC_TCP_ESTABLISHED
#define CLOSING MBC_TCP_CLOSING
#define CLOSED MBC_TCP_CLOSED
#define RESET MBC_TCP_RESET

struct step {
	u8 dir, flags;
	u32 seq, ack, len;
	u8 want;
	bool last;
};

/* The client's SYN has sequence number 0, the server's too. */
#define HANDSHAKE							\
	{ R, S, 0, 0, 0, SYN, false },					\
	{ L, S | A, 0, 1, 0, EST, false },				\
	{ R, A, 1, 1, 0, EST, false }

static const struct script {
	const char *name;
	struct step steps[12];
} scripts[] = {
	{ "a handshake establishes", {
		{ R, S, 0, 0, 0, SYN, false },
		{ L, S | A, 0, 1, 0, EST, false },
		{ R, A, 1, 1, 0, EST, true } } },
	{ "a SYN sent again stays a SYN", {
		{ R, S, 0, 0, 0, SYN, false },
		{ R, S, 0, 0, 0, SYN, true } } },
	{ "Fast Open data does not establish, its SYN-ACK does", {
		{ R, S, 0, 0, 500, SYN, false },
		{ L, S | A, 0, 501, 0, EST, true } } },
	{ "simultaneous open establishes with the SYN-ACK to the left", {
		{ R, S, 0, 0, 0, SYN, false },
		{ L, S, 0, 0, 0, SYN, false },
		{ R, S | A, 0, 1, 0, SYN, false },
		{ L, S | A, 0, 1, 0, EST, true } } },
	{ "an ACK of an older connection does not establish", {
		{ R, S, 0, 0, 0, SYN, false },
		{ L, A, 7000, 9000, 0, SYN, false },
		{ R, X, 9000, 0, 0, RESET, false },
		{ R, S, 0, 0, 0, SYN, false },
		{ L, S | A, 0, 1, 0, EST, true } } },
	{ "the client's ACK establishes if the SYN-ACK was missed", {
		{ R, S, 0, 0, 0, SYN, false },
		{ R, A, 1, 1, 0, EST, true } } },
	{ "data to the right met mid-stream establishes", {
		{ R, A, 5000, 7000, 1448, EST, true } } },
	{ "data to the left met mid-stream establishes", {
		{ L, A, 5000, 7000, 1448, EST, true } } },
	{ "a FIN met mid-stream closes", {
		{ R, F | A, 10, 20, 0, CLOSING, false },
		{ L, F | A, 20, 11, 0, CLOSING, false },
		{ R, A, 11, 21, 0, CLOSED, true } } },
	{ "a refused connection is reset", {
		{ R, S, 0, 0, 0, SYN, false },
		{ L, X | A, 0, 1, 0, RESET, true } } },
	{ "client closes first", {
		HANDSHAKE,
		{ R, F | A, 1, 1, 99, CLOSING, false },
		{ L, A, 1, 101, 0, CLOSING, false },
		{ L, F | A, 1, 101, 0, CLOSING, false },
		{ R, A, 101, 2, 0, CLOSED, true } } },
	{ "server closes first, the answer carries its FIN", {
		HANDSHAKE,
		{ L, F | A, 1, 1, 50, CLOSING, false },
		{ R, F | A, 1, 52, 0, CLOSING, false },
		{ L, A, 52, 2, 0, CLOSED, true } } },
	{ "simultaneous close", {
		HANDSHAKE,
		{ R, F | A, 1, 1, 0, CLOSING, false },
		{ L, F | A, 1, 1, 0, CLOSING, false },
		{ R, A, 2, 2, 0, CLOSING, false },
		{ L, A, 2, 2, 0, CLOSED, true } } },
	{ "a half-closed session stays while data flows", {
		HANDSHAKE,
		{ R, F | A, 1, 1, 0, CLOSING, false },
		{ L, A, 1, 2, 1448, CLOSING, false },
		{ R, A, 2, 1449, 0, CLOSING, false },
		{ L, F | A, 1449, 2, 10, CLOSING, false },
		{ R, A, 2, 1460, 0, CLOSED, true } } },
	{ "an ACK short of the FIN does not count", {
		HANDSHAKE,
		{ R, F | A, 1, 1, 10, CLOSING, false },
		{ L, F | A, 1, 11, 0, CLOSING, false },
		{ R, A, 12, 2, 0, CLOSING, false },
		{ L, A, 2, 12, 0, CLOSED, true } } },
	{ "a FIN sent again changes nothing", {
		HANDSHAKE,
		{ R, F | A, 1, 1, 10, CLOSING, false },
		{ R, F | A, 1, 1, 10, CLOSING, false },
		{ L, F | A, 1, 12, 0, CLOSING, false },
		{ R, F | A, 1, 2, 10, CLOSED, false },
		{ L, A, 2, 12, 0, CLOSED, true } } },
	{ "old data sent again with or without its FIN changes nothing", {
		HANDSHAKE,
		{ R, F | A, 1, 1, 10, CLOSING, false },
		{ R, A, 1, 1, 10, CLOSING, false },
		{ R, F | A, 5, 1, 6, CLOSING, false },
		{ L, F | A, 1, 12, 0, CLOSING, false },
		{ R, A, 12, 2, 0, CLOSED, true } } },
	{ "keepalive probes of a half-closed session change nothing", {
		HANDSHAKE,
		{ R, F | A, 1, 1, 0, CLOSING, false },
		{ L, A, 1, 2, 0, CLOSING, false },
		{ R, A, 1, 1, 0, CLOSING, false },
		{ L, A, 0, 2, 0, CLOSING, true } } },
	{ "a stranger's FIN is forgotten when the stream goes on", {
		HANDSHAKE,
		{ R, F | A, 1, 1, 0, CLOSING, false },
		{ R, A, 1, 1, 1448, EST, true } } },
	{ "two strangers' FINs do not end a session", {
		HANDSHAKE,
		{ R, F | A, 1, 5, 0, CLOSING, false },
		{ L, F | A, 1, 5, 0, CLOSING, false },
		{ R, A, 1, 5, 0, CLOSED, false },
		{ R, A, 1, 1, 1448, CLOSING, false },
		{ L, A, 1, 1449, 1448, EST, true } } },
	{ "the client's own FIN counts after a stranger's", {
		HANDSHAKE,
		{ R, F | A, 90000, 1, 0, CLOSING, false },
		{ R, F | A, 1, 1, 10, CLOSING, false },
		{ L, F | A, 1, 12, 0, CLOSING, false },
		{ R, A, 12, 2, 0, CLOSED, true } } },
	{ "the client's own FIN waits for its own ACK", {
		HANDSHAKE,
		{ R, F | A, 1, 1, 0, CLOSING, false },
		{ L, A, 1, 2, 0, CLOSING, false },
		{ R, F | A, 1, 1, 98, CLOSING, false },
		{ L, F | A, 1, 50, 0, CLOSING, false },
		{ R, A, 100, 2, 0, CLOSING, false },
		{ L, A, 2, 100, 0, CLOSED, true } } },
	{ "RST ends an established session", {
		HANDSHAKE,
		{ L, X, 1, 0, 0, RESET, false },
		{ L, X, 1, 0, 0, RESET, true } } },
	{ "RST is forgotten when the other side goes on", {
		HANDSHAKE,
		{ L, X, 4711, 0, 0, RESET, false },
		{ L, X, 4712, 0, 0, RESET, false },
		{ R, A, 1, 1, 0, EST, true } } },
	{ "RST is forgotten when its sender goes on", {
		HANDSHAKE,
		{ R, X, 1, 0, 0, RESET, false },
		{ R, A, 1, 1, 1448, EST, true } } },
	/* A session whose RST overtook the ACK before it lived on, idle. */
	{ "what its sender sent before RST does not undo it", {
		HANDSHAKE,
		{ R, X, 1001, 0, 0, RESET, false },
		{ R, A, 1001, 1, 0, RESET, false },
		{ R, A, 1, 1, 1000, RESET, false },
		{ R, A, 1001, 1001, 0, RESET, true } } },
	{ "a FIN that RST overtook does not undo it", {
		HANDSHAKE,
		{ R, X, 2, 0, 0, RESET, false },
		{ R, F | A, 1, 1, 0, RESET, false },
		{ L, A, 1, 1, 0, CLOSING, true } } },
	{ "of two sides that reset each other, the newer RST counts", {
		HANDSHAKE,
		{ L, X, 1, 0, 0, RESET, false },
		{ R, X, 1, 0, 0, RESET, false },
		{ R, A, 1, 1, 0, RESET, false },
		{ L, A, 1, 1, 0, EST, true } } },
	{ "a stranger's RST does not refuse a connection", {
		{ R, S, 0, 0, 0, SYN, false },
		{ L, X | A, 4711, 1, 0, RESET, false },
		{ L, S | A, 0, 1, 0, EST, true } } },
	{ "RST amid closing leads back to closing", {
		HANDSHAKE,
		{ R, F | A, 1, 1, 0, CLOSING, false },
		{ L, X, 4711, 0, 0, RESET, false },
		{ R, A, 2, 1, 0, CLOSING, false },
		{ L, F | A, 1, 2, 0, CLOSING, false },
		{ R, A, 2, 2, 0, CLOSED, true } } },
	{ "the segment after RST counts itself", {
		HANDSHAKE,
		{ L, X, 4711, 0, 0, RESET, false },
		{ R, F | A, 1, 1, 0, CLOSING, true } } },
	{ "RST after the end changes nothing", {
		HANDSHAKE,
		{ R, F | A, 1, 1, 0, CLOSING, false },
		{ L, F | A, 1, 2, 0, CLOSING, false },
		{ R, A, 2, 2, 0, CLOSED, false },
		{ R, X, 2, 0, 0, CLOSED, true } } },
	{ "RST with SYN is an RST", {
		HANDSHAKE,
		{ R, X | S, 1, 1, 0, RESET, true } } },
	{ "SYN never leads out of an open session", {
		HANDSHAKE,
		{ R, S, 70000, 0, 0, EST, false },
		{ L, S | A, 0, 1, 0, EST, true } } },
	{ "SYN never leads out of a closed session", {
		HANDSHAKE,
		{ R, F | A, 1, 1, 0, CLOSING, false },
		{ R, S, 70000, 0, 0, CLOSING, false },
		{ L, F | A, 1, 2, 0, CLOSING, false },
		{ R, A, 2, 2, 0, CLOSED, false },
		{ R, S, 70000, 0, 0, CLOSED, true } } },
	{ "SYN with FIN is a SYN", {
		{ R, S | F, 0, 0, 0, SYN, false },
		{ L, S | F | A, 0, 1, 0, EST, false },
		{ R, A, 1, 1, 0, EST, true } } },
	{ "SYN with FIN closes nothing", {
		HANDSHAKE,
		{ R, S | F | A, 1, 1, 0, EST, true } } },
	{ "a segment with no flag at all changes nothing", {
		{ R, 0, 1, 1, 10, NONE, false },
		{ R, S, 0, 0, 0, SYN, false },
		{ R, 0, 1, 1, 10, SYN, true } } },
	{ "FIN without ACK, which no host takes, closes nothing", {
		HANDSHAKE,
		{ R, F, 1, 0, 0, EST, true } } },
	{ "a GSO packet's FIN stands behind all of its data", {
		HANDSHAKE,
		{ R, F | A, 1, 1, 65000, CLOSING, false },
		{ L, F | A, 1, 65001, 0, CLOSING, false },
		{ R, A, 65002, 2, 0, CLOSING, false },
		{ L, A, 2, 65002, 0, CLOSED, true } } },
};

/* Sequence numbers that zero of a script stands for: client's, server's. */
static const u32 bases[][2] = {
	{ 0, 0 },
	{ 0xffffffff, 0 },
	{ 0, 0xfffffffe },
	{ 0xfffffff5, 0xffffffce },
	{ 0x7fffffff, 0x80000000 },
	{ 0xffff0300, 0x7ffffff0 },
};

static void run(const struct script *script, const u32 *base)
{
	const struct step *step = script->steps;
	struct mbc_tcp tcp = { 0 };
	bool changed, interesting;
	u8 old;

	for (;; step++) {
		const struct mbc_segment seg = {
			.seq = base[step->dir] + step->seq,
			.ack = base[!step->dir] + step->ack,
			.len = step->len,
			.flags = step->flags,
		};
		const int n = step - script->steps;

		old = tcp.state;
		interesting = mbc_tcp_interesting(&tcp, seg.flags);
		changed = mbc_tcp_step(&tcp, step->dir, &seg);
		EXPECT(tcp.state == step->want,
		       "bases %#x %#x, step %d: want state %u, got %u",
		       base[0], base[1], n, step->want, tcp.state);
		EXPECT(changed == (tcp.state != old),
		       "step %d: says changed %d", n, changed);
		EXPECT(interesting || !changed,
		       "step %d: not interesting but changes the state", n);
		if (step->last)
			return;
	}
}

void tcp_test(void)
{
	unsigned int i, b;

	for (i = 0; i < ARRAY_SIZE(scripts); i++) {
		test_begin("%s", scripts[i].name);
		for (b = 0; b < ARRAY_SIZE(bases); b++)
			run(&scripts[i], bases[b]);
	}
}
