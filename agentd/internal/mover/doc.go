// SPDX-License-Identifier: Apache-2.0

// Package mover changes the chains of live sessions: it carries out what package
// migrate decides, and tells it what became of that (paper sections 4.2 and 5;
// docs/PROTOCOL.md, "Changing the chain of a live session").
//
// A [Mover] takes wishes of those that policyd or a local program may ask for, runs a
// bounded number of them at once, and keeps their history. Orders about one session
// are carried out one after the other, those of different sessions side by side.
// Messages go out beside them, for a host that is gone must not keep a session waiting.
//
// The module is the judge of who takes part in what: after a restart the records that
// it has kept say where each migration stands.
package mover
