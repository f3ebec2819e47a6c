// SPDX-License-Identifier: Apache-2.0

package policy

import "mbchain/chain"

// Method is by what a session gets one of a type's instances. In each the weight of
// an instance is its share (enum mbc_choice).
type Method uint8

// The methods. Append-only: the numbers are the kernel's.
const (
	ByHash   Method = iota // a hash of its five-tuple
	BySource               // a hash of its client's address
	InTurn                 // in turn, as the client's host counts the sessions of a rule

	// LeastLoaded is ByHash with weights after the load, which the policy server
	// changes: hosts are told ByHash.
	LeastLoaded
)

// String returns "hash", "sticky-source", "round-robin" or "least-loaded".
func (m Method) String() string {
	switch m {
	case BySource:
		return "sticky-source"
	case InTurn:
		return "round-robin"
	case LeastLoaded:
		return "least-loaded"
	}
	return "hash"
}

// Foretold reports whether it can be said beforehand which instance a session of the
// family gets.
func (t *Type) Foretold(f chain.Family) bool { return t.Choose != InTurn || len(t.instancesFor(f)) < 2 }

// Lasting reports whether a session that has begun got the instance that it would get
// now, and without knowing where it began: weights that follow the load have changed.
func (t *Type) Lasting(f chain.Family) bool {
	return len(t.instancesFor(f)) < 2 || t.Foretold(f) && t.Choose != LeastLoaded && t.Decide != ByServer
}

// SetUp is how the client's host has the chain of a TCP session set up
// (enum mbc_setup_way). That of a UDP session is always set up by the agents.
type SetUp uint8

// The ways. Append-only: the numbers are the kernel's.
const (
	Auto      SetUp = iota // in-band, but past neighbours that answer no SYN with payload
	InBand                 // by the header in its SYN
	OutOfBand              // by the agents
)

// Enforce is what the server's host makes of sessions that come past their chain.
type Enforce uint8

// The choices. Append-only.
const (
	BestEffort Enforce = iota // they come in
	Required                  // they are dropped
)

// String returns "best-effort" or "required".
func (e Enforce) String() string {
	if e == Required {
		return "required"
	}
	return "best-effort"
}

// String returns "auto", "in-band" or "out-of-band".
func (s SetUp) String() string {
	switch s {
	case InBand:
		return "in-band"
	case OutOfBand:
		return "out-of-band"
	}
	return "auto"
}
