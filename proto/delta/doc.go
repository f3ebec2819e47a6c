// SPDX-License-Identifier: Apache-2.0

// Package delta says what a subpolicy gains, loses and changes against another
// one, and makes the other out of the one.
//
// A [Whole] is a subpolicy with its digest. [Between] makes the change from one to
// another, as policyd pushes it; [Whole.Apply] makes it, as agents do, all of it or
// nothing. The digest is of what a subpolicy says and not of how protobuf writes it,
// so that both sides agree whichever versions of either they are. An agent that does
// not know a field which policyd sends comes to another digest, and is sent wholes.
//
// A change comes from the network. What it names is looked up within bounds, nothing
// is allocated beyond what the bounds of a subpolicy allow, and each refusal has a
// reason: see [Reason].
//
// The package does no I/O and keeps no state. A Whole is never changed and may be
// used from several goroutines, as may the subpolicy in it.
package delta
