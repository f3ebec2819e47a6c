// SPDX-License-Identifier: Apache-2.0

// Package setup sets sessions up out-of-band: it joins what the module wants
// (package kernel), the machine that decides (package session) and the streams
// to other agents (package peer).
//
// A [Service] has one goroutine for each set-up that is under way, and one set-up
// at a time for each session id: a second one that another agent asks for begins
// when the first is over, a second wish of the module is the first one repeated.
// What a neighbour asks for is looked at before the module is: its certificate
// must have the address that the subsession comes from.
//
// The package imports session, kernel and chain. A Service may be used by several
// goroutines.
package setup
