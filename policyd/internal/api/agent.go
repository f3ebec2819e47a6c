// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

type agentService struct{ *Server }

// Subscribe implements AgentService. It returns when the stream is over.
func (s agentService) Subscribe(ctx context.Context, r *proto.SubscribeRequest, stream *connect.ServerStream[proto.Push]) error {
	registration, err := checkRegistration(r)
	if err == nil {
		err = s.mayBe(ctx, r.Host)
	}
	if err == nil {
		err = s.mayHave(ctx, registration.Host.Addresses)
	}
	if err != nil {
		s.Logger.Warn("host refused", "host", r.Host, "peer", peer(ctx), "error", err)
		return err
	}
	send, err := sendWithin(ctx, s.PushTimeout, stream.Send)
	if err != nil {
		return coded(err)
	}
	err = s.Hub.Subscribe(ctx, registration, send)
	if errors.Is(err, store.ErrAddressTaken) {
		err = fmt.Errorf("%w: give each agentd the --address that no other host has", err)
		s.Logger.Warn("host refused", "host", r.Host, "peer", peer(ctx), "error", err)
	}
	return coded(err)
}

// Acknowledge implements AgentService.
func (s agentService) Acknowledge(ctx context.Context, r *proto.AcknowledgeRequest) (*proto.AcknowledgeResponse, error) {
	if err := checkHostName(r.Host); err != nil {
		return nil, err
	}
	if err := s.mayBe(ctx, r.Host); err != nil {
		return nil, err
	}
	if err := s.Hub.Acknowledge(r.Host, r.Nonce, r.Version, shorten(r.Error), r.Whole); err != nil {
		return nil, coded(err)
	}
	return &proto.AcknowledgeResponse{}, nil
}

// Answer implements AgentService.
func (s agentService) Answer(ctx context.Context, r *proto.AnswerRequest) (*proto.AnswerResponse, error) {
	if err := checkAnswer(r); err != nil {
		return nil, err
	}
	if err := s.mayBe(ctx, r.Host); err != nil {
		return nil, err
	}
	if err := s.Hub.Answer(r); err != nil {
		return nil, coded(err)
	}
	return &proto.AnswerResponse{}, nil
}
