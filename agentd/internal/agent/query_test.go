// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/agentd/internal/agent/agenttest"
	"mbchain/proto"
)

func sessions(prefix []byte, limit uint32) *proto.Query {
	return &proto.Query{Body: &proto.Query_Sessions{Sessions: &proto.SessionQuery{Id: prefix, Limit: limit}}}
}

func TestAnswer(t *testing.T) {
	one, two := &proto.Session{Id: id(1), Host: "mb1"}, &proto.Session{Id: id(2), Host: "mb1"}
	status := &proto.HostStatus{
		Host: "mb1", AgentVersion: "1.2.3", Kernel: "6.12", ModuleVersion: agenttest.Version,
		Sessions: 2, Policyd: "policyd1:7400", PolicydConnected: true,
	}
	crowd := make([]*proto.Peer, 70)
	for i := range crowd {
		crowd[i] = &proto.Peer{Address: "10.0.0.9", Sessions: uint64(i)}
	}
	crowded := &proto.HostStatus{
		Host: "mb1", AgentVersion: "1.2.3", Kernel: "6.12", ModuleVersion: agenttest.Version,
		Sessions: 2, Policyd: "policyd1:7400", PolicydConnected: true, Peers: crowd[:64], MorePeers: 6,
	}
	noModule := &proto.HostStatus{
		Host: "mb1", AgentVersion: "1.2.3", Kernel: "6.12", PolicyError: "no module",
		Policyd: "policyd1:7400", PolicydConnected: true,
	}
	tests := []struct {
		name   string
		absent bool
		peers  []*proto.Peer
		query  *proto.Query
		want   *proto.AnswerRequest
	}{
		{name: "all sessions", query: sessions(nil, 0), want: &proto.AnswerRequest{Sessions: []*proto.Session{one, two}}},
		{name: "some sessions", query: sessions(nil, 1), want: &proto.AnswerRequest{Sessions: []*proto.Session{one}, Truncated: true}},
		{name: "one session", query: sessions([]byte{2}, 0), want: &proto.AnswerRequest{Sessions: []*proto.Session{two}}},
		{
			name: "id too long", query: sessions(make([]byte, 17), 0),
			want: &proto.AnswerRequest{Error: "list sessions: id has 17 bytes, 16 are the limit"},
		},
		{
			name: "counters", query: &proto.Query{Body: &proto.Query_Stats{Stats: &proto.StatsQuery{}}},
			want: &proto.AnswerRequest{Counters: []*proto.Counter{{Name: "sessions", Value: 2}}, Status: status},
		},
		{
			name: "status", query: &proto.Query{Body: &proto.Query_Status{Status: &proto.StatusQuery{}}},
			want: &proto.AnswerRequest{Status: status},
		},
		{
			name: "status with many neighbours that swallow SYNs", peers: crowd,
			query: &proto.Query{Body: &proto.Query_Status{Status: &proto.StatusQuery{}}},
			want:  &proto.AnswerRequest{Status: crowded},
		},
		{
			name: "of a later policyd", query: &proto.Query{},
			want: &proto.AnswerRequest{Error: "answer query: agentd 1.2.3 does not know it"},
		},
		{name: "sessions without a module", absent: true, query: sessions(nil, 0), want: &proto.AnswerRequest{Error: "no module"}},
		{
			name: "status without a module", absent: true,
			query: &proto.Query{Body: &proto.Query_Status{Status: &proto.StatusQuery{}}},
			want:  &proto.AnswerRequest{Status: noModule},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := agenttest.NewModule()
				m.Begin(&proto.Session{Id: id(1)}, false)
				m.Begin(&proto.Session{Id: id(2)}, false)
				m.SetPeers(test.peers)
				if test.absent {
					m.Unload()
				}
				b := start(t, m, &disk{})
				got := b.agent.Answer(t.Context(), test.query)
				if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
			})
		})
	}
}
