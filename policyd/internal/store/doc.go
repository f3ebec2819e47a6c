// SPDX-License-Identifier: Apache-2.0

// Package store holds what policyd must never forget, as a deterministic
// state machine under Raft.
//
//   - A [State] is the whole of it: the policy, the seed of the instance
//     choice, the set-up keys and the known hosts. A State that anybody can
//     see is never modified; a [Command] makes a new one of it.
//   - A [Command] is one entry of the Raft log. Whoever proposes it puts the
//     times and the random values into it.
//   - [FSM] is the thin shell that hashicorp/raft drives.
//
// The package has no clock, no randomness, no I/O of its own, and nothing in
// it depends on the order of a map: the same log gives the same State on every
// voter, always. Commands and snapshots are JSON with a version number; an
// unknown version or field is an error, never skipped, because a voter that
// skips what it cannot read holds another State than the rest.
//
// An FSM may be used from several goroutines.
package store
