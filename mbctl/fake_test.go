// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	"mbchain/identity"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// fake is policyd, and the local agent on agentSocket. A nil answer is
// answered with Unimplemented, as protoconnect does.
type fake struct {
	protoconnect.UnimplementedPolicyServiceHandler
	protoconnect.UnimplementedDomainServiceHandler
	*identityFake

	apply    func(*proto.ApplyRequest) (*proto.ApplyResponse, error)
	policies []*proto.GetResponse          // one after the other, the last for ever
	old      map[uint64]*proto.GetResponse // policies that ran before
	history  *proto.HistoryResponse
	explain  func(*proto.ExplainRequest) (*proto.ExplainResponse, error)
	sessions *proto.ListSessionsResponse
	hosts    *proto.ListHostsResponse
	stats    *proto.GetStatsResponse
	status   *proto.GetStatusResponse
	local    *proto.HostStatus
	moves    *moves
	cluster  *proto.GetClusterResponse
	nodes    []*proto.NodeStatus // one after the other

	nfs     []*proto.ListNFsResponse // one after the other, the last for ever
	drained []string                 // "drain mb1 firewall"

	check    *proto.CheckResponse
	examined *proto.ExamineResponse
	askedFor *proto.AskRequest
	askErr   error

	err    error // answers everything, if set
	asked  []string
	listed *proto.ListSessionsRequest
}

func (f *fake) Apply(_ context.Context, req *proto.ApplyRequest) (*proto.ApplyResponse, error) {
	if f.err != nil {
		return nil, f.err
	}
	return f.apply(req)
}

func (f *fake) Get(_ context.Context, req *proto.GetRequest) (*proto.GetResponse, error) {
	if f.err != nil {
		return nil, f.err
	}
	if req.Version != 0 && req.Version != f.policies[0].Version {
		if old := f.old[req.Version]; old != nil {
			return old, nil
		}
		return nil, connect.NewError(connect.CodeNotFound,
			fmt.Errorf("policy version %d is not kept; version 8 runs, and 6 to 7 are kept", req.Version))
	}
	answer := f.policies[0]
	if len(f.policies) > 1 {
		f.policies = f.policies[1:]
	}
	return answer, nil
}

func (f *fake) History(context.Context, *proto.HistoryRequest) (*proto.HistoryResponse, error) {
	return f.history, f.err
}

func (f *fake) Explain(_ context.Context, req *proto.ExplainRequest) (*proto.ExplainResponse, error) {
	if f.err != nil {
		return nil, f.err
	}
	return f.explain(req)
}

func (f *fake) GetStatus(context.Context, *proto.GetStatusRequest) (*proto.GetStatusResponse, error) {
	return f.status, f.err
}

func (f *fake) ListHosts(context.Context, *proto.ListHostsRequest) (*proto.ListHostsResponse, error) {
	return f.hosts, f.err
}

func (f *fake) ListSessions(_ context.Context, req *proto.ListSessionsRequest) (*proto.ListSessionsResponse, error) {
	f.listed = req
	if f.err != nil {
		return nil, f.err
	}
	answer := &proto.ListSessionsResponse{Missing: f.sessions.Missing, Truncated: f.sessions.Truncated}
	for _, s := range f.sessions.Sessions {
		if bytes.HasPrefix(s.Id, req.Id) && (req.Host == "" || req.Host == s.Host) {
			answer.Sessions = append(answer.Sessions, s)
		}
	}
	return answer, nil
}

func (f *fake) GetStats(_ context.Context, req *proto.GetStatsRequest) (*proto.GetStatsResponse, error) {
	if f.err != nil {
		return nil, f.err
	}
	answer := &proto.GetStatsResponse{Missing: f.stats.Missing}
	for _, h := range f.stats.Hosts {
		if req.Host == "" || req.Host == h.Host {
			answer.Hosts = append(answer.Hosts, h)
		}
	}
	return answer, nil
}

func (f *fake) Examine(_ context.Context, req *proto.ExamineRequest) (*proto.ExamineResponse, error) {
	if f.err != nil {
		return nil, f.err
	}
	if f.examined.Examination != nil && req.Host != "" && req.Host != f.examined.Examination.Status.Host {
		return &proto.ExamineResponse{Missing: []*proto.Missing{{Host: req.Host, Error: "not connected"}}}, nil
	}
	return f.examined, nil
}

// localFake is the agent of host mb1: GetStatus alone differs.
type localFake struct{ *fake }

func (f localFake) GetStatus(context.Context, *proto.GetLocalStatusRequest) (*proto.GetLocalStatusResponse, error) {
	return &proto.GetLocalStatusResponse{Status: f.local}, f.err
}

