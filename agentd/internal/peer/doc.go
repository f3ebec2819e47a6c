// SPDX-License-Identifier: Apache-2.0

// Package peer carries set-ups between the agents of neighbouring hosts: QUIC
// on UDP port 7300, TLS 1.3 with a certificate on either side, a stream for
// each set-up (proto/peer.proto).
//
// Messages of migrations have a stream of their own each, that goes one way
// (proto/migrate.proto): [Node.Tell] and [Config].Hear.
//
// A [Node] listens and dials on one socket. It keeps one connection to each host
// that it asks, warm, and opens it anew when it is lost, after a pause that
// grows. A [Stream] carries the messages of package session, bounded before they
// are parsed.
//
// Both certificates must be signed by the domain's CA. That of a host that is
// dialled must have the address that was dialled, and [Stream.Addresses] are
// those of the certificate at the other end: what it may speak for. Both must be
// those of hosts. There is no way to do without. The host's identity may be renewed at
// any time; each connection that begins takes the newest.
//
// The package imports session, lock, migrate, identity, proto and quic-go. A Node may be used by several
// goroutines, and so may a Stream, one that sends and one that receives.
package peer
