// SPDX-License-Identifier: Apache-2.0

// Package cluster keeps the state of package store under Raft.
//
// A [Node] is one policyd of a cluster, with its data directory:
//
//	lock          held while a policyd uses the directory
//	bootstrapped  is there once the directory ever held a state
//	recovered     is there once the node was made the only voter of its cluster
//	raft.db       the log (raft-boltdb on bbolt)
//	snapshots/    the two newest snapshots
//
// One node is a whole cluster: it elects itself. Every path is nevertheless the
// one that several take: nothing is served before a barrier has gone through the
// log in the term that the node leads in, and a command counts once Raft says
// that it is committed. Such a command survives kill -9 at any moment, because
// raft.db is written through to the disk before, of more than half of the
// voters.
//
// A node that joins begins without a vote and gets one when it has caught up.
// One whose log was lost is taken out first, under the same name: a voter that
// has forgotten what it acknowledged would let it be lost for all.
//
// [Open] reads the whole directory before Raft does, since Raft and bbolt
// answer damage with a panic, or with an older state, where an operator needs
// to be told what to do.
//
// A Node may be used from several goroutines; [Node.Run] from one.
package cluster
