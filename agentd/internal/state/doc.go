// SPDX-License-Identifier: Apache-2.0

// Package state keeps the last good subpolicy, with its set-up keys, on disk,
// so that a host that boots while policyd is away still has its chains, and a
// [ResetKey].
//
// A [Store] owns one directory, mode 0700, and holds a lock on it while it is
// open. In it:
//
//	subpolicy      the record, mode 0600: it holds keys
//	subpolicy.tmp  a record being written; renamed when it is on disk
//	subpolicy.bad  a record that could not be read, kept for a person to see
//	reset-key      32 random bytes, mode 0600
//
// A record is, with integers in network byte order:
//
//	8 bytes   "mbchain" and a zero
//	4 bytes   version of this format: 1
//	4 bytes   length of the payload
//	32 bytes  SHA-256 of the payload
//	          payload: a Subpolicy of agent.proto
//
// The package imports proto and nothing else of ours. A Store may be used by
// several goroutines; they take turns.
package state
