// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"
	"net/netip"

	"mbchain/agentd/internal/lock"
	"mbchain/chain"
)

// A Message is what hosts of one migration say to each other; on the wire the
// migration's id stands beside it. The messages of package lock are messages too.
type Message interface{ fmt.Stringer }

type (
	// Syn: take part in the new path. To the right along it.
	Syn struct {
		Plan *lock.Plan
		Wire chain.FiveTuple // the subsession, as the sender sends it
	}
	// SynAck: all hosts right of here have both paths, and what had to be moved
	// has moved. To the left along the new path.
	SynAck struct{}
	// Ack: committed. To the right along the new path, or in answer to an [Ask].
	Ack struct{}

	// Refuse: abort if you can. To the left anchor.
	Refuse struct{ Why lock.Why }
	// FinAck: the right anchor knows of the commit, and the left anchor's last
	// packet on the old path has come.
	FinAck struct{}

	// NFState: the state of an old host's NF, for its new host.
	NFState struct{ Data []byte }
	// NFStateAck: it is imported.
	NFStateAck struct{}

	// Close: committed, and the old path is empty. From the left anchor.
	Close struct{}
	// Closed answers it.
	Closed struct{}
	// Abort: aborted. From the left anchor, or in answer to an [Ask].
	Abort struct{}
	// Aborted answers it.
	Aborted struct{}
	// Ask: what has become of it?
	Ask struct{}

	// Route: these are the hosts right of you, left to right. To the left from
	// a right anchor that is done, and on; for what hosts say of the session, and of
	// no concern to a [Host].
	Route struct {
		Session chain.SessionID
		Hops    []netip.Addr
	}
)

func (m Syn) String() string        { return "UPDATE-SYN" }
func (m SynAck) String() string     { return "UPDATE-SYNACK" }
func (m Ack) String() string        { return "UPDATE-ACK" }
func (m Refuse) String() string     { return "REFUSE " + m.Why.String() }
func (m FinAck) String() string     { return "FINACK" }
func (m NFState) String() string    { return "STATE" }
func (m NFStateAck) String() string { return "STATEACK" }
func (m Close) String() string      { return "CLOSE" }
func (m Closed) String() string     { return "CLOSED" }
func (m Abort) String() string      { return "ABORT" }
func (m Aborted) String() string    { return "ABORTED" }
func (m Ask) String() string        { return "ASK" }
func (m Route) String() string      { return "ROUTE" }
