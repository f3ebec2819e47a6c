// SPDX-License-Identifier: Apache-2.0

package session

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"mbchain/chain"
)

const (
	// MaxRight is how many hosts may be right of one that is asked: the
	// module's limit of 16 hosts in a chain, without itself.
	MaxRight = 15
	// MaxWithin is the longest time that one host gives another; the module
	// never waits longer.
	MaxWithin = time.Minute
)

// Part is one host's part of a session: what its module says of it.
type Part struct {
	ID    chain.SessionID
	Super chain.FiveTuple
	Right chain.FiveTuple // subsession to ask the right neighbour for; zero at the last host
	Hops  []netip.Addr    // hosts right of this one, the server last; none at the last host
	Known bool            // it stood already, set up in-band
}

// Syn asks a host to take part in a session.
type Syn struct {
	ID     chain.SessionID
	Super  chain.FiveTuple
	Wire   chain.FiveTuple // the subsession, as the asking host sends it
	Hops   []netip.Addr    // hosts right of the one that is asked
	Within time.Duration   // how long the asking host waits for the answer
}

// Check returns nil when a session can be as s says. Whether the asking host may
// speak for it is not looked at.
func (s Syn) Check() error {
	family := s.Super.Family()
	switch {
	case s.ID.IsZero():
		return errors.New("no session id")
	case s.Super.Protocol != chain.ProtocolTCP && s.Super.Protocol != chain.ProtocolUDP:
		return fmt.Errorf("protocol %s is not chained", chain.ProtocolName(s.Super.Protocol))
	case s.Wire.Protocol != s.Super.Protocol || s.Wire.Family() != family:
		return errors.New("subsession of another protocol or family")
	case len(s.Hops) > MaxRight:
		return fmt.Errorf("%d hops, %d are the limit", len(s.Hops), MaxRight)
	case s.Within <= 0 || s.Within > MaxWithin:
		return fmt.Errorf("time limit of %v", s.Within)
	case slices.ContainsFunc(s.Hops, func(h netip.Addr) bool { return chain.FamilyOf(h) != family }):
		return errors.New("hop of another family")
	}
	if err := s.Super.Check(); err != nil {
		return fmt.Errorf("supersession: %w", err)
	}
	if err := s.Wire.Check(); err != nil {
		return fmt.Errorf("subsession: %w", err)
	}
	for _, h := range s.Hops {
		if err := chain.CheckHost(h); err != nil {
			return fmt.Errorf("hop %s is %w", h, err)
		}
	}
	return nil
}

// ReasonNoAnswer is the reason of a [Reject] by a host whose right neighbour
// cannot be reached, or does not answer in time. The module counts it by the
// same name.
const ReasonNoAnswer = "no_answer"

// Reject says why a session cannot be.
type Reject struct {
	Reason  string     // name of a counter, or a word of docs/PROTOCOL.md
	Host    string     // name of the host that refused
	Address netip.Addr // of the host that refused, or that did not answer
}

func (r Reject) String() string {
	if r.Reason == ReasonNoAnswer {
		return fmt.Sprintf("%v does not answer %s", r.Address, r.Host)
	}
	return fmt.Sprintf("%s at %s (%v)", r.Reason, r.Host, r.Address)
}