func (f localFake) ListSessions(ctx context.Context, req *proto.ListSessionsRequest) (*proto.ListSessionsResponse, error) {
	req.Host = "mb1"
	answer, err := f.fake.ListSessions(ctx, req)
	if err == nil {
		answer.Missing = nil
	}
	return answer, err
}

func (f localFake) GetStats(ctx context.Context, req *proto.GetStatsRequest) (*proto.GetStatsResponse, error) {
	req.Host = "mb1"
	answer, err := f.fake.GetStats(ctx, req)
	if err == nil {
		answer.Missing = nil
	}
	return answer, err
}

func (f localFake) Ask(_ context.Context, req *proto.AskRequest) (*proto.AskResponse, error) {
	f.askedFor = req
	if f.askErr != nil {
		return nil, f.askErr
	}
	return &proto.AskResponse{Job: labJob, Id: 0x5f3a90c1_22334450, Session: req.Session}, nil
}

func (f *fake) Check(context.Context, *proto.CheckRequest) (*proto.CheckResponse, error) {
	return f.check, f.err
}

// now is the time at which every test runs.
var now = time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)

// testWorld is a world whose policyd and agent are f, and whose only file is
// web.policy. A sleep lasts no time.
type testWorld struct {
	*world
	out, err bytes.Buffer
	files    map[string]string // rewritten by write
	env      map[string]string

	identities map[string]*identity.Bundle // by path
}

func newTestWorld(t *testing.T, f *fake) *testWorld {
	t.Helper()
	tw := &testWorld{files: make(map[string]string), env: make(map[string]string)}
	f.identityFake = &identityFake{f: f}
	domain := serveTLS(t, func(mux *http.ServeMux) {
		mux.Handle(protoconnect.NewIdentityServiceHandler(f.identityFake))
		mux.Handle(protoconnect.NewPolicyServiceHandler(f))
		mux.Handle(protoconnect.NewDomainServiceHandler(f))
		mux.Handle(protoconnect.NewMigrationServiceHandler(migrationFake{f}))
		mux.Handle(protoconnect.NewClusterServiceHandler(clusterFake{fake: f}))
		mux.Handle(protoconnect.NewNFServiceHandler(nfFake{f: f}))
	})
	local := serve(t, func(mux *http.ServeMux) {
		mux.Handle(protoconnect.NewLocalServiceHandler(localFake{f}))
	})
	tw.world = &world{
		stdin:   strings.NewReader(""),
		stdout:  &tw.out,
		stderr:  &tw.err,
		version: "0.1.0",
		getenv:  func(key string) string { return tw.env[key] },
		open: func(name string) (file, error) {
			text, ok := tw.files[name]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
			}
			return io.NopCloser(strings.NewReader(text)), nil
		},
		write: func(name string, text []byte) error {
			tw.files[name] = string(text)
			return nil
		},
		dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			f.asked = append(f.asked, network+" "+address)
			to, ok := map[string]string{
				"tcp " + defaultPolicyd: domain,
				"tcp 10.255.0.102:7400": domain,
				"tcp 10.255.0.103:7400": domain,
				"unix " + agentSocket:   local,
			}[network+" "+address]
			if !ok {
				return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
			}
			return new(net.Dialer).DialContext(ctx, "tcp", to)
		},
		now:   func() time.Time { return now },
		sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		limit: context.WithTimeout,
		utf8:  true,

		newJob: func() uint64 { return labJob },

		saveSecret: func(string, []byte) error { return nil },
		exists:     func(string) bool { return false },
	}
	withIdentity(t, tw)
	return tw
}

// expireAt makes the n-th sleep outlast the command's time.
func (tw *testWorld) expireAt(n int) {
	var expire context.CancelCauseFunc
	tw.limit = func(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
		ctx, expire = context.WithCancelCause(ctx)
		return ctx, func() { expire(nil) }
	}
	tw.sleep = func(ctx context.Context, _ time.Duration) error {
		if n--; n == 0 {
			expire(context.DeadlineExceeded)
		}
		return ctx.Err()
	}
}

func serve(t *testing.T, register func(*http.ServeMux)) (address string) {
	mux := http.NewServeMux()
	register(mux)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// wrongPolicy is policyd's refusal of a policy with what it found.
func wrongPolicy(found ...*proto.Diagnostic) error {
	err := connect.NewError(connect.CodeInvalidArgument, errors.New("check policy: 1 error"))
	detail, bad := connect.NewErrorDetail(&proto.CheckResponse{Errors: found})
	if bad != nil {
		panic(bad)
	}
	err.AddDetail(detail)
	return err
}
