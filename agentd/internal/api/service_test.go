// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// host is a Host with one session; err, if any, is the module's.
type host struct{ err error }

func (h host) Name() string { return "mb1" }

func (h host) Status(context.Context) *proto.HostStatus {
	return &proto.HostStatus{Host: "mb1", Sessions: 1}
}

func (h host) Sessions(_ context.Context, prefix []byte, limit int) ([]*proto.Session, bool, error) {
	if h.err != nil {
		return nil, false, h.err
	}
	return []*proto.Session{{Id: prefix, Rule: uint32(limit)}}, true, nil
}

func (h host) Counters(context.Context) ([]*proto.Counter, error) {
	return []*proto.Counter{{Name: "hdr_mac", Value: 3}}, h.err
}

func (h host) Examine(context.Context) (*proto.Examination, error) {
	return &proto.Examination{Forward4: true}, h.err
}

func (h host) Ask(_ context.Context, r *proto.AskRequest) (*proto.AskResponse, error) {
	return nil, errors.New("not in this test")
}

// serve returns a client of the service on a real socket.
func serve(t *testing.T, h Host) protoconnect.LocalServiceClient {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, ln, NewService(h)) }()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return protoconnect.NewLocalServiceClient(&http.Client{Transport: transport}, "http://agentd")
}

func TestService(t *testing.T) {
	type client = protoconnect.LocalServiceClient
	missing := []*proto.Missing{{Host: "mb2", Error: "this is the agent of mb1"}}
	list := func(r *proto.ListSessionsRequest) func(context.Context, client) (pb.Message, error) {
		return func(ctx context.Context, c client) (pb.Message, error) { return c.ListSessions(ctx, r) }
	}
	stats := func(r *proto.GetStatsRequest) func(context.Context, client) (pb.Message, error) {
		return func(ctx context.Context, c client) (pb.Message, error) { return c.GetStats(ctx, r) }
	}
	examine := func(r *proto.ExamineRequest) func(context.Context, client) (pb.Message, error) {
		return func(ctx context.Context, c client) (pb.Message, error) { return c.Examine(ctx, r) }
	}
	tests := []struct {
		name string
		err  error
		call func(context.Context, client) (pb.Message, error)
		want pb.Message
		code connect.Code
		text string
	}{
		{
			name: "status",
			call: func(ctx context.Context, c client) (pb.Message, error) {
				return c.GetStatus(ctx, &proto.GetLocalStatusRequest{})
			},
			want: &proto.GetLocalStatusResponse{Status: &proto.HostStatus{Host: "mb1", Sessions: 1}},
		},
		{
			name: "sessions", call: list(&proto.ListSessionsRequest{Id: []byte{7}, Limit: 5}),
			want: &proto.ListSessionsResponse{Sessions: []*proto.Session{{Id: []byte{7}, Rule: 5}}, Truncated: true},
		},
		{
			name: "sessions of this host, limit as promised", call: list(&proto.ListSessionsRequest{Host: "mb1"}),
			want: &proto.ListSessionsResponse{Sessions: []*proto.Session{{Rule: 10000}}, Truncated: true},
		},
		{
			name: "sessions of another host", call: list(&proto.ListSessionsRequest{Host: "mb2"}),
			want: &proto.ListSessionsResponse{Missing: missing},
		},
		{
			name: "sessions by too long an id", call: list(&proto.ListSessionsRequest{Id: make([]byte, 17)}),
			code: connect.CodeInvalidArgument, text: "list sessions: id has 17 bytes, 16 are the limit",
		},
		{
			name: "sessions without a module", err: errors.New("no module"), call: list(&proto.ListSessionsRequest{}),
			code: connect.CodeUnavailable, text: "no module",
		},
		{
			name: "stats", call: stats(&proto.GetStatsRequest{}),
			want: &proto.GetStatsResponse{Hosts: []*proto.HostStats{{
				Host: "mb1", Counters: []*proto.Counter{{Name: "hdr_mac", Value: 3}},
				Status: &proto.HostStatus{Host: "mb1", Sessions: 1},
			}}},
		},
		{
			name: "stats of another host", call: stats(&proto.GetStatsRequest{Host: "mb2"}),
			want: &proto.GetStatsResponse{Missing: missing},
		},
		{
			name: "examination", call: examine(&proto.ExamineRequest{Host: "mb1"}),
			want: &proto.ExamineResponse{Examination: &proto.Examination{Forward4: true}},
		},
		{
			name: "examination of another host", call: examine(&proto.ExamineRequest{Host: "mb2"}),
			want: &proto.ExamineResponse{Missing: missing},
		},
		{
			name: "examination that is not possible", err: errors.New("busy"), call: examine(&proto.ExamineRequest{}),
			code: connect.CodeUnavailable, text: "busy",
		},
		{
			name: "stats without a module", err: errors.New("no module"), call: stats(&proto.GetStatsRequest{}),
			code: connect.CodeUnavailable, text: "no module",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.call(t.Context(), serve(t, host{test.err}))
			if test.want == nil {
				if connect.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.text) {
					t.Errorf("error %v, want %v: %s", err, test.code, test.text)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("response (-want +got):\n%s", diff)
			}
		})
	}
}
