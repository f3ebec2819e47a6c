// SPDX-License-Identifier: Apache-2.0

// Package chain is the vocabulary of mbchain: the words that every program
// and every other package uses for sessions and their parts.
//
//   - A [FiveTuple] names a supersession end to end, or a subsession on the
//     wire between two neighbouring hosts (paper, sections 1 and 3.2). Both
//     are of one [Family], IPv4 or IPv6.
//   - A [SessionID] names a session on every host that carries it.
//   - A [Role] is a host's place in a chain: client, middle or server.
//   - A [Side] tells a host's two subsessions apart, a [Direction] the two
//     ways in which packets travel.
//   - A [State] is how far a session has come, a [Setup] how it was set up.
//
// The numbers behind Role, Direction, State and Setup are those of the kernel
// module (kmod/uapi/mbchain.h, kmod/tcp.h).
//
// The package imports only the standard library. All its types are values:
// they may be copied, compared with == and used from several goroutines.
package chain
