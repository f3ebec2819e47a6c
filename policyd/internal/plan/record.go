// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"errors"
	"fmt"
	"net/netip"

	"mbchain/chain"
	"mbchain/proto"
)

// record is what one host says of one session.
type record struct {
	host  string
	super chain.FiveTuple
	left  *end // nil: the session begins here
	right *end // nil: the session ends here
}

// end is a subsession seen from one of its two hosts.
type end struct {
	self netip.Addr // this host's address on it
	peer netip.Addr // the neighbour's, as it is seen here
}

// read makes a record of what a host says, which came through a network.
func read(host string, s *proto.Session) (*record, error) {
	super, err := fiveTuple(s.GetSuper())
	if err != nil {
		return nil, fmt.Errorf("%s gives it a supersession that cannot be: %w", host, err)
	}
	r := &record{host: host, super: super}
	if s.Left != nil {
		t, err := subsession(s.Left, super)
		if err != nil {
			return nil, fmt.Errorf("%s gives it a left subsession that cannot be: %w", host, err)
		}
		r.left = &end{self: t.Destination.Addr(), peer: t.Source.Addr()}
	}
	if s.Right != nil {
		t, err := subsession(s.Right, super)
		if err != nil {
			return nil, fmt.Errorf("%s gives it a right subsession that cannot be: %w", host, err)
		}
		r.right = &end{self: t.Source.Addr(), peer: t.Destination.Addr()}
	}
	return r, nil
}

func subsession(s *proto.Side, super chain.FiveTuple) (chain.FiveTuple, error) {
	t, err := fiveTuple(s.Tuple)
	if err == nil && t.Family() != super.Family() {
		err = fmt.Errorf("it is of %s, the supersession of %s", t.Family(), super.Family())
	}
	return t, err
}

// fiveTuple reads a tuple, client to server.
func fiveTuple(t *proto.Tuple) (chain.FiveTuple, error) {
	none := chain.FiveTuple{}
	source, err1 := netip.ParseAddr(t.GetSource())
	destination, err2 := netip.ParseAddr(t.GetDestination())
	if err := errors.Join(err1, err2); err != nil {
		return none, err
	}
	if t.SourcePort > 0xffff || t.DestinationPort > 0xffff || t.Protocol > 0xff {
		return none, errors.New("a port or protocol is out of range")
	}
	tuple := chain.FiveTuple{
		Source:      netip.AddrPortFrom(source, uint16(t.SourcePort)),
		Destination: netip.AddrPortFrom(destination, uint16(t.DestinationPort)),
		Protocol:    uint8(t.Protocol),
	}
	return tuple, tuple.Check()
}

// live says why a session cannot be changed as it is at a host, or nil.
func live(host string, s *proto.Session) error {
	if s.State != chain.StateEstablished.String() {
		return fmt.Errorf("it is not established: %s has it as %s", host, s.State)
	}
	switch s.Setup {
	case chain.SetupWaiting.String(), chain.SetupBlocked.String(), chain.SetupBypassed.String():
		return fmt.Errorf("right of %s it is not set up: %s", host, s.Setup)
	}
	return nil
}
