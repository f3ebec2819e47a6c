// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/proto"
)

// Sessions dumps the sessions whose id begins with prefix, in the order of
// their ids: so the short lists of several hosts speak of the same sessions.
// Those that the host is leaving are not its own any more.
// At most limit are returned, 0: all; more reports whether there are others.
func (k *Kernel) Sessions(ctx context.Context, prefix []byte, limit int) (sessions []*proto.Session, more bool, err error) {
	found, err := k.find(ctx, prefix)
	if err != nil {
		return nil, false, classified(err)
	}
	slices.SortFunc(found, func(a, b genl.Session) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	if more = limit > 0 && len(found) > limit; more {
		found = found[:limit]
	}
	sessions = make([]*proto.Session, 0, len(found))
	for i := range found {
		sessions = append(sessions, sessionOf(&found[i]))
	}
	return sessions, more, nil
}

func (k *Kernel) find(ctx context.Context, prefix []byte) ([]genl.Session, error) {
	client, err := k.dialled()
	if err != nil {
		return nil, err
	}
	if id, err := chain.SessionIDFromBytes(prefix); err == nil {
		s, err := client.Session(ctx, id)
		if errors.Is(err, genl.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		all := []genl.Session{*s}
		return slices.DeleteFunc(all, func(s genl.Session) bool { return s.Leaving }), nil
	}
	all, err := client.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(s genl.Session) bool { return s.Leaving || !s.ID.HasPrefix(prefix) }), nil
}

func sessionOf(s *genl.Session) *proto.Session {
	out := &proto.Session{
		Id:            s.ID[:],
		Role:          roles[s.Role],
		State:         s.State.String(),
		Super:         tuple(s.Super),
		Left:          side(s.Left),
		Right:         side(s.Right),
		Rule:          s.Rule,
		PolicyVersion: s.PolicyVersion,
		AgeMs:         uint64(s.Age.Milliseconds()),
		IdleMs:        uint64(s.Idle.Milliseconds()),
	}
	if s.Setup != chain.SetupUnspecified {
		out.Setup = s.Setup.String()
	}
	for _, hop := range s.Hops {
		out.Hops = append(out.Hops, hop.String())
	}
	return out
}

var roles = map[chain.Role]proto.Role{
	chain.RoleClient: proto.Role_ROLE_CLIENT,
	chain.RoleMiddle: proto.Role_ROLE_MIDDLE,
	chain.RoleServer: proto.Role_ROLE_SERVER,
}

func side(s *genl.Subsession) *proto.Side {
	if s == nil {
		return nil
	}
	return &proto.Side{
		Tuple:     tuple(s.Tuple),
		InPackets: s.InPackets, InBytes: s.InBytes,
		OutPackets: s.OutPackets, OutBytes: s.OutBytes,
	}
}

func tuple(t chain.FiveTuple) *proto.Tuple {
	return &proto.Tuple{
		Source:          t.Source.Addr().String(),
		SourcePort:      uint32(t.Source.Port()),
		Destination:     t.Destination.Addr().String(),
		DestinationPort: uint32(t.Destination.Port()),
		Protocol:        uint32(t.Protocol),
	}
}
