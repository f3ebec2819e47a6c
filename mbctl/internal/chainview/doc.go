// SPDX-License-Identifier: Apache-2.0

// Package chainview joins what the hosts of a chain say of one session into
// the chain as a whole.
//
// A record is one host's part of a session. A chain is all hosts of the
// session from client to server, and the links (subsessions) between them. A
// place is where a host stands, counted from the server: the server is at
// place 0, the host before it at place 1. A host knows its own place, for it
// is the number of hosts to its right that its record lists; so the order
// needs neither the client's record nor addresses that match, and a NAT
// between two hosts does not disturb it.
//
// Records come from hosts that answered through a network, each in its time,
// while the session lived: they may be shuffled, missing, doubled or
// contradict each other. Join never fails; what does not fit is told in
// Chain.Notes.
//
// The package is pure: it imports no net, os or clock. Everything in it is
// safe to call concurrently as long as the records are not changed.
package chainview
