// SPDX-License-Identifier: Apache-2.0

package chainview

import (
	"cmp"
	"slices"

	"mbchain/proto"
)

// maxHops is MBC_MAX_HOPS of the module: no true record lists more hosts, and
// the bound keeps a lying one from making a chain as long as it likes.
const maxHops = 16

// Chain is a session with all its hosts, from client to server.
type Chain struct {
	ID    string // hexadecimal
	Super *proto.Tuple

	// As the client's record has them, or zero without that record.
	Rule          uint32
	PolicyVersion uint64

	Hosts []Host
	Links []Link   // Links[i] is between Hosts[i] and Hosts[i+1]
	Notes []string // what the records contradict each other in
}

// Host is one place of a chain.
type Host struct {
	Name    string // empty when only the address is known
	Address string // as the host to the left writes it; may be empty
	Role    proto.Role
	Record  *proto.Session // nil when the host reported nothing

	// A server or client that runs no mbchain, so there is nothing to report.
	Agentless bool
	// It stands in for the client to its left.
	Gateway bool
}

// Link is the subsession between two neighbours, as each of them sees it. Between
// a client without mbchain and its gateway there is none: the packets are those of
// the supersession.
type Link struct {
	Plain bool
	Left  *proto.Side // the left host's right side; nil when not reported
	Right *proto.Side // the right host's left side; nil when not reported
	Gap   bool        // there may be hosts between that nobody spoke of
}

// Translated says whether the two ends see different tuples: something
// between them translates addresses.
func (l Link) Translated() bool {
	return l.Left != nil && l.Right != nil && !sameTuple(l.Left.Tuple, l.Right.Tuple)
}

// Label is the host's name, or its address where no name is known.
func (h Host) Label() string {
	return cmp.Or(h.Name, h.Address, "?")
}

// First is the leftmost record, the client's if there is one.
func (c Chain) First() *proto.Session {
	for _, h := range c.Hosts {
		if h.Record != nil {
			return h.Record
		}
	}
	return &proto.Session{}
}

// Complete says whether every host of the chain that can reported the session.
func (c Chain) Complete() bool {
	return !slices.ContainsFunc(c.Hosts, func(h Host) bool { return h.Record == nil && !h.Agentless })
}

func sameTuple(a, b *proto.Tuple) bool {
	return a.GetSource() == b.GetSource() && a.GetDestination() == b.GetDestination() &&
		a.GetSourcePort() == b.GetSourcePort() &&
		a.GetDestinationPort() == b.GetDestinationPort() &&
		a.GetProtocol() == b.GetProtocol()
}
