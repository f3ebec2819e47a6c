// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"mbchain/identity"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// policyd is a fake that offers one subpolicy to whoever subscribes, and then
// puts the queries that the test gives it.
type policyd struct {
	protoconnect.UnimplementedAgentServiceHandler
	protoconnect.UnimplementedIdentityServiceHandler
	address string
	offer   *proto.Subpolicy

	subscribed chan *proto.SubscribeRequest
	acks       chan *proto.AcknowledgeRequest
	queries    chan *proto.Query
	answers    chan *proto.AnswerRequest
	joins      chan *proto.JoinRequest
}

func startPolicyd(t *testing.T, offer *proto.Subpolicy) *policyd {
	p := &policyd{
		offer:      offer,
		subscribed: make(chan *proto.SubscribeRequest, 16),
		acks:       make(chan *proto.AcknowledgeRequest, 16),
		queries:    make(chan *proto.Query),
		answers:    make(chan *proto.AnswerRequest, 16),
		joins:      make(chan *proto.JoinRequest, 16),
	}
	mux := http.NewServeMux()
	mux.Handle(protoconnect.NewAgentServiceHandler(p))
	mux.Handle(protoconnect.NewIdentityServiceHandler(p))
	server := httptest.NewUnstartedServer(mux)
	server.EnableHTTP2 = true
	server.TLS = identity.ServerTLS(identity.Fixed(certify(t, identity.Policyd, "policyd1")), "h2", "http/1.1")
	server.StartTLS()
	t.Cleanup(server.Close)
	p.address = strings.TrimPrefix(server.URL, "https://")
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

// Join admits everybody.
func (p *policyd) Join(_ context.Context, r *proto.JoinRequest) (*proto.CertificateResponse, error) {
	p.joins <- r
	request, err := identity.ParseRequest(r.Request)
	if err != nil {
		return nil, err
	}
	cert, err := domain().Issue(request, 1, time.Now())
	if err != nil {
		return nil, err
	}
	return &proto.CertificateResponse{Certificate: cert.Raw}, nil
}

// domain is the CA of all these tests.
var domain = sync.OnceValue(func() *identity.CA {
	ca, err := identity.NewCA(time.Now())
	if err != nil {
		panic(err)
	}
	return ca
})

// certify returns an identity in that domain.
func certify(t *testing.T, role identity.Role, name string, addresses ...string) *identity.Bundle {
	t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	var list []netip.Addr
	for _, a := range addresses {
		list = append(list, netip.MustParseAddr(a))
	}
	b, err := domain().IssueKey(key, identity.Subject{Role: role, Name: name, Epoch: 1}, list, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return b
}
