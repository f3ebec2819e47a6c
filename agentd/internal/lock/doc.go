// SPDX-License-Identifier: Apache-2.0

// Package lock decides which migration of a session a host takes part in
// (paper section 4.2.2; docs/PROTOCOL.md, "Phase 1: lock").
//
// A [Plan] says what a migration changes. A [Machine] is one host's part in
// locking the segment for it: REQUEST from the left anchor to the right one,
// APPROVE or REJECT back, CANCEL to the right. A [Wish] is what the left anchor
// keeps of a change that somebody wants, from try to try.
//
// What a host's module has a record of is the judge: it refuses a second one for
// the same session, so a host is never part of two migrations of it, whatever
// its agent believes. Nobody waits for a lock that another one has, so there is
// no deadlock; a loser is free while it backs off.
//
// The package is pure: no I/O, clock, logger or randomness. Nothing here is safe
// for concurrent use.
package lock
