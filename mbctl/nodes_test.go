// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	"mbchain/identity"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// server is one policyd of several.
type server struct {
	protoconnect.UnimplementedPolicyServiceHandler
	protoconnect.UnimplementedClusterServiceHandler
	answers []error // one after the other, then none
	asked   int
	numbers map[string]bool
}

func (s *server) answer(ctx context.Context) error {
	s.asked++
	info, _ := connect.CallInfoForHandlerContext(ctx)
	s.numbers[info.RequestHeader().Get(headerRequest)] = true
	if len(s.answers) == 0 {
		return nil
	}
	err := s.answers[0]
	s.answers = s.answers[1:]
	return err
}

func (s *server) Get(ctx context.Context, _ *proto.GetRequest) (*proto.GetResponse, error) {
	return &proto.GetResponse{}, s.answer(ctx)
}

func (s *server) Apply(ctx context.Context, r *proto.ApplyRequest) (*proto.ApplyResponse, error) {
	if err := s.answer(ctx); err != nil {
		return nil, err
	}
	if r.Source != "text" {
		return nil, fmt.Errorf("source %q", r.Source)
	}
	return &proto.ApplyResponse{Version: 7}, nil
}

func (s *server) RemoveNode(ctx context.Context, _ *proto.RemoveNodeRequest) (*proto.RemoveNodeResponse, error) {
	return &proto.RemoveNodeResponse{}, s.answer(ctx)
}

func notNow(done string) error {
	err := connect.NewError(connect.CodeUnavailable, errors.New("no leader"))
	if done != "" {
		err.Meta().Set(headerTryAgain, done)
	}
	return err
}

func TestAnotherPolicydIsAsked(t *testing.T) {
	times := func(n int, err error) (list []error) {
		for range n {
			list = append(list, err)
		}
		return list
	}
	apply := func(p *policyd) error {
		_, err := p.policy.Apply(context.Background(), &proto.ApplyRequest{Source: "text"})
		return err
	}
	remove := func(p *policyd) error {
		_, err := p.cluster.RemoveNode(context.Background(), &proto.RemoveNodeRequest{})
		return err
	}
	tests := []struct {
		name    string
		servers [][]error // "gone": nil
		call    func(*policyd) error
		asked   []int
		code    connect.Code // 0: well
	}{
		{"the first one answers", [][]error{{}, {}}, apply, []int{1, 0}, 0},
		{"the first one is gone", [][]error{nil, {}}, apply, []int{0, 1}, 0},
		{"it does not lead", [][]error{{notNow("nothing")}, {}}, apply, []int{1, 1}, 0},
		{"none leads yet", [][]error{times(3, notNow("nothing")), times(3, notNow("nothing"))}, apply, []int{4, 3}, 0},
		{"none leads ever", [][]error{times(99, notNow("nothing"))}, apply, []int{tryRounds}, connect.CodeUnavailable},
		{"it refuses", [][]error{{notNow("")}, {}}, apply, []int{1, 0}, connect.CodeUnavailable},
		{"nobody knows what came of it", [][]error{{notNow("unknown")}, {}}, apply, []int{1, 1}, 0},
		{"nobody knows, and it may not be repeated", [][]error{{notNow("unknown")}, {}}, remove, []int{1, 0}, connect.CodeUnavailable},
		{"nothing was done, so it may be repeated", [][]error{{notNow("nothing")}, {}}, remove, []int{1, 1}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			numbers, real := map[string]bool{}, map[string]string{}
			var servers []*server
			var addresses []string
			for i, answers := range tt.servers {
				s := &server{answers: answers, numbers: numbers}
				address := fmt.Sprintf("10.0.0.%d:7400", i+1)
				servers, addresses = append(servers, s), append(addresses, address)
				if answers != nil {
					real[address] = serveTLS(t, func(mux *http.ServeMux) {
						mux.Handle(protoconnect.NewPolicyServiceHandler(s))
						mux.Handle(protoconnect.NewClusterServiceHandler(s))
					})
				}
			}
			w := &world{
				now: func() time.Time { return now },
				dial: func(ctx context.Context, network, address string) (net.Conn, error) {
					if real[address] == "" {
						return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
					}
					return new(net.Dialer).DialContext(ctx, network, real[address])
				},
				sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
			}
			err := tt.call(w.policydAt(addresses, certify(t, identity.Operator, "anna", now)))
			if (err == nil) != (tt.code == 0) || err != nil && connect.CodeOf(err) != tt.code {
				t.Errorf("error %v, want code %v", err, tt.code)
			}
			var asked []int
			for _, s := range servers {
				asked = append(asked, s.asked)
			}
			if diff := cmp.Diff(tt.asked, asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if len(numbers) != 1 || numbers[""] {
				t.Errorf("numbers %v, want one and the same", numbers)
			}
		})
	}
}
