// SPDX-License-Identifier: Apache-2.0

// Package push brings every host its part of the policy, and questions to
// where their answers are.
//
//   - The [Hub] knows every host and which of them are connected.
//   - A [Domain] is a state of package store, worked out: the policy parsed,
//     the hosts by address. The hub holds the newest one.
//   - A stream is the connection of one agent, served by the goroutine that
//     called [Hub.Subscribe]. It works out the host's subpolicy itself, sends
//     it, and sends it again whenever it may have become another one.
//   - A push has a nonce, unique while policyd runs. The agent answers with it:
//     an ack says that the host runs the subpolicy, a nack that it refused it
//     and keeps the one before. An answer to a push that is not the newest of
//     its stream changes nothing but the version the host says it runs.
//
// Nothing here waits for a host. A stream holds at most one mark "send the
// subpolicy again", however many changes there were, and a bounded queue of
// questions; what a slow host misses is named to who asked. A send that does
// not come to an end is for the caller's send function to break off.
//
// The package speaks neither HTTP nor Raft: those are a send function and a
// [Proposer]. A Hub may be used from several goroutines.
package push
