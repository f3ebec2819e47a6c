// SPDX-License-Identifier: Apache-2.0

// Package migrate decides how the chain of a live session changes (paper
// sections 4.2 and 5; docs/PROTOCOL.md, "Changing the chain of a live session").
//
// A [Machine] is one host's part in one migration whose segment is locked: left
// anchor, right anchor, old host or new host. A [Host] has all of a host's
// machines, the locks and wishes of package lock beside them, and a bounded
// [Memory] of how others ended; it turns what happens on the host into orders to
// the module, to NFs and to other agents.
//
// What makes the hosts agree, whatever is lost:
//
//   - The left anchor's module decides, when it switches to the new path.
//   - No host gives up a path before every host that may send on it has said
//     that it does not.
//   - The left anchor forgets a commit only when all hosts of the new path have
//     heard of it, so a host that knows nothing may answer: aborted.
//   - Every message is repeated by somebody until it is answered, and the second
//     one does nothing that the first did not.
//   - A machine that cannot decide keeps both paths and asks.
//
// The package is pure: no I/O, clock, logger or randomness. Nothing here is safe
// for concurrent use.
package migrate
