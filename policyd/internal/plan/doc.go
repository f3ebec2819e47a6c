// SPDX-License-Identifier: Apache-2.0

// Package plan works out which migrations make a change of sessions' chains:
// from what the hosts concerned say of their sessions to one plan for each of
// them, or to a sentence that says why the session stays as it is.
//
//   - A [Change] is what an operator wants of every session: hosts that leave,
//     hosts that come, and where.
//   - A [Selection] says of which sessions.
//   - A [Wish] is a plan for one session, and the host of its left anchor.
//   - [Domain.Follow] works out the same for a policy: which sessions have another
//     chain than it gives them, and the piece of the path in which the two differ.
//   - An [Ask] is what a host wants for one session; the policy decides.
//   - A host's record of a session names its neighbours: the source of its left
//     subsession, and the destination of its right one. What follows from the
//     records is the piece of the path between the anchors; nobody is asked for
//     the rest.
//
// A plan is a proposal. The path may change while it is worked out; the modules
// judge it again when they are locked (docs/PROTOCOL.md).
//
// The package is pure: no I/O, no clock, no randomness. Its functions may be
// called concurrently as long as nobody changes the records.
package plan
