// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"

	"mbchain/identity"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

const (
	// maxIdentityRequest is how large a request about identities may be, in bytes.
	maxIdentityRequest = 16 << 10
	// maxJoins is how many newcomers are worked on at once: each costs a few
	// signatures, and anybody may ask.
	maxJoins = 32
)

type identityService struct{ *Server }

// Join implements IdentityService.
func (s identityService) Join(ctx context.Context, r *proto.JoinRequest) (*proto.CertificateResponse, error) {
	select {
	case s.newcomers <- struct{}{}:
		defer func() { <-s.newcomers }()
	default:
		return nil, connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("join: %d others are joining, try again in a moment", maxJoins))
	}
	answer, err := s.join(ctx, r)
	if err != nil {
		s.turnAway(ctx, callerIn(ctx), "/mbchain.v1.IdentityService/Join", err)
	}
	return answer, err
}

func (s identityService) join(ctx context.Context, r *proto.JoinRequest) (*proto.CertificateResponse, error) {
	if err := identity.CheckTokenID(r.TokenId); err != nil {
		return nil, invalid("token_id: %w: %w", identity.ErrMalformed, err)
	}
	request, err := identity.ParseRequest(r.Request)
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	note(ctx, "token", r.TokenId)
	note(ctx, "member", request.Subject.String())
	note(ctx, "addresses", request.Addresses)
	cmd := store.Command{Admit: &store.Admit{
		Role: request.Subject.Role.String(), Name: request.Subject.Name, Addresses: request.Addresses,
		Key: request.KeyHash(), TokenID: r.TokenId, Hash: identity.HashSecret(r.Secret),
		NowUnixMS: time.Now().UnixMilli(),
	}}
	state, err := s.Cluster.State()
	if err != nil {
		return nil, coded(err)
	}
	// Who brings nothing leaves nothing in the log.
	if _, err := state.Apply(state.Index+1, cmd); err != nil {
		return nil, coded(err)
	}
	result, err := s.Cluster.Apply(ctx, cmd)
	if err != nil {
		return nil, coded(err)
	}
	s.Update(result.State)
	member, _ := result.State.Member(cmd.Admit.Role, cmd.Admit.Name)
	log := s.Logger.With("peer", peer(ctx), "who", request.Subject.String(), "addresses", request.Addresses)
	log.Info("joined", "token", r.TokenId)
	return issue(result.State, request, member.Epoch)
}

// Renew implements IdentityService.
func (s identityService) Renew(ctx context.Context, r *proto.RenewRequest) (*proto.CertificateResponse, error) {
	request, err := identity.ParseRequest(r.Request)
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	who := callerIn(ctx)
	if who.Role != request.Subject.Role || who.Name != request.Subject.Name {
		err := fmt.Errorf("%w: %s may not ask for the certificate of %s", identity.ErrRole, who, request.Subject)
		s.turnAway(ctx, who, "/mbchain.v1.IdentityService/Renew", err)
		return nil, connect.NewError(connect.CodePermissionDenied, err)
	}
	state, err := s.Cluster.State()
	if err != nil {
		return nil, coded(err)
	}
	member, known := state.Member(who.Role.String(), who.Name)
	if known && !slices.Equal(member.Addresses, request.Addresses) {
		result, err := s.Cluster.Apply(ctx, store.Command{Readdress: &store.Readdress{
			Role: member.Role, Name: member.Name, Epoch: who.Epoch, Addresses: request.Addresses,
		}})
		if err != nil {
			return nil, coded(err)
		}
		state = result.State
		s.Update(state)
		log := s.Logger.With("peer", peer(ctx), "who", who.String())
		log.Info("addresses changed", "addresses", request.Addresses)
	}
	if !known && !slices.Equal(who.addresses, request.Addresses) {
		return nil, connect.NewError(connect.CodePermissionDenied,
			fmt.Errorf("%w: %s is not among those that joined, so its addresses stay as they are: join again with a token", identity.ErrRole, who))
	}
	return issue(state, request, who.Epoch)
}

func issue(state *store.State, request *identity.Request, epoch uint32) (*proto.CertificateResponse, error) {
	ca, err := identity.ParseCA(state.CA)
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	cert, err := ca.Issue(request, epoch, time.Now())
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	return &proto.CertificateResponse{Certificate: cert.Raw}, nil
}
