// SPDX-License-Identifier: Apache-2.0

// Package cluster keeps the state of package store under Raft.
//
// A [Node] is one voter with its data directory:
//
//	lock          held while a policyd uses the directory
//	bootstrapped  is there once the directory ever held a state
//	raft.db       the log (raft-boltdb on bbolt)
//	snapshots/    the two newest snapshots
//
// One voter is the whole cluster: it elects itself. Every path is nevertheless
// the one that several voters take: nothing is served before a barrier has
// gone through the log, and a command counts once Raft says that it is
// committed. Such a command survives kill -9 at any moment, because raft.db is
// written through to the disk before.
//
// [Open] reads the whole directory before Raft does, since Raft and bbolt
// answer damage with a panic, or with an older state, where an operator needs
// to be told what to do.
//
// A Node may be used from several goroutines; [Node.Run] from one.
package cluster
