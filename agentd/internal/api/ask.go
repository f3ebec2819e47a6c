// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"connectrpc.com/connect"

	"mbchain/chain"
	"mbchain/proto"
)

// Ask passes on to policyd what a program of this host wants for one session.
func (s *Service) Ask(ctx context.Context, r *proto.AskRequest) (*proto.AskResponse, error) {
	if r.GetWant() == nil {
		return nil, invalid("ask: want is not given: leave or insert")
	}
	id, err := s.meant(ctx, r)
	if err != nil {
		return nil, err
	}
	answer, err := s.host.Ask(ctx, &proto.AskRequest{Session: id, Want: r.Want})
	if err != nil {
		return nil, relayed(err)
	}
	return answer, nil
}

// meant returns the id of the session that r is about, which this host carries.
func (s *Service) meant(ctx context.Context, r *proto.AskRequest) ([]byte, error) {
	switch n := len(r.GetSession()); {
	case (n == 0) == (r.GetSuper() == nil):
		return nil, invalid("ask: exactly one of session and super is wanted")
	case n > 0 && n != chain.SessionIDLen:
		return nil, invalid("ask: a session id of %d bytes, it has %d", n, chain.SessionIDLen)
	}
	found, _, err := s.host.Sessions(ctx, r.GetSession(), 0)
	if err != nil {
		return nil, unavailable(err)
	}
	for _, session := range found {
		state, err := chain.ParseState(session.GetState())
		if err == nil && !state.Ended() && (r.GetSuper() == nil || sameTuple(session.GetSuper(), r.GetSuper())) {
			return session.GetId(), nil
		}
	}
	return nil, connect.NewError(connect.CodeNotFound, fmt.Errorf("ask: %s carries no such session that lives", s.host.Name()))
}

// sameTuple compares tuples of which one was written by a person.
func sameTuple(a, b *proto.Tuple) bool {
	return sameAddress(a.GetSource(), b.GetSource()) && sameAddress(a.GetDestination(), b.GetDestination()) &&
		a.GetSourcePort() == b.GetSourcePort() && a.GetDestinationPort() == b.GetDestinationPort() &&
		a.GetProtocol() == b.GetProtocol()
}

func sameAddress(a, b string) bool {
	x, err1 := netip.ParseAddr(a)
	y, err2 := netip.ParseAddr(b)
	return err1 == nil && err2 == nil && x == y
}

// relayed is an error of policyd as it is told to who asked. What is none of its
// answers says that it cannot be asked now.
func relayed(err error) error {
	var answer *connect.Error
	if connect.IsWireError(err) && errors.As(err, &answer) {
		return connect.NewError(answer.Code(), errors.New(answer.Message()))
	}
	return unavailable(fmt.Errorf("ask: only policyd knows what the policy lets a host ask for, and it cannot be reached: %w", err))
}

func invalid(format string, args ...any) error {
	return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf(format, args...))
}
