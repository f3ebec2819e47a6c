// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"

	"mbchain/identity"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

const (
	// defaultTTL and maxTTL are how long a token is valid.
	defaultTTL = time.Hour
	maxTTL     = 30 * 24 * time.Hour
	// maxUses bounds what one token that leaks can do.
	maxUses = 10000
)

// CreateToken implements IdentityService.
func (s identityService) CreateToken(ctx context.Context, r *proto.CreateTokenRequest) (*proto.CreateTokenResponse, error) {
	token, err := checkToken(r)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	token.CreatedBy, token.CreatedUnixMS = callerIn(ctx).String(), now.UnixMilli()
	token.ExpiresUnixMS += now.UnixMilli()
	note(ctx, "token", token.ID)
	note(ctx, "token_role", token.Role)
	note(ctx, "token_name", token.Name)
	note(ctx, "uses", token.Uses)
	result, err := s.Cluster.Apply(ctx, store.Command{AddToken: &store.AddToken{Token: token}})
	if err != nil {
		return nil, coded(err)
	}
	s.Update(result.State)
	ca, err := identity.ParseCA(result.State.CA)
	if err != nil {
		return nil, coded(err)
	}
	for _, t := range result.State.Tokens {
		if t.ID == token.ID { // as it was made, if this is the second time
			token = t
		}
	}
	fingerprint := ca.Fingerprint()
	return &proto.CreateTokenResponse{Token: viewToken(token), CaFingerprint: fingerprint[:]}, nil
}

// checkToken reads a request; the time that it gives is from now on.
func checkToken(r *proto.CreateTokenRequest) (store.Token, error) {
	none := store.Token{}
	if err := identity.CheckTokenID(r.Id); err != nil {
		return none, invalid("id: %w", err)
	}
	if len(r.SecretHash) != identity.HashLen {
		return none, invalid("secret_hash: %d bytes, it has %d", len(r.SecretHash), identity.HashLen)
	}
	if _, err := identity.ParseRole(r.Role); err != nil {
		return none, invalid("role: %w", err)
	}
	if r.Name != "" {
		if err := identity.CheckName(r.Name); err != nil {
			return none, invalid("name: %w", err)
		}
	}
	ttl, uses := r.TtlMs, r.Uses
	if ttl == 0 {
		ttl = uint64(defaultTTL.Milliseconds())
	}
	if ttl > uint64(maxTTL.Milliseconds()) {
		return none, invalid("ttl_ms: at most %v is allowed", maxTTL)
	}
	if uses == 0 {
		uses = 1
	}
	if uses > maxUses {
		return none, invalid("uses: %d, at most %d are allowed", uses, maxUses)
	}
	return store.Token{ID: r.Id, Hash: r.SecretHash, Role: r.Role, Name: r.Name, Uses: uses, ExpiresUnixMS: int64(ttl)}, nil
}

func viewToken(t store.Token) *proto.TokenInfo {
	return &proto.TokenInfo{
		Id: t.ID, Role: t.Role, Name: t.Name, Uses: t.Uses,
		ExpiresUnixMs: t.ExpiresUnixMS, CreatedBy: t.CreatedBy, CreatedUnixMs: t.CreatedUnixMS,
	}
}

// ListTokens implements IdentityService.
func (s identityService) ListTokens(context.Context, *proto.ListTokensRequest) (*proto.ListTokensResponse, error) {
	state, err := s.Cluster.State()
	if err != nil {
		return nil, coded(err)
	}
	answer := &proto.ListTokensResponse{}
	for _, t := range state.Tokens {
		answer.Tokens = append(answer.Tokens, viewToken(t))
	}
	return answer, nil
}

// RevokeToken implements IdentityService.
func (s identityService) RevokeToken(ctx context.Context, r *proto.RevokeTokenRequest) (*proto.RevokeTokenResponse, error) {
	if err := identity.CheckTokenID(r.Id); err != nil {
		return nil, invalid("id: %w", err)
	}
	note(ctx, "token", r.Id)
	before, err := s.Cluster.State()
	if err != nil {
		return nil, coded(err)
	}
	result, err := s.Cluster.Apply(ctx, store.Command{DropToken: &store.DropToken{
		ID: r.Id, Joined: r.Joined, NowUnixMS: time.Now().UnixMilli(),
	}})
	if err != nil {
		return nil, coded(err)
	}
	s.Update(result.State)
	answer := &proto.RevokeTokenResponse{}
	for _, m := range before.Members {
		if r.Joined && m.Token == r.Id && !m.Revoked {
			answer.Revoked = append(answer.Revoked, m.Role+" "+m.Name)
		}
	}
	note(ctx, "revoked", answer.Revoked)
	return answer, nil
}
