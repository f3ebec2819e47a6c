// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"mbchain/policyd/internal/cluster"
	"mbchain/proto"
)

// pair is a node that leads and one that follows it.
func pair(t *testing.T, f func(t *testing.T, leader, follower *bench), opts ...connect.ClientOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		leader, follower := newBench(t), newBench(t, opts...)
		follower.cluster.leader = &cluster.Leader{Name: "p1", Address: "p1:7400"}
		follower.cluster.changed = make(chan struct{})
		follower.network["p1:7400"] = leader.pipes
		follower.hub.Follow()
		f(t, leader, follower)
		follower.stop()
	})
}

func TestFollowerPassesOn(t *testing.T) {
	for name, opts := range map[string][]connect.ClientOption{"Connect": nil, "gRPC": {connect.WithGRPC()}, "JSON": {connect.WithProtoJSON()}} {
		t.Run(name, func(t *testing.T) {
			pair(t, func(t *testing.T, leader, follower *bench) {
				a := follower.subscribe("client", "10.0.0.1")
				a.subpolicy(0)
				ctx, info := connect.NewClientContext(t.Context())
				if r, err := follower.policy.Apply(ctx, &proto.ApplyRequest{Source: onePolicy}); err != nil || r.Version != 1 {
					t.Fatalf("apply: %v, error %v", r, err)
				}
				if by := info.ResponseHeader().Get(headerNode); by != "p1" {
					t.Errorf("answered by %q", by)
				}
				a.acknowledge(a.subpolicy(1), 1, "")
				if c := leader.hub.Counts(); c.InSync != 1 {
					t.Errorf("counts of the leader: %+v", c)
				}
				if c := follower.hub.Counts(); c.Known != 0 {
					t.Errorf("counts of the follower: %+v", c)
				}
				// What the leader refuses is refused, with all that it says.
				_, err := follower.policy.Apply(t.Context(), &proto.ApplyRequest{Source: "moon"})
				wantCode(t, err, connect.CodeInvalidArgument)
				if name != "gRPC" && !strings.Contains(err.Error(), "policy: 1:1") {
					t.Errorf("error %v", err)
				}
			}, opts...)
		})
	}
}

// The stream outlives every limit of a request, and ends when another leads.
func TestForwardedStreamEndsWithTheLeader(t *testing.T) {
	pair(t, func(t *testing.T, leader, follower *bench) {
		a := follower.subscribe("client", "10.0.0.1")
		a.subpolicy(0)
		last := make(chan *proto.Push)
		go func() { last <- a.next() }()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		select {
		case p := <-last:
			t.Fatalf("the stream ended, last push %v, error %v", p, a.stream.Err())
		default:
		}
		close(follower.cluster.changed)
		if p := <-last; p != nil {
			t.Errorf("pushed %v", p)
		}
		synctest.Wait()
		if c := leader.hub.Counts(); c.Connected != 0 {
			t.Errorf("counts of the leader: %+v", c)
		}
	})
}

func TestFollowerAnswersFromItsCopy(t *testing.T) {
	pair(t, func(t *testing.T, leader, follower *bench) {
		leader.apply("match(any) >> {}")
		if _, err := follower.cluster.Apply(t.Context(), applied(onePolicy)); err != nil { // as Raft would
			t.Fatal(err)
		}
		ctx, info := connect.NewClientContext(t.Context())
		e, err := follower.policy.Explain(ctx, &proto.ExplainRequest{Tuple: &proto.Tuple{
			Source: "10.0.0.1", SourcePort: 1, Destination: "10.0.0.9", DestinationPort: 80, Protocol: 6}})
		if err != nil || !e.Matched || e.Version != 1 {
			t.Errorf("explain: %v, error %v", e, err)
		}
		if by, index := info.ResponseHeader().Get(headerNode), info.ResponseHeader().Get(headerIndex); by != "p2" || index != "2" {
			t.Errorf("answered by %q as of index %q", by, index)
		}
		ctx, info = connect.NewClientContext(t.Context())
		info.RequestHeader().Set(headerRead, readLocal)
		got, err := follower.policy.Get(ctx, &proto.GetRequest{})
		if err != nil || got.Source != onePolicy || len(got.Hosts) != 0 {
			t.Errorf("copy: %v, error %v", got, err)
		}
		if got, err := follower.policy.Get(t.Context(), &proto.GetRequest{}); err != nil || got.Source != "match(any) >> {}" {
			t.Errorf("without asking for the copy: %v, error %v, want that of the leader", got, err)
		}
	})
}

func TestWhatIsNotPassedOn(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(leader, follower *bench)
		want    string // headerTryAgain
	}{
		{"the leader is gone", func(_, f *bench) { delete(f.network, "p1:7400") }, nothingDone},
		{"nobody knows where it is", func(_, f *bench) { f.cluster.leader.Address = "" }, nothingDone},
		{"it does not lead any more", func(l, _ *bench) { l.cluster.err = cluster.ErrNotReady }, nothingDone},
		{"it follows another one by now", func(l, _ *bench) {
			l.cluster.leader, l.cluster.err = &cluster.Leader{Name: "p3", Address: "p3:7400"}, cluster.ErrNotReady
		}, nothingDone},
		{"it lost the leadership meanwhile", func(l, _ *bench) { l.cluster.err = cluster.ErrUnknownOutcome }, outcomeUnknown},
		{"nobody leads", func(_, f *bench) { f.cluster.leader.Name, f.cluster.err = "", cluster.ErrNotReady }, nothingDone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pair(t, func(t *testing.T, leader, follower *bench) {
				tt.prepare(leader, follower)
				_, err := follower.policy.Apply(t.Context(), &proto.ApplyRequest{Source: onePolicy})
				var told *connect.Error
				if !asConnect(err, &told) || told.Meta().Get(headerTryAgain) != tt.want {
					t.Errorf("error %v, want %s %q", err, headerTryAgain, tt.want)
				}
			})
		})
	}
}

func TestRequestNumberIsChecked(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for _, number := range []string{"x", "ab", strings.Repeat("ab", 17)} {
			ctx, info := connect.NewClientContext(t.Context())
			info.RequestHeader().Set(headerRequest, number)
			_, err := b.policy.Apply(ctx, &proto.ApplyRequest{Source: onePolicy})
			wantCode(t, err, connect.CodeInvalidArgument)
		}
	})
}
