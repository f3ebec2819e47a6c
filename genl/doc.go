// SPDX-License-Identifier: Apache-2.0

// Package genl is the client of the mbchain kernel module: its generic netlink
// family, as kmod/uapi/mbchain.h describes it, in Go.
//
// A [Client] asks and orders: the module's [Info], [Config], set-up keys,
// policy, sessions and counters. An [Events] follows what happens to sessions
// and to the policy, on a connection of its own, or, by
// [Client.SubscribeSetup], is asked to set sessions up. Both act on the network
// namespace of the thread that dialled, and both need CAP_NET_ADMIN in the
// user namespace that owns it.
//
// What the module refuses comes back as a [RefusedError] with the module's own
// words; errors.Is tells which of the sentinels of this package it is.
// Requests are answered by the kernel before the system call that sends them
// returns; only [Events.Receive] waits, and reading a long dump takes its time.
// A request that ends with its context, or unanswered after a minute, costs the
// Client its connection, and the next one dials again.
//
// The package imports chain for the vocabulary and github.com/mdlayher/netlink
// and github.com/mdlayher/genetlink for the protocol. It must not import
// anything else of mbchain. Package genlfake is a module for tests, and stands
// behind the examples here.
//
// A Client may be used by several goroutines at once, an Events by one; its
// Close may be called from any. All other types are plain values.
package genl
