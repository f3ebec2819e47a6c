// SPDX-License-Identifier: Apache-2.0

package session

// A Message is what two neighbours say to each other: [Syn] and [Ack] to the
// right, [SynAck] and [Reject] to the left.
type Message interface{ message() }

type (
	// SynAck: every host to the right has the session.
	SynAck struct{ Known bool } // the sender had it already, set up in-band
	// Ack: the session's packets may come.
	Ack struct{}
)

func (Syn) message()    {}
func (SynAck) message() {}
func (Ack) message()    {}
func (Reject) message() {}
