// SPDX-License-Identifier: Apache-2.0

package push

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"

	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// pipes is a network of one address: a listener, and the dialler that reaches
// it. It works in a bubble of testing/synctest.
type pipes struct {
	down   atomic.Bool // nobody listens
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if p.down.Load() {
		return nil, errors.New("connection refused")
	}
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// policyd is a fake: a test pushes what it likes and sees what comes back.
type policyd struct {
	protoconnect.UnimplementedAgentServiceHandler
	*pipes
	server http.Server

	subscribed chan *proto.SubscribeRequest
	pushes     chan *proto.Push // nil: end the subscription
	acks       chan *proto.AcknowledgeRequest
	answers    chan *proto.AnswerRequest
	ackErr     error // what Acknowledge returns
	asks       chan *proto.AskRequest
	reports    chan *proto.ReportRequest
	reportErr  error
	askErr     error // what Ask returns
}

// startPolicyd serves until the test ends.
func startPolicyd(t *testing.T) *policyd {
	p := &policyd{
		pipes:      newPipes(),
		subscribed: make(chan *proto.SubscribeRequest, 16),
		pushes:     make(chan *proto.Push),
		acks:       make(chan *proto.AcknowledgeRequest, 16),
		answers:    make(chan *proto.AnswerRequest, 16),
		asks:       make(chan *proto.AskRequest, 16),
		reports:    make(chan *proto.ReportRequest, 16),
	}
	path, handler := protoconnect.NewAgentServiceHandler(p)
	mux := http.NewServeMux()
	mux.Handle(path, handler)
	p.server.Handler = mux
	p.server.Protocols = new(http.Protocols)
	p.server.Protocols.SetHTTP1(true)
	p.server.Protocols.SetUnencryptedHTTP2(true)
	var served sync.WaitGroup
	served.Go(func() { _ = p.server.Serve(p.pipes) })
	t.Cleanup(func() {
		_ = p.server.Close()
		served.Wait()
	})
	return p
}

func (p *policyd) Subscribe(ctx context.Context, r *proto.SubscribeRequest, s *connect.ServerStream[proto.Push]) error {
	p.subscribed <- r
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case push := <-p.pushes:
			if push == nil {
				return nil
			}
			if err := s.Send(push); err != nil {
				return err
			}
		}
	}
}

func (p *policyd) Acknowledge(_ context.Context, r *proto.AcknowledgeRequest) (*proto.AcknowledgeResponse, error) {
	p.acks <- r
	return &proto.AcknowledgeResponse{}, p.ackErr
}

func (p *policyd) Answer(_ context.Context, r *proto.AnswerRequest) (*proto.AnswerResponse, error) {
	p.answers <- r
	return &proto.AnswerResponse{}, nil
}

func (p *policyd) Ask(_ context.Context, r *proto.AskRequest) (*proto.AskResponse, error) {
	p.asks <- r
	return &proto.AskResponse{Job: 7, Session: r.Session}, p.askErr
}

func (p *policyd) Report(_ context.Context, r *proto.ReportRequest) (*proto.ReportResponse, error) {
	p.reports <- r
	return &proto.ReportResponse{NextMs: 750}, p.reportErr
}
