// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"

	"mbchain/identity"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

// ListMembers implements IdentityService.
func (s identityService) ListMembers(context.Context, *proto.ListMembersRequest) (*proto.ListMembersResponse, error) {
	state, err := s.Cluster.State()
	if err != nil {
		return nil, coded(err)
	}
	answer := &proto.ListMembersResponse{Refused: s.guard.counts()}
	for _, m := range state.Members {
		to := &proto.DomainMember{
			Role: m.Role, Name: m.Name, Epoch: m.Epoch, Token: m.Token,
			JoinedUnixMs: m.JoinedUnixMS, Revoked: m.Revoked, RevokedUnixMs: m.RevokedUnixMS,
		}
		for _, a := range m.Addresses {
			to.Addresses = append(to.Addresses, a.String())
		}
		answer.Members = append(answer.Members, to)
	}
	return answer, nil
}

// RevokeMember implements IdentityService.
func (s identityService) RevokeMember(ctx context.Context, r *proto.RevokeMemberRequest) (*proto.RevokeMemberResponse, error) {
	if _, err := identity.ParseRole(r.Role); err != nil {
		return nil, invalid("role: %w", err)
	}
	if err := identity.CheckName(r.Name); err != nil {
		return nil, invalid("name: %w", err)
	}
	note(ctx, "member", r.Role+" "+r.Name)
	result, err := s.Cluster.Apply(ctx, store.Command{Revoke: &store.Revoke{
		Role: r.Role, Name: r.Name, NowUnixMS: time.Now().UnixMilli(),
	}})
	if err != nil {
		return nil, coded(err)
	}
	s.Update(result.State)
	s.Logger.Info("certificate revoked", "who", r.Role+" "+r.Name, "peer", peer(ctx))
	return &proto.RevokeMemberResponse{}, nil
}
