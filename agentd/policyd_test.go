// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// policyd is a fake that offers one subpolicy to whoever subscribes, and then
// puts the queries that the test gives it.
type policyd struct {
	protoconnect.UnimplementedAgentServiceHandler
	address string
	offer   *proto.Subpolicy

	subscribed chan *proto.SubscribeRequest
	acks       chan *proto.AcknowledgeRequest
	queries    chan *proto.Query
	answers    chan *proto.AnswerRequest
}

func startPolicyd(t *testing.T, offer *proto.Subpolicy) *policyd {
	p := &policyd{
		offer:      offer,
		subscribed: make(chan *proto.SubscribeRequest, 16),
		acks:       make(chan *proto.AcknowledgeRequest, 16),
		queries:    make(chan *proto.Query),
		answers:    make(chan *proto.AnswerRequest, 16),
	}
	mux := http.NewServeMux()
	mux.Handle(protoconnect.NewAgentServiceHandler(p))
	server := httptest.NewUnstartedServer(mux)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	p.address = strings.TrimPrefix(server.URL, "http://")
	return p
}

func (p *policyd) Subscribe(ctx context.Context, r *proto.SubscribeRequest, s *connect.ServerStream[proto.Push]) error {
	p.subscribed <- r
	if err := s.Send(&proto.Push{Nonce: 1, Body: &proto.Push_Subpolicy{Subpolicy: p.offer}}); err != nil {
		return err
	}
	for nonce := uint64(2); ; nonce++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case q := <-p.queries:
			if err := s.Send(&proto.Push{Nonce: nonce, Body: &proto.Push_Query{Query: q}}); err != nil {
				return err
			}
		}
	}
}

func (p *policyd) Acknowledge(_ context.Context, r *proto.AcknowledgeRequest) (*proto.AcknowledgeResponse, error) {
	p.acks <- r
	return &proto.AcknowledgeResponse{}, nil
}

func (p *policyd) Answer(_ context.Context, r *proto.AnswerRequest) (*proto.AnswerResponse, error) {
	p.answers <- r
	return &proto.AnswerResponse{}, nil
}
