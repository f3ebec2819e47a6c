// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/rand"
	"time"

	"mbchain/policyd/internal/rotate"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

// lookEvery is how often it is looked whether a rotation can go on.
const lookEvery = time.Second

// ListKeys implements IdentityService.
func (s identityService) ListKeys(context.Context, *proto.ListKeysRequest) (*proto.ListKeysResponse, error) {
	state, err := s.Cluster.State()
	if err != nil {
		return nil, coded(err)
	}
	_, waiting := rotate.Next(state, s.Hub.KeyHolders(), time.Now())
	answer := &proto.ListKeysResponse{
		Step: rotate.Of(state).String(), Waiting: waiting, SinceUnixMs: state.KeysUnixMS,
	}
	for i, k := range state.Keys {
		answer.Keys = append(answer.Keys, &proto.KeyInfo{Id: k.ID, Signs: i == 0})
	}
	return answer, nil
}

// RotateKey implements IdentityService.
func (s identityService) RotateKey(ctx context.Context, _ *proto.RotateKeyRequest) (*proto.RotateKeyResponse, error) {
	state, err := s.Cluster.State()
	if err != nil {
		return nil, coded(err)
	}
	begun := rotate.Begin(state, newSecret(), time.Now())
	if begun == nil {
		newest := max(state.Keys[0].ID, state.Keys[len(state.Keys)-1].ID)
		return &proto.RotateKeyResponse{Id: newest, Unchanged: true}, nil
	}
	if err := s.setKeys(ctx, begun); err != nil {
		return nil, coded(err)
	}
	id := begun.Keys[1].ID
	note(ctx, "key", id)
	return &proto.RotateKeyResponse{Id: id}, nil
}

func newSecret() []byte {
	b := make([]byte, store.SecretLen)
	rand.Read(b) // never fails
	return b
}

func (s *Server) setKeys(ctx context.Context, cmd *store.SetKeys) error {
	result, err := s.Cluster.Apply(ctx, store.Command{SetKeys: cmd})
	if err != nil {
		return err
	}
	s.Logger.Info("set-up keys changed", "step", rotate.Of(result.State).String(), "keys", len(cmd.Keys))
	s.Update(result.State)
	return nil
}

// rotateKeys takes the steps of rotations, and begins one when it is time, until ctx
// ends. Only where this policyd leads: the others have no state to change.
func (s *Server) rotateKeys(ctx context.Context) {
	every(ctx, lookEvery, func() { s.stepRotation(ctx) })
}

func (s *Server) stepRotation(ctx context.Context) {
	state, err := s.Cluster.State()
	if err != nil || !state.IsSetUp() {
		return
	}
	now := time.Now()
	var cmd *store.SetKeys
	switch {
	case rotate.Of(state) != rotate.Idle:
		cmd, _ = rotate.Next(state, s.Hub.KeyHolders(), now)
	case rotate.Due(state, s.RotateEvery, s.started, now):
		cmd = rotate.Begin(state, newSecret(), now)
	}
	if cmd == nil {
		return
	}
	// Somebody else may have been quicker; the next turn sees it.
	if err := s.setKeys(ctx, cmd); err != nil && ctx.Err() == nil {
		s.Logger.Warn("set-up keys not changed", "error", err)
	}
}
