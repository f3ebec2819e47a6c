// SPDX-License-Identifier: Apache-2.0

// Package session decides how one session is set up out-of-band (paper section
// 4.1): SYN from host to host to the right, SYNACK back, ACK to the right
// again.
//
// A [Machine] is one host's part in one attempt. The originator is the host
// whose module holds the session's packets; a relay was asked by its left
// neighbour and asks its right one; the last host is asked and asks nobody.
// What makes the three agree, whatever is lost:
//
//   - A host says SYNACK only when all hosts to its right have the session.
//   - Packets are released by the originator once it has the SYNACK, so they
//     find every host ready.
//   - A host whose left neighbour goes away before its ACK forgets the session,
//     and so does every host to the right of it in turn.
//   - An ACK is answered by the end of the stream, from the last host back to
//     the originator. Who waits for that in vain forgets the session too: no
//     host keeps one that the next one may have forgotten.
//   - Each host gives up on its right neighbour before its left neighbour gives
//     up on it, so what failed is told by the host that saw it.
//
// The package is pure: no I/O, clock, logger or randomness. A Machine is not
// safe for concurrent use.
package session
