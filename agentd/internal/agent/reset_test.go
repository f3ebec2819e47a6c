// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/agentd/internal/agent"
	"mbchain/agentd/internal/agent/agenttest"
	"mbchain/chain"
	"mbchain/proto"
)

// sockets notes what is destroyed; those of port 3 are not there.
type sockets struct{ destroyed []string }

func (s *sockets) Destroy(_ context.Context, t chain.FiveTuple) error {
	if t.Source.Port() == 3 {
		return errors.New("no connection has these ports")
	}
	s.destroyed = append(s.destroyed, t.String())
	return nil
}

func TestAnswerReset(t *testing.T) {
	session := func(n byte, role proto.Role, protocol uint32) *proto.Session {
		return &proto.Session{Id: id(n), Role: role, Super: &proto.Tuple{
			Source: "10.0.0.1", SourcePort: uint32(n), Destination: "10.0.0.4", DestinationPort: 80, Protocol: protocol}}
	}
	query := func(ids ...[]byte) *proto.Query {
		return &proto.Query{Body: &proto.Query_EndSessions{EndSessions: &proto.ResetQuery{Sessions: ids, PolicyVersion: 9}}}
	}
	synctest.Test(t, func(t *testing.T) {
		m := agenttest.NewModule()
		for _, s := range []*proto.Session{
			session(1, proto.Role_ROLE_CLIENT, 6), session(2, proto.Role_ROLE_CLIENT, 6), session(3, proto.Role_ROLE_CLIENT, 6),
			session(4, proto.Role_ROLE_MIDDLE, 6), session(5, proto.Role_ROLE_CLIENT, 17),
		} {
			m.Begin(s, false)
		}
		all := &sockets{}
		b := startWith(t, m, &disk{}, func(c *agent.Config) { c.Sockets = all })
		got := b.agent.Answer(t.Context(), query(id(1), id(2), id(3), id(4), id(5), id(6), []byte{1}))
		want := &proto.AnswerRequest{EndedSessions: &proto.ResetAnswer{Ended: 2, Skipped: []*proto.Skipped{
			{Session: id(3), Reason: "mb1: no connection has these ports"},
			{Session: id(4), Reason: "mb1: it does not begin here"},
			{Session: id(5), Reason: "mb1: only TCP has connections"},
			{Session: id(6), Reason: "mb1: it is over"},
			{Session: []byte{1}, Reason: "mb1: a session id of 1 bytes, it has 16"},
		}}}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
		if want := []string{"10.0.0.1:1 > 10.0.0.4:80 tcp", "10.0.0.1:2 > 10.0.0.4:80 tcp"}; !slices.Equal(all.destroyed, want) {
			t.Errorf("destroyed %v, want %v", all.destroyed, want)
		}
		got = b.agent.Answer(t.Context(), query(slices.Repeat([][]byte{id(1)}, 1001)...))
		if got.Error != "1001 sessions at once, 1000 are the limit" {
			t.Errorf("too many: %v", got)
		}
	})
}

func TestAskGoesToPolicyd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, agenttest.NewModule(), &disk{})
		r := &proto.AskRequest{Session: id(1), Want: &proto.AskRequest_Leave{Leave: &proto.AskLeave{}}}
		got, err := b.agent.Ask(t.Context(), r)
		if err != nil || got.Job != 7 || len(b.policyd.asked) != 1 {
			t.Fatalf("answer %v, error %v", got, err)
		}
		b.policyd.askErr = errors.New("no")
		if _, err := b.agent.Ask(t.Context(), r); !errors.Is(err, b.policyd.askErr) {
			t.Errorf("error %v, want that of policyd", err)
		}
	})
}
